"""Prepares and inspects the app behind the page, over HTTP and queues, as callers and producers would."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import requests
from azure.storage.queue import QueueServiceClient

from devstack.stack import Stack

PATIENCE_SECONDS = 120


class Backstage:
    """Creates and reads the jobs, requests and dead letters of the app behind the page."""

    def __init__(self, stack: Stack, key: str) -> None:
        self._stack = stack
        self._http = requests.Session()
        self._http.headers["x-functions-key"] = key
        self._queues = QueueServiceClient.from_connection_string(stack.connection_string)

    def job(self, count: int, prefix: str = "job-") -> str:
        """Creates a completed job with completed tasks `task-1`, `task-2` and so on."""
        name = f"{prefix}{uuid.uuid4().hex[:8]}"
        body = {"id": name, "state": "completed", "tasks": {"count": count}}
        self._http.post(f"{self._stack.batch_url}/_control/jobs", json=body, timeout=120).raise_for_status()
        return name

    def put(self, body: dict[str, Any] | str, queue: str = "task-delete-requests") -> None:
        """Puts a message on the request queue, as a producer would."""
        text = body if isinstance(body, str) else json.dumps(body)
        with self._queues.get_queue_client(queue) as client:
            client.send_message(text)

    def given_up(self, job: str, count: int) -> None:
        """Creates dead letters that can be redriven, first seen in this order: copies put on the poison queue."""
        before = self.count(jobId=job)
        for number in range(count):
            body = {"clientRequestId": str(uuid.uuid4()), "jobId": job, "taskId": f"task-{before + number + 1}"}
            self.put(body, "task-delete-requests-poison")
        self.until(lambda: self.count(jobId=job) == before + count)

    def get(self, path: str, **query: Any) -> Any:
        """Reads a document of the API."""
        answer = self._http.get(f"{self._stack.http_url}/api/{path}", params=query, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Makes a POST call to the API."""
        answer = self._http.post(f"{self._stack.http_url}/api/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def act(self, path: str) -> None:
        """Makes a POST call without a body."""
        self._http.post(f"{self._stack.http_url}/api/{path}", timeout=60).raise_for_status()

    def letters(self, **query: Any) -> list[dict[str, Any]]:
        """The newest dead letters that match a filter."""
        found: list[dict[str, Any]] = self.get("dead-letters", top=200, **query)["value"]
        return found

    def count(self, **query: Any) -> int:
        """The number of dead letters that match a filter."""
        return len(self.letters(**query))

    def until(self, holds: Any) -> None:
        """Waits until a condition holds that the app brings about by itself."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.2)

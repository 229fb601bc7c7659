"""A client of the app, over HTTP and the queues like any user's, and of the simulated account's control API."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import requests
from azure.storage.queue import QueueClient, QueueServiceClient

from devstack.stack import Stack

TIMEOUT = 300
TRIES = 30


class AppClient:
    """Sends requests and collects results. Safe to use from many threads."""

    def __init__(self, stack: Stack) -> None:
        self._base = stack.http_url
        self._control = f"{stack.batch_url}/_control"
        self._service = QueueServiceClient.from_connection_string(stack.connection_string)
        requests_queue = stack.env["REQUEST_QUEUE_NAME"]
        self.queues = {
            "request": requests_queue,
            "poison": f"{requests_queue}-poison",
            "job-completion": stack.env["JOB_COMPLETION_QUEUE_NAME"],
            "result": stack.env["RESULT_QUEUE_NAME"],
        }
        """Queue names by their role in the app."""
        self._http = requests.Session()
        self._results = self.queue("result")

    def queue(self, name: str) -> QueueClient:
        """The client of a queue, by its role in the app."""
        return self._service.get_queue_client(self.queues[name])

    def put(self, body: object, queue: str = "request") -> None:
        """Sends a message: a string unchanged, anything else as JSON."""
        self.queue(queue).send_message(body if isinstance(body, str) else json.dumps(body))

    def post(self, body: object) -> int:
        """Submits a request over HTTP; returns the status."""
        return self._call("POST", "/api/task-deletions", json=body).status_code

    def delete(self, request: dict[str, Any]) -> int:
        """Calls the REST operation; returns the status."""
        path = f"/api/jobs/{request['jobId']}/tasks/{request['taskId']}"
        return self._call("DELETE", path, headers={"client-request-id": request["clientRequestId"]}).status_code

    def clean_up(self, event: dict[str, Any]) -> str:
        """Submits a job-completion event; returns the location of its progress."""
        return self._begin("/api/job-completions", event)

    def sweep(self, request: dict[str, Any]) -> str:
        """Starts a sweep; returns the location of its progress."""
        return self._begin("/api/retention-sweeps", request)

    def _begin(self, path: str, body: dict[str, Any]) -> str:
        answer = self._call("POST", path, json=body)
        answer.raise_for_status()
        return answer.headers["location"]

    def progress(self, location: str) -> dict[str, Any]:
        """The progress of a clean-up or a sweep."""
        document: dict[str, Any] = self._call("GET", location).json()
        return document

    def results(self) -> list[dict[str, Any]]:
        """Receives and deletes the result messages that have arrived since the last call."""
        found = []
        for message in self._results.receive_messages(messages_per_page=32, max_messages=320):
            found.append(json.loads(decoded(message.content)))
            self._results.delete_message(message)
        return found

    def collect(self, done: Callable[[list[dict[str, Any]]], bool], seconds: float) -> list[dict[str, Any]]:
        """Receives results until `done` says that all have arrived. Raises TimeoutError."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        while not done(found):
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {len(found)} results arrived")
            found += self.results()
            time.sleep(0.2)
        return found

    def _call(self, method: str, path: str, **parts: Any) -> requests.Response:
        """Calls as a careful client does: after a 503, which leaves the effect open, the same request is sent again."""
        answer = self._http.request(method, self._base + path, timeout=TIMEOUT, **parts)
        for _ in range(TRIES):
            if answer.status_code != 503:
                break
            time.sleep(1)
            answer = self._http.request(method, self._base + path, timeout=TIMEOUT, **parts)
        return answer

    def seed(self, *jobs: dict[str, Any]) -> None:
        """Creates jobs and tasks in the simulated account."""
        self._http.post(f"{self._control}/jobs", json=jobs, timeout=TIMEOUT).raise_for_status()

    def tasks(self, job: str) -> list[str]:
        """The ids of the tasks that a job still has."""
        found = self._http.get(f"{self._control}/jobs/{job}", timeout=TIMEOUT).json()
        return [task["id"] for task in found["tasks"]]

    def break_down(self, fault: dict[str, Any]) -> None:
        """Makes the simulated account fail in some way."""
        self._http.post(f"{self._control}/faults", json=fault, timeout=TIMEOUT).raise_for_status()

    def recover(self) -> None:
        """Ends all failures of the simulated account."""
        self._http.delete(f"{self._control}/faults", timeout=TIMEOUT).raise_for_status()

    def journal(self, operation: str = "task-delete") -> list[dict[str, Any]]:
        """The calls of one operation that reached the account, by default its DELETEs."""
        answer = self._http.get(f"{self._control}/journal?operation={operation}", timeout=TIMEOUT)
        entries: list[dict[str, Any]] = answer.json()["value"]
        return entries

    def deletes(self) -> Counter[str]:
        """The number of DELETEs that reached the account, by task."""
        return Counter(entry["target"].partition("?")[0].rpartition("/")[2] for entry in self.journal())


def decoded(text: str) -> str:
    """A result message's JSON, in whichever encoding the app uses."""
    return text if text.startswith("{") else base64.b64decode(text).decode()

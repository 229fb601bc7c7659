"""The doors of the app as the demonstration uses them: HTTP, the queues, and the simulated account's control API."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from typing import Any

import requests
from azure.storage.queue import QueueClient, QueueServiceClient

from devstack.demo.scenes import Ask

TIMEOUT = 300
TRIES = 30


class Doors:
    """Sends requests and collects results. One per thread of the demonstration."""

    def __init__(self, base_url: str, batch_url: str, connection_string: str, queues: dict[str, str]) -> None:
        self._api = f"{base_url.rstrip('/')}/api"
        self._control = f"{batch_url}/_control"
        self._service = QueueServiceClient.from_connection_string(connection_string)
        self._queues = queues
        self._http = requests.Session()
        self._results = self.queue("result")

    def queue(self, name: str) -> QueueClient:
        """The client of a queue by its part in the app: `request`, `result` or `poison`."""
        return self._service.get_queue_client(self._queues[name])

    def send(self, ask: Ask) -> int | None:
        """Sends one request through its door; the HTTP status, or None for a queue."""
        if ask.door == "http":
            return self._call("POST", f"{self._api}/task-deletions", json=ask.body).status_code
        if ask.door == "direct" and isinstance(ask.body, dict):
            url = f"{self._api}/jobs/{ask.body['jobId']}/tasks/{ask.body['taskId']}"
            headers = {"client-request-id": ask.body["clientRequestId"]}
            return self._call("DELETE", url, headers=headers).status_code
        text = ask.body if isinstance(ask.body, str) else json.dumps(ask.body)
        self.queue("poison" if ask.door == "poison" else "request").send_message(text)
        return None

    def clean_up(self, event: dict[str, Any]) -> str:
        """Hands in a job-completion event; where its progress is."""
        answer = self._call("POST", f"{self._api}/job-completions", json=event)
        answer.raise_for_status()
        return answer.headers["location"]

    def progress(self, location: str) -> dict[str, Any]:
        """How a clean-up goes."""
        document: dict[str, Any] = self._call("GET", self._api.removesuffix("/api") + location).json()
        return document

    def results(self) -> list[dict[str, Any]]:
        """The result messages that came since the last call, taken off the queue."""
        found = []
        for message in self._results.receive_messages(messages_per_page=32, max_messages=320):
            found.append(json.loads(base64.b64decode(message.content)))
            self._results.delete_message(message)
        return found

    def _call(self, method: str, url: str, **parts: Any) -> requests.Response:
        """A call as a careful client makes it: 503 promises nothing, so the same request goes out again."""
        answer = self._http.request(method, url, timeout=TIMEOUT, **parts)
        for _ in range(TRIES):
            if answer.status_code != 503:
                break
            time.sleep(1)
            answer = self._http.request(method, url, timeout=TIMEOUT, **parts)
        return answer

    def seed(self, jobs: list[dict[str, Any]]) -> None:
        """Gives the simulated account its jobs and tasks."""
        self._http.post(f"{self._control}/jobs", json=jobs, timeout=TIMEOUT).raise_for_status()

    def break_down(self, fault: dict[str, Any]) -> None:
        """Tells the simulated account to fail in some way."""
        self._http.post(f"{self._control}/faults", json=fault, timeout=TIMEOUT).raise_for_status()

    def deletes(self) -> Counter[str]:
        """How many DELETEs reached the account, by task."""
        url = f"{self._control}/journal?operation=task-delete"
        entries = self._http.get(url, timeout=TIMEOUT).json()["value"]
        return Counter(entry["target"].partition("?")[0].rpartition("/")[2] for entry in entries)

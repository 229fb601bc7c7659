"""Sends queue messages that no output binding can: with a delay, or to a queue chosen at run time."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Protocol, TypeVar

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient

from shared.storage.faults import storage_faults

T = TypeVar("T")

MAX_DELAY_SECONDS = 7 * 24 * 3600 - 60
"""A message is hidden for at most seven days: https://learn.microsoft.com/rest/api/storageservices/put-message"""


@dataclass(frozen=True)
class Depth:
    """How many messages a queue holds, hidden ones included, and the age in seconds of the oldest visible one, if any."""

    messages: int
    oldest_age_seconds: float | None


class Sender(Protocol):
    """What the app needs of the queues."""

    def send(self, queue: str, text: str, delay_seconds: float = 0) -> None:
        """Puts a message that never expires, hidden for the delay (cut at seven days, rounded up to a second)."""


class Queues(Sender, Protocol):
    """A sender that can also measure queues."""

    def depth(self, queue: str, now: datetime) -> Depth:
        """How many messages there are, and the age of the oldest visible one."""


class QueueSender:
    """Sends to the storage account's queues, and creates a missing queue. Raises StorageUnavailable."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._clients: dict[str, QueueClient] = {}
        self._lock = Lock()

    def send(self, queue: str, text: str, delay_seconds: float = 0) -> None:
        delay = min(MAX_DELAY_SECONDS, max(0, -int(-delay_seconds // 1)))
        # -1: never expires. The service's default would drop a waiting request after seven days.
        self._run(queue, lambda client: client.send_message(text, visibility_timeout=delay, time_to_live=-1))

    def probe(self, queue: str) -> None:
        """Raises StorageUnavailable when the queue cannot be read."""
        self._run(queue, lambda client: client.peek_messages(1))

    def depth(self, queue: str, now: datetime) -> Depth:
        """How full a queue is. The count is the service's approximation, and includes hidden messages."""

        def look(client: QueueClient) -> Depth:
            count = client.get_queue_properties().approximate_message_count or 0
            ages = [(now - m.inserted_on).total_seconds() for m in client.peek_messages(1) if m.inserted_on]
            return Depth(count, max(ages, default=None))

        return self._run(queue, look)

    def _client(self, queue: str) -> QueueClient:
        with self._lock:
            if queue not in self._clients:
                self._clients[queue] = self._service.get_queue_client(queue)
            return self._clients[queue]

    def _run(self, queue: str, call: Callable[[QueueClient], T]) -> T:
        """Makes one call; creates the queue if the service says that it is missing."""
        client = self._client(queue)
        with storage_faults(f"queue {queue}"):
            try:
                return call(client)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):
                    client.create_queue()
                return call(client)


def encoded(text: str, encoding: str) -> str:
    """A result's text in the consumer's encoding: `base64`, which a Functions queue trigger expects, or `none`."""
    return base64.b64encode(text.encode("utf-8")).decode("ascii") if encoding == "base64" else text

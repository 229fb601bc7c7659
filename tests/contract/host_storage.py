"""The queues that one host under test uses."""

from __future__ import annotations

import uuid
from typing import Self

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

APPLICATION_INSIGHTS = (
    "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=http://127.0.0.1:9/;LiveEndpoint="
    "http://127.0.0.1:9/"
)
"""Leads nowhere; that there is one makes the host hand traces on."""


class Queues:
    """The queues `in`, `in-off`, `out` and those that the host creates, with names that no other test uses."""

    def __init__(self, connection: str) -> None:
        self._connection = connection
        self._prefix = f"t{uuid.uuid4().hex[:8]}"
        self.settings = {
            # The host lower-cases the names of queues.
            "IN": f"{self._prefix}-IN",
            "OUT": f"{self._prefix}-out",
            "Conn": connection,
            "AzureWebJobsStorage": connection,
            "AzureWebJobs.on_nothing.Disabled": "true",
            "AzureWebJobs.switched_off.Disabled": "true",
            "AzureWebJobs__still_on__Disabled": "true",
        }

    def create(self) -> Self:
        """Creates the input queues; the host creates the output and poison queues."""
        for name in ("in", "in-off"):
            with self.open(name) as queue:
                queue.create_queue()
        return self

    def open(self, name: str) -> QueueClient:
        """A client for one queue, by its short name."""
        return QueueClient.from_connection_string(self._connection, f"{self._prefix}-{name}")

    def send(self, name: str, text: str) -> None:
        """Sends a text to a queue, unencoded."""
        with self.open(name) as queue:
            queue.send_message(text)

    def texts(self, name: str) -> list[str]:
        """The visible messages of a queue as stored, without receiving them; none if the queue does not exist."""
        try:
            with self.open(name) as queue:
                return [str(message.content) for message in queue.peek_messages(32)]
        except ResourceNotFoundError:
            return []

    def count(self, name: str) -> int | None:
        """The number of messages on a queue, hidden ones included; None if the queue does not exist."""
        try:
            with self.open(name) as queue:
                return queue.get_queue_properties().approximate_message_count or 0
        except ResourceNotFoundError:
            return None

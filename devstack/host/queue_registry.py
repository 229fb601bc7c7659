"""Every queue that the app touches, and the listeners that wake when this host itself writes to one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from devstack.host.queue_storage import QueueAccount, StorageQueue


class QueueRegistry:
    """Opens queues by connection and name, and reports new messages to listeners.

    A message put by an output binding or a poison move wakes a listener of the same process at once
    (`SharedQueueWatcher` of the extension); one that the app sends through an SDK does not.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, QueueAccount] = {}
        self._queues: dict[tuple[str, str], StorageQueue] = {}
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._guard = threading.Lock()

    def queue(self, connection: str, name: str) -> StorageQueue:
        """The queue of that name on the account that the connection string leads to.

        Raises StartUpFailed for a connection string that cannot be read.
        """
        with self._guard:
            if connection not in self._accounts:
                self._accounts[connection] = QueueAccount(connection)
            if (connection, name) not in self._queues:
                self._queues[connection, name] = self._accounts[connection].queue(name)
            return self._queues[connection, name]

    def on_message(self, queue: StorageQueue, wake: Callable[[], None]) -> None:
        """Calls `wake` whenever this host adds a message to the queue."""
        self._listeners.setdefault(queue.address, []).append(wake)

    def put(self, queue: StorageQueue, text: str) -> None:
        """Adds a message unchanged and wakes the queue's listeners."""
        queue.put(text)
        for wake in self._listeners.get(queue.address, ()):
            wake()

    def close(self) -> None:
        """Closes all connections."""
        for account in self._accounts.values():
            account.close()

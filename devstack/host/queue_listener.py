"""The polling loop of one queue function."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from devstack.host.errors import QueueMissing, StorageDown
from devstack.host.host_json import QueueOptions
from devstack.host.polling import GREATEST_FACTOR, LEAST_FACTOR, empty_poll_delay
from devstack.host.queue_storage import Received, StorageQueue

_log = logging.getLogger(__name__)


class QueueListener:
    """Receives messages and starts each at once as a separate task.

    After a batch it waits only until no more than `newBatchThreshold` messages are in flight, so at most
    `batchSize + newBatchThreshold` are. It never creates its queue: a missing one counts as empty.
    """

    def __init__(
        self,
        name: str,
        queue: StorageQueue,
        options: QueueOptions,
        lease_seconds: float,
        process: Callable[[Received], None],
        on_fault: Callable[[BaseException], None],
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`on_fault` is called for faults that the real host would not survive, such as a refusal by the service."""
        self._name = name
        self._queue = queue
        self._options = options
        self._lease_seconds = lease_seconds
        self._process = process
        self._on_fault = on_fault
        self._spread = spread
        self._known_to_exist = False
        self._stopping = False
        self._wake = threading.Event()
        self._in_flight = 0
        self._changed = threading.Condition()
        self._tasks = ThreadPoolExecutor(
            options.batch_size + options.new_batch_threshold, thread_name_prefix=f"message-{name}"
        )
        self._thread = threading.Thread(target=self._run, name=f"listener-{name}", daemon=True)

    def start(self) -> None:
        """Starts polling; the first poll is immediate."""
        self._thread.start()

    def wake(self) -> None:
        """Ends the current wait, because a message was just put on the queue."""
        self._wake.set()

    def begin_stop(self) -> None:
        """Stops receiving; messages in flight go on."""
        self._stopping = True
        self._wake.set()
        with self._changed:
            self._changed.notify_all()

    @property
    def busy(self) -> bool:
        """Whether it is still polling, or a message in flight is not completed."""
        return self._thread.is_alive() or self._in_flight > 0

    def _run(self) -> None:
        empty_polls = 0
        try:
            while not self._stopping:
                self._wake.clear()  # before the poll, so that a wake-up during it is not missed
                if self._poll():
                    empty_polls = 0
                    self._wait_for_room()
                else:
                    empty_polls += 1
                    factor = self._spread(LEAST_FACTOR, GREATEST_FACTOR)
                    self._wake.wait(empty_poll_delay(empty_polls, factor, self._options.max_polling_interval_seconds))
        except BaseException as error:  # noqa: BLE001 -- handed over, never lost with its thread
            self._on_fault(error)

    def _poll(self) -> bool:
        """Receives and starts a batch; returns whether there were messages."""
        try:
            if not self._known_to_exist and not self._queue.exists():
                return False
            self._known_to_exist = True
            batch = self._queue.receive(self._options.batch_size, self._lease_seconds)
        except (QueueMissing, StorageDown) as error:
            self._known_to_exist = False
            _log.warning("poll failed function=%s: %s", self._name, error)
            return False
        for received in batch:
            self._launch(received)
        return bool(batch)

    def _launch(self, received: Received) -> None:
        with self._changed:
            self._in_flight += 1
        self._tasks.submit(self._complete, received)

    def _complete(self, received: Received) -> None:
        try:
            self._process(received)
        except StorageDown as error:
            # Not completed: the message comes back when its invisibility ends.
            _log.error("completing failed message_id=%s: %s", received.properties.message_id, error)
        except BaseException as error:  # noqa: BLE001 -- handed over, never lost with its thread
            self._on_fault(error)
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def _wait_for_room(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._in_flight <= self._options.new_batch_threshold)

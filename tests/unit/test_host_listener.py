"""The polling loop of one queue function, on a scripted queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from devstack.host.errors import StorageDown, StorageRefused
from devstack.host.exchange import MessageProperties
from devstack.host.host_json import QueueOptions
from devstack.host.queue_delivery import Lease
from devstack.host.queue_listener import QueueListener
from devstack.host.queue_storage import Received, StorageQueue

AT = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
HOUR = 3600.0
SLOW = QueueOptions(max_polling_interval_seconds=HOUR)
_SECONDS = 120.0


def message(text: str) -> Received:
    """A delivery of a message."""
    return Received(text, MessageProperties(text, "receipt", 1, inserted=AT, expires=AT, next_visible=AT))


class ScriptedQueue:
    """A queue in memory that fails as told and counts its polls."""

    def __init__(self, *texts: str) -> None:
        self.exists_now = True
        self.faults: list[Exception] = []
        self.polls = threading.Semaphore(0)
        self._messages = [message(text) for text in texts]
        self._guard = threading.Lock()

    def add(self, text: str) -> None:
        """Puts a message on the queue."""
        with self._guard:
            self._messages.append(message(text))

    def exists(self) -> bool:
        """Counts as a poll while there is no queue."""
        if not self.exists_now:
            self.polls.release()
        return self.exists_now

    def receive(self, count: int, invisible_seconds: float) -> list[Received]:
        """Takes up to `count` messages."""
        self.polls.release()
        if self.faults:
            raise self.faults.pop(0)
        with self._guard:
            batch, self._messages = self._messages[:count], self._messages[count:]
        return batch


@contextmanager
def listening(
    queue: ScriptedQueue,
    process: Callable[[Received], None],
    *,
    options: QueueOptions = SLOW,
    on_fault: Callable[[BaseException], None] = lambda _: None,
) -> Iterator[QueueListener]:
    """A running listener whose polling delays, after the first, are as long as possible."""
    storage = cast("StorageQueue", queue)
    listener = QueueListener("f", storage, options, 600, process, on_fault, spread=lambda *_: 1e9)
    listener.start()
    yield listener
    listener.begin_stop()
    end = time.monotonic() + _SECONDS
    while listener.busy and time.monotonic() < end:
        time.sleep(0.01)
    assert not listener.busy


def polled(queue: ScriptedQueue, times: int) -> bool:
    """Waits until the queue has been polled that often; False if it takes too long."""
    return all(queue.polls.acquire(timeout=_SECONDS) for _ in range(times))


def test_a_message_that_this_host_put_wakes_the_listener_at_once() -> None:
    """A message sent by this host ends the listener's back-off, however long it is."""
    queue, done = ScriptedQueue(), threading.Event()
    with listening(queue, lambda _: done.set()) as listener:
        assert polled(queue, 2)  # the next poll is an hour away
        queue.add("m")
        listener.wake()
        assert done.wait(_SECONDS)


def test_no_more_messages_are_in_flight_than_batch_and_threshold_allow() -> None:
    """A new batch is received only when at most newBatchThreshold messages are still running."""
    queue = ScriptedQueue(*"abcdefg")
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def process(_: Received) -> None:
        begun.release()
        go_on.acquire(timeout=_SECONDS)

    options = QueueOptions(batch_size=2, new_batch_threshold=1, max_polling_interval_seconds=HOUR)
    with listening(queue, process, options=options):
        assert all(begun.acquire(timeout=_SECONDS) for _ in range(2))
        assert not begun.acquire(timeout=0.1), "two in flight are more than the threshold"
        go_on.release()
        assert all(begun.acquire(timeout=_SECONDS) for _ in range(2))
        assert not begun.acquire(timeout=0.1)
        go_on.release(20)
        assert all(begun.acquire(timeout=_SECONDS) for _ in range(3))


def test_a_queue_that_is_not_there_yet_counts_as_empty() -> None:
    """A missing queue counts as empty, and its messages are found once it exists."""
    queue, done = ScriptedQueue("m"), threading.Event()
    queue.exists_now = False
    with listening(queue, lambda _: done.set()) as listener:
        assert polled(queue, 2)
        queue.exists_now = True
        listener.wake()
        assert done.wait(_SECONDS)


def test_storage_that_is_down_is_waited_out() -> None:
    """After a failed poll, the listener polls again."""
    queue, done = ScriptedQueue("m"), threading.Event()
    queue.faults = [StorageDown("HTTP 503")]
    with listening(queue, lambda _: done.set()):
        assert done.wait(_SECONDS)


@pytest.mark.parametrize("where", ["receiving", "completing"])
def test_a_refusal_by_storage_is_handed_over(where: str) -> None:
    """A refusal by storage, in a poll or in completing a message, is passed on to the host."""
    queue, seen, told = ScriptedQueue("m"), list[BaseException](), threading.Event()
    refusal = StorageRefused("HTTP 403")

    def process(_: Received) -> None:
        raise refusal

    def on_fault(error: BaseException) -> None:
        seen.append(error)
        told.set()

    if where == "receiving":
        queue.faults = [refusal]
    with listening(queue, process, on_fault=on_fault):
        assert told.wait(_SECONDS)
    assert seen == [refusal]


class ReceiptQueue:
    """Hands out receipts r1, r2 and so on, and records the calls that use them."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def hide(self, message_id: str, receipt: str, seconds: float) -> str:
        """Returns a new receipt."""
        self.asked.append(("hide", receipt, seconds))
        return f"r{len(self.asked)}"

    def delete(self, message_id: str, receipt: str) -> None:
        """Records the receipt."""
        self.asked.append(("delete", receipt))


def test_a_message_is_completed_with_the_receipt_of_its_latest_renewal() -> None:
    """Each renewal and the deletion use the receipt of the latest renewal."""
    queue = ReceiptQueue()
    lease = Lease(cast("StorageQueue", queue), "m", "r0", 600)
    lease.renew()
    lease.renew()
    lease.delete()
    assert queue.asked == [("hide", "r0", 600), ("hide", "r1", 600), ("delete", "r2")]

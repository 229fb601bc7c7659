"""Sends messages while they are processed, and waits for the last of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from azure.storage.queue import QueueClient

from bench.rig import Rig

SHORT = 200
"""The most messages left waiting: the emulator receives and deletes more slowly from a longer queue."""
LOOK_SECONDS = 0.1
MOST_RESULTS = 1_500


@dataclass
class Drain:
    """Empties the result queue now and then, because a queue that only grows makes the emulator slow."""

    results: QueueClient

    def look(self) -> None:
        """Empties the result queue if it has grown long."""
        if _length(self.results) > MOST_RESULTS:
            self.results.clear_messages()


def feed_until_done(rig: Rig, bodies: list[str], seconds: float, on_look: Callable[[int], None] | None = None) -> float:
    """Sends all bodies to the request queue, a few at a time; returns with the time when the last one is done.

    A message is done when the host has deleted it, which it does once the message's results are sent.
    `on_look` is called with the number that is left. Raises TimeoutError.
    """
    queue = rig.queues().get_queue_client(rig.env["REQUEST_QUEUE_NAME"])
    drain = Drain(rig.queues().get_queue_client(rig.env["RESULT_QUEUE_NAME"]))
    left = list(reversed(bodies))
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        while True:
            waiting = _length(queue)
            if on_look:
                on_look(len(left) + waiting)
            if not left and not waiting:
                return time.monotonic() - began
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{len(left) + waiting} of {len(bodies)} messages were left after {seconds:g} s")
            batch = [left.pop() for _ in range(min(len(left), SHORT - waiting))]
            list(pool.map(queue.send_message, batch))
            drain.look()
            time.sleep(LOOK_SECONDS)


def wait_until_empty(rig: Rig, seconds: float, on_look: Callable[[], None] | None = None) -> None:
    """Returns when both input queues are empty, hidden messages included. Raises TimeoutError."""
    # In this order: a clean-up's step is on its queue until what it asks for is on the other one.
    names = (rig.env["JOB_COMPLETION_QUEUE_NAME"], rig.env["REQUEST_QUEUE_NAME"])
    queues = [rig.queues().get_queue_client(name) for name in names]
    drain = Drain(rig.queues().get_queue_client(rig.env["RESULT_QUEUE_NAME"]))
    deadline = time.monotonic() + seconds
    while any(_length(queue) for queue in queues):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the input queues were not empty after {seconds:g} s")
        if on_look:
            on_look()
        drain.look()
        time.sleep(LOOK_SECONDS)


def _length(queue: QueueClient) -> int:
    """The number of messages in the queue, hidden ones included."""
    return queue.get_queue_properties().approximate_message_count or 0

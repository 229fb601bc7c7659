"""In-memory queues, and a host that delivers their messages as the Functions host does.

When a message is run again, put off or moved to its poison queue is decided by the rules and figures of the local host.
"""

from __future__ import annotations

import json
import math
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from devstack.host.app_host import HostArguments
from devstack.host.dequeue_rules import AfterFailure, Before, after_failure, before_attempt, poison_queue_of
from devstack.host.host_json import host_options, without_comments
from shared.ledger.work import MAX_MESSAGE_BYTES
from shared.storage.queues import MAX_DELAY_SECONDS, Depth
from tests.fakes.clock import FakeClock
from tests.fakes.passage import Passage, storage

_HOST_JSON = Path(__file__).resolve().parents[2] / "host.json"
OPTIONS = host_options(json.loads(without_comments(_HOST_JSON.read_text(encoding="utf-8")))).queues


@dataclass
class Message:
    """A message on a queue."""

    id: str
    text: str
    inserted_at: datetime
    visible_at: datetime
    dequeue_count: int = 0


class MemoryQueues(defaultdict[str, list[Message]]):
    """The messages of each queue, hidden ones included, in the order in which they were added."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(list)
        self._clock = clock

    def put(self, queue: str, text: str, delay_seconds: float = 0) -> None:
        """Adds a message."""
        assert len(text.encode()) <= MAX_MESSAGE_BYTES, "the queue service refuses longer messages"
        now = self._clock.now()
        delay = timedelta(seconds=min(MAX_DELAY_SECONDS, max(0, math.ceil(delay_seconds))))
        self[queue].append(Message(str(uuid.uuid4()), text, now, now + delay))

    def depth(self, queue: str, now: datetime) -> Depth:
        """The depth of a queue."""
        visible = [message.inserted_at for message in self[queue] if message.visible_at <= now]
        return Depth(len(self[queue]), max(((now - at).total_seconds() for at in visible), default=0.0))

    def visible(self, *queues: str) -> list[tuple[str, Message]]:
        """The messages that can be received now, each with its queue."""
        now = self._clock.now()
        return [(queue, message) for queue in queues for message in self[queue] if message.visible_at <= now]

    def receive(self, message: Message) -> int:
        """Hides a message; returns the receipt by which its receiver may remove it."""
        message.dequeue_count += 1
        message.visible_at = self._clock.now() + timedelta(seconds=HostArguments.lease_seconds)
        return message.dequeue_count

    def holds(self, queue: str, message: Message, receipt: int) -> bool:
        """Whether a receipt is still valid, which it is not once the message has been received again."""
        return message in self[queue] and message.dequeue_count == receipt

    def remove(self, queue: str, message: Message, receipt: int) -> None:
        """Removes a message if the receipt is still valid."""
        if self.holds(queue, message, receipt):
            self[queue].remove(message)


class QueueHost:
    """Delivers messages to functions."""

    def __init__(self, queues: MemoryQueues, clock: FakeClock, passage: Passage) -> None:
        self._queues = queues
        self._clock = clock
        self._passage = passage
        self.leaves_originals = False
        """Whether it dies between copying a message to its poison queue and removing it."""

    def deliver(self, queue: str, message: Message, run: Callable[[Message], None]) -> None:
        """Delivers a message; an exception of the function is raised once the message is put off or poisoned."""
        receipt = self._queues.receive(message)
        count, limit, has_poison_queue = receipt, OPTIONS.max_dequeue_count, poison_queue_of(queue) is not None
        if before_attempt(count, limit, has_poison_queue=has_poison_queue) is Before.POISON:
            self._poison(queue, message)
            return
        try:
            run(message)
        except Exception:
            if self._queues.holds(queue, message, receipt):
                self._failed(queue, message, after_failure(count, limit, has_poison_queue=has_poison_queue))
            raise
        self._passage(storage("host removes", lambda: self._queues.remove(queue, message, receipt)))

    def _failed(self, queue: str, message: Message, what_then: AfterFailure) -> None:
        if what_then is AfterFailure.POISON:
            self._poison(queue, message)
        elif what_then is AfterFailure.RELEASE:
            message.visible_at = self._clock.now() + timedelta(seconds=OPTIONS.visibility_timeout_seconds)

    def _poison(self, queue: str, message: Message) -> None:
        now = self._clock.now()
        copy = replace(message, id=str(uuid.uuid4()), dequeue_count=0, inserted_at=now, visible_at=now)
        self._queues[str(poison_queue_of(queue))].append(copy)
        if not self.leaves_originals:
            self._queues[queue].remove(message)

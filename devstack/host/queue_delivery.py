"""One message from receipt to completion: run, renew, then delete, release or move to poison."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from devstack.host.bindings import IndexedFunction, QueueTrigger
from devstack.host.dequeue_rules import AfterFailure, Before, after_failure, before_attempt, poison_queue_of
from devstack.host.errors import DeliveryLost, QueueMissing
from devstack.host.exchange import Invocation, QueueInput, TraceContext
from devstack.host.host_json import QueueOptions
from devstack.host.invoker import Invoker, Renewal
from devstack.host.queue_registry import QueueRegistry
from devstack.host.queue_storage import Received, StorageQueue

_log = logging.getLogger(__name__)


class Lease:
    """The hold on one received message: its latest pop receipt.

    Each renewal makes the earlier receipt useless; a deletion with the first one would fail, and the run be repeated.
    """

    def __init__(self, queue: StorageQueue, message_id: str, receipt: str, seconds: float) -> None:
        self._queue = queue
        self._message_id = message_id
        self._receipt = receipt
        self._seconds = seconds
        self._lost = False

    def renew(self) -> None:
        """Keeps the message invisible for another term; does nothing once the hold is lost."""
        if self._lost:
            return
        try:
            self._receipt = self._queue.hide(self._message_id, self._receipt, self._seconds)
        except (DeliveryLost, QueueMissing) as error:
            self._lost = True
            _log.debug("renewal stopped message_id=%s: %s", self._message_id, error)

    def release(self, seconds: float) -> None:
        """Makes the message visible after `seconds`."""
        with contextlib.suppress(DeliveryLost, QueueMissing):
            self._queue.hide(self._message_id, self._receipt, seconds)

    def delete(self) -> None:
        """Deletes the message. As in the real host, it is no error if another delivery holds or has deleted it."""
        with contextlib.suppress(DeliveryLost, QueueMissing):
            self._queue.delete(self._message_id, self._receipt)


class DeliveryProcessor:
    """Takes the messages of one queue function through their attempts."""

    def __init__(
        self,
        function: IndexedFunction,
        trigger: QueueTrigger,
        invoker: Invoker,
        queues: QueueRegistry,
        options: QueueOptions,
        lease_seconds: float,
        new_trace: Callable[[], TraceContext],
    ) -> None:
        self._function = function
        self._trigger = trigger
        self._invoker = invoker
        self._queues = queues
        self._options = options
        self._lease_seconds = lease_seconds
        self._new_trace = new_trace
        self._queue = queues.queue(trigger.connection, trigger.queue)
        poison = poison_queue_of(trigger.queue)
        self._poison = queues.queue(trigger.connection, poison) if poison else None

    def process(self, received: Received) -> None:
        """Runs one attempt on the message and completes it. Raises StorageFault when completing failed."""
        properties = received.properties
        lease = Lease(self._queue, properties.message_id, properties.pop_receipt, self._lease_seconds)
        decision = before_attempt(
            properties.dequeue_count, self._options.max_dequeue_count, has_poison_queue=self._poison is not None
        )
        if decision is Before.POISON:
            self._move_to_poison(received, lease)
            return
        invocation = Invocation(self._function, QueueInput(received.text.encode(), properties), self._new_trace())
        if self._invoker.run(invocation, Renewal(self._lease_seconds / 2, lease.renew)).succeeded:
            lease.delete()
        else:
            self._complete_failure(received, lease)

    def _complete_failure(self, received: Received, lease: Lease) -> None:
        decision = after_failure(
            received.properties.dequeue_count,
            self._options.max_dequeue_count,
            has_poison_queue=self._poison is not None,
        )
        if decision is AfterFailure.POISON:
            self._move_to_poison(received, lease)
        elif decision is AfterFailure.RELEASE:
            lease.release(self._options.visibility_timeout_seconds)

    def _move_to_poison(self, received: Received, lease: Lease) -> None:
        """Copy, then delete: a crash between the two leaves both, never none."""
        if self._poison is None:
            return
        _log.warning(
            "message has reached MaxDequeueCount of %d, moving it message_id=%s queue=%s",
            *(self._options.max_dequeue_count, received.properties.message_id, self._poison.name),
        )
        self._queues.put(self._poison, received.text)
        lease.delete()

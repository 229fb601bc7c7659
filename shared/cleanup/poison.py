"""Clean-up messages that the host gave up: each event gets its end, a dead letter and a closing event."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.cleanup import state
from shared.cleanup.closing import CleanupCloser
from shared.cleanup.message import Refusal, Step, TaskStep, read_cleanup_message
from shared.cleanup.single_task import SingleTask
from shared.cleanup.state import StepDecision
from shared.cleanup.store import CleanupStore
from shared.clock import Clock
from shared.deletion.delivery import Delivery
from shared.deletion.guard import Guard
from shared.deletion.poison import GIVEN_UP
from shared.errors import StorageUnavailable
from shared.ledger.record import Outcome
from shared.storage.queues import Sender

log = logging.getLogger(__name__)

MAX_READS = 3


@dataclass(frozen=True)
class CleanupPoison:
    """Ends clean-ups whose message the host gave up. Raises StorageUnavailable alone."""

    accounts: tuple[str, ...]
    cleanups: CleanupStore
    closer: CleanupCloser
    single_task: SingleTask
    guard: Guard
    sender: Sender
    result_queue: str
    clock: Clock

    def deliver(self, delivery: Delivery) -> None:
        """Records and sends the end of the clean-up in the message."""
        for text in self._texts(delivery):
            self.sender.send(self.result_queue, text)

    def _texts(self, delivery: Delivery) -> list[str]:
        message = read_cleanup_message(delivery, self.accounts, self.clock.now())
        if isinstance(message, Refusal):
            return [self.closer.refuse(message, delivery)]
        if isinstance(message, TaskStep):
            return self.single_task.give_up(message, delivery)
        return self._end(message, delivery)

    def _end(self, step: Step, delivery: Delivery) -> list[str]:
        for _ in range(MAX_READS):
            found = self.cleanups.read(step.event.event_id, dry_run=step.event.dry_run)
            decision = state.on_poison(found, step.payload_hash, step.number)
            if decision is StepDecision.CONFLICT:
                return [self.closer.refuse_id(step, delivery)]
            if decision is StepDecision.CLOSE_AGAIN and found:
                return [self.closer.close(found, delivery)]
            if decision is StepDecision.SKIP:
                log.info("duplicate_step event_id=%s step=%s", step.event.event_id, step.number)
                return []
            cleanup, now = found or step.begun(), self.clock.now()
            late = None if found else self.guard.lateness("event", cleanup.accepted_at, now)
            outcome = Outcome.EXPIRED if late else Outcome.EXHAUSTED
            ended = state.ended(cleanup, outcome, late or cleanup.error or GIVEN_UP, now)
            written = self.cleanups.write(found, state.step_done(ended, step.number, delivery.message_id), now)
            if written:
                return [self.closer.close(written, delivery)]
        raise StorageUnavailable(f"clean-up {step.event.event_id} changed under {MAX_READS} reads")

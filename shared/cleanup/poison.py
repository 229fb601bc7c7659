"""Clean-up messages that the host gave up: ends the clean-up, with a dead letter and a closing event."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from shared.cleanup import state
from shared.cleanup.closing import CleanupCloser
from shared.cleanup.entity import cleanup_key
from shared.cleanup.message import Refusal, Step, TaskStep, read_cleanup_message
from shared.cleanup.record import Cleanup
from shared.cleanup.single_task import SingleTask
from shared.cleanup.state import StepDecision
from shared.cleanup.store import CleanupStore
from shared.clock import Clock
from shared.deletion.delivery import Delivery
from shared.deletion.poison import GIVEN_UP
from shared.deletion.vetoes import Vetoes
from shared.errors import CorruptRecord, StorageUnavailable
from shared.ledger.record import Outcome
from shared.ledger.store import CORRUPT
from shared.results.queue import ResultQueue

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CleanupPoison:
    """Ends clean-ups whose message the host gave up. Raises only StorageUnavailable."""

    accounts: tuple[str, ...]
    cleanups: CleanupStore
    closer: CleanupCloser
    single_task: SingleTask
    vetoes: Vetoes
    results: ResultQueue
    clock: Clock

    def deliver(self, delivery: Delivery) -> None:
        """Ends the clean-up of a message and publishes its closing event."""
        self.results.send(self._texts(delivery))

    def _texts(self, delivery: Delivery) -> list[str]:
        message = read_cleanup_message(delivery, self.accounts, self.clock.now())
        if isinstance(message, Refusal):
            return [self.closer.refuse(message, delivery)]
        if isinstance(message, TaskStep):
            return self.single_task.give_up(message, delivery)
        return self._end(message, delivery)

    def _end(self, step: Step, delivery: Delivery) -> list[str]:
        event = step.event
        try:
            settled = self.cleanups.settle(
                event.event_id, lambda found: self._decide(found, step, delivery.message_id), dry_run=event.dry_run
            )
        except CorruptRecord as fault:
            log.exception("corrupt_record row=%s", cleanup_key(event.event_id, dry_run=event.dry_run)[1])
            return [self.closer.close(self._overwritten(step, delivery.message_id, fault.etag), delivery)]
        if settled.decision is StepDecision.CONFLICT:
            return [self.closer.refuse_id(step, delivery)]
        if settled.decision is StepDecision.SKIP:
            log.info("duplicate_step event_id=%s step=%s", event.event_id, step.number)
            return []
        return [self.closer.close(settled.row, delivery)]

    def _overwritten(self, step: Step, message_id: str, etag: str | None) -> Cleanup:
        """Ends a clean-up whose row cannot be read, by overwriting the row."""
        begun, now = replace(step.begun(), etag=etag), self.clock.now()
        ended = state.step_done(state.ended(begun, Outcome.EXHAUSTED, CORRUPT, now), step.number, message_id)
        written = self.cleanups.write(begun, ended, now)
        if written is None:
            raise StorageUnavailable(f"clean-up {step.event.event_id} changed under the read")
        return written

    def _decide(self, found: Cleanup | None, step: Step, message_id: str) -> tuple[StepDecision, Cleanup | None]:
        decision = state.on_poison(found, step.payload_hash, step.number)
        if decision is not StepDecision.END:
            return decision, None
        cleanup, now = found or step.begun(), self.clock.now()
        late = None if found else self.vetoes.of_age("event", cleanup.accepted_at, now)
        outcome = Outcome.EXPIRED if late else Outcome.EXHAUSTED
        ended = state.ended(cleanup, outcome, late or cleanup.error or GIVEN_UP, now)
        return decision, state.step_done(ended, step.number, message_id)

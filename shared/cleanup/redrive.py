"""Redrives a clean-up's dead letter: starts a new generation, which lists the job from the beginning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shared.cleanup.closing_event import closing_event
from shared.cleanup.message import Step, TaskStep, read_again
from shared.cleanup.queue import CleanupQueue
from shared.cleanup.record import Cleanup, Phase
from shared.cleanup.store import CleanupStore
from shared.clock import Clock
from shared.errors import InvalidInput
from shared.ledger.record import Outcome
from shared.request.model import with_default
from shared.results.dead_letter import DeadLetter


@dataclass(frozen=True)
class CleanupRedrive:
    """Redrives clean-ups. Raises StorageUnavailable."""

    accounts: tuple[str, ...]
    clock: Clock
    cleanups: CleanupStore
    queue: CleanupQueue

    def redrive(self, letter: DeadLetter, delay_seconds: float) -> bool:
        """Redrives a dead letter's event. False if the event has been redriven or submitted again since.

        Raises InvalidInput if the current settings forbid the event.
        """
        if letter.task_id is not None:
            return self._redrive_task(letter, delay_seconds)
        settled = self.cleanups.settle(
            letter.client_request_id or "", lambda found: self._decide(found, letter), dry_run=letter.dry_run
        )
        if settled.decision:
            self.queue.send(Step.next_of(settled.row, None), delay_seconds)
        return settled.decision

    def _decide(self, found: Cleanup | None, letter: DeadLetter) -> tuple[bool, Cleanup | None]:
        """Whether to send a message, and the row of the next generation unless it has been written already."""
        if found and found.generation > letter.generation:
            # The call that wrote this row may have died before it sent the message.
            return found.phase is Phase.WAITING and found.step_message is None, None
        if found and not (_is_failed(found) and _is_end_of(found, letter)):
            # The row is not the one of this dead letter: the event was purged, submitted again, and ended differently.
            return False, None
        return True, self._next_generation(found, letter, self.clock.now())

    def _next_generation(self, found: Cleanup | None, letter: DeadLetter, now: datetime) -> Cleanup:
        """The row of the next generation. Its step number is unused, because a message of the last may still be queued."""
        base = found or self._from_body(letter, now)
        if base.event.batch_url not in self.accounts:
            raise InvalidInput.at("/batchUrl", "must be one of the Batch accounts in BATCH_ACCOUNT_URLS")
        return Cleanup(
            event=base.event,
            payload_hash=base.payload_hash,
            accepted_at=now,
            generation=letter.generation + 1,
            step=base.step + 1,
            with_rows=True,
            place=base.place,
        )

    def _from_body(self, letter: DeadLetter, now: datetime) -> Cleanup:
        """The event from the dead letter's body, for when the row was purged."""
        step = read_again(letter.body, with_default(self.accounts, letter.batch_url), now)
        if not isinstance(step, Step):
            raise InvalidInput.at("", "is about one task")
        return replace(step.begun(), step=step.number + 1)

    def _redrive_task(self, letter: DeadLetter, delay_seconds: float) -> bool:
        """Sends a message of the next generation, which reads the task of a diagnostic record again."""
        now = self.clock.now()
        step = read_again(letter.body, self.accounts, now)
        if not isinstance(step, TaskStep):
            raise InvalidInput.at("", "must be a diagnostic record about one task")
        self.queue.send(replace(step, accepted_at=now, attempts=0, generation=letter.generation + 1), delay_seconds)
        return True


def _is_failed(cleanup: Cleanup) -> bool:
    """Failed, and not cancelled afterwards."""
    return cleanup.phase is Phase.FAILED and cleanup.cancelled_at is None


def _is_end_of(cleanup: Cleanup, letter: DeadLetter) -> bool:
    """Whether a clean-up's end is that of the dead letter, or the row only records a late copy, after a purge."""
    late_copy = cleanup.outcome is Outcome.EXPIRED and cleanup.event.job_id.lower() == (letter.job_id or "").lower()
    return late_copy or closing_event(cleanup)["id"] == letter.id

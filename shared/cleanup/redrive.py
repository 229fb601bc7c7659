"""Putting a clean-up's dead letter back: a new generation of the event, listed from its beginning."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from shared.cleanup.closing_event import closing_event
from shared.cleanup.message import Step, read_step, write_step
from shared.cleanup.record import Cleanup, CleanupStore, Phase
from shared.clock import Clock
from shared.errors import InvalidInput, StorageUnavailable
from shared.ledger.record import Outcome
from shared.results.dead_letters import DeadLetter
from shared.settings import Settings
from shared.storage.queues import Sender

MAX_READS = 5


class CleanupRedrive:
    """Begins clean-ups anew. Raises StorageUnavailable."""

    def __init__(self, settings: Settings, clock: Clock, cleanups: CleanupStore, sender: Sender) -> None:
        self._settings = settings
        self._clock = clock
        self._cleanups = cleanups
        self._sender = sender

    def put_back(self, letter: DeadLetter, delay_seconds: float) -> bool:
        """Whether the event behind a dead letter was put back by this call; False when it went its way already.

        Raises InvalidInput when today's settings forbid the event.
        """
        for _ in range(MAX_READS):
            found, now = self._cleanups.read(letter.client_request_id or "", dry_run=letter.dry_run), self._clock.now()
            if found and found.generation > letter.generation:
                # The call that wrote this may have died before its message went out.
                return found.phase is Phase.WAITING and not found.step_message and self._send(found, delay_seconds)
            if found and not (found.phase is Phase.FAILED and _is_end_of(found, letter)):
                # The dead letter outlived its row: the event was sent anew, and did not end in this way.
                return False
            written = self._cleanups.write(found, self._anew(found, letter, now), now)
            if written:
                return self._send(written, delay_seconds)
        raise StorageUnavailable(f"clean-up {letter.client_request_id} changed under {MAX_READS} reads")

    def _anew(self, found: Cleanup | None, letter: DeadLetter, now: datetime) -> Cleanup:
        """The next generation. Its first step has a number that no message has: one of the last may still be out."""
        base = found or self._from_body(letter, now)
        if base.event.batch_url not in self._settings.batch_accounts:
            raise InvalidInput.at("/batchUrl", "must be one of the Batch accounts that this app is set up for")
        return Cleanup(
            event=base.event,
            payload_hash=base.payload_hash,
            accepted_at=now,
            generation=letter.generation + 1,
            step=base.step + 1,
        )

    def _from_body(self, letter: DeadLetter, now: datetime) -> Cleanup:
        """The event from the dead letter's body, when the row was purged."""
        step: Step = read_step(letter.body, self._settings, now)
        return replace(step.cleanup, step=step.number + 1)

    def _send(self, cleanup: Cleanup, delay_seconds: float) -> bool:
        self._sender.send(self._settings.job_completion_queue, write_step(cleanup, None), delay_seconds)
        return True


def _is_end_of(cleanup: Cleanup, letter: DeadLetter) -> bool:
    """Whether a clean-up ended as the dead letter tells, or is but what a late copy left after its purge."""
    late_copy = cleanup.outcome == Outcome.EXPIRED and cleanup.event.job_id.lower() == (letter.job_id or "").lower()
    return late_copy or closing_event(cleanup)["id"] == letter.id

"""Closes a clean-up: writes a dead letter if it failed, then makes the text of its closing event."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.batch.reply import ErrorBody
from shared.cleanup.closing_event import closing_event, refusal_event
from shared.cleanup.event import PartialEvent
from shared.cleanup.message import Refusal, Step
from shared.cleanup.record import Cleanup
from shared.clock import Clock
from shared.deletion.delivery import Delivery
from shared.ledger.record import DEAD_LETTERED, Outcome
from shared.results.dead_letter import DeadLetter
from shared.results.dead_letters import DeadLetterStore
from shared.results.event import Event, event_text
from shared.results.result import ID_CONFLICT, invalid_request
from shared.settings import POISON_SUFFIX
from shared.storage.queues import encoded

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CleanupCloser:
    """Makes the closing events of clean-ups. Every method may raise StorageUnavailable."""

    letters: DeadLetterStore
    default_account: str
    result_encoding: str
    clock: Clock

    def close(self, cleanup: Cleanup, delivery: Delivery) -> str:
        """The encoded closing event of a clean-up that has ended; writes its dead letter first, if it needs one."""
        event = closing_event(cleanup)
        if cleanup.outcome in DEAD_LETTERED:
            self._keep(event, cleanup.outcome, cleanup.error, delivery, cleanup)
        return self._text(event, cleanup.outcome, cleanup.event.event_id)

    def close_quietly(self, cleanup: Cleanup) -> str:
        """The encoded closing event of a clean-up whose end leaves no dead letter."""
        return self._text(closing_event(cleanup), cleanup.outcome, cleanup.event.event_id)

    def refuse(self, refusal: Refusal, delivery: Delivery) -> str:
        """The encoded closing event for an invalid message."""
        return self._reject(delivery, invalid_request(refusal.fault.problems, refusal.fault.code), refusal.partial)

    def refuse_id(self, step: Step, delivery: Delivery) -> str:
        """The encoded closing event for an event whose id is already used for another payload."""
        event = step.event
        partial = PartialEvent(event.event_id, event.job_id, event.batch_url, event.dry_run)
        return self._reject(delivery, ID_CONFLICT, partial)

    def _reject(self, delivery: Delivery, error: ErrorBody, partial: PartialEvent) -> str:
        event = refusal_event(delivery.body, error, partial, self.default_account, self.clock.now())
        self._keep(event, Outcome.REJECTED, error, delivery)
        return self._text(event, Outcome.REJECTED, partial.event_id)

    def _keep(
        self,
        event: Event,
        outcome: Outcome,
        error: ErrorBody | None,
        delivery: Delivery,
        cleanup: Cleanup | None = None,
    ) -> None:
        now = self.clock.now()
        self.letters.keep(
            DeadLetter(
                id=event["id"],
                reason=error.code if error else outcome.value,
                outcome=outcome.value,
                queue=delivery.queue.removesuffix(POISON_SUFFIX),
                first_seen_at=cleanup.ended_at if cleanup and cleanup.ended_at else now,
                last_seen_at=now,
                client_request_id=event["data"]["eventId"],
                job_id=event["data"]["jobId"],
                batch_url=event["data"]["batchUrl"],
                dry_run=event["data"].get("dryRun", False),
                attempts=cleanup.attempts if cleanup else 0,
                generation=cleanup.generation if cleanup else 0,
                error=error,
                body=delivery.body,
            )
        )

    def _text(self, event: Event, outcome: Outcome | None, event_id: str | None) -> str:
        log.info("cleanup outcome=%s event_id=%s result_id=%s", outcome or "listed", event_id, event["id"])
        return encoded(event_text(event), self.result_encoding)

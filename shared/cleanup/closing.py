"""Closing a clean-up: the dead letter where it failed, then the text of its event."""

from __future__ import annotations

import logging

from shared.batch.reply import BatchError
from shared.cleanup.closing_event import closing_event, refusal_event
from shared.cleanup.event import PartialEvent
from shared.cleanup.message import Refused
from shared.cleanup.record import Cleanup
from shared.clock import Clock
from shared.deletion.delivery import Delivery
from shared.ledger.record import DEAD_LETTERED, Outcome
from shared.results.dead_letters import DeadLetter, DeadLetterStore
from shared.results.event import Event, event_text
from shared.results.result import ID_CONFLICT, invalid_request
from shared.settings import POISON_SUFFIX, Settings
from shared.storage.queues import encoded

log = logging.getLogger(__name__)


class CleanupCloser:
    """Makes the events that close clean-ups. Every method may raise StorageUnavailable."""

    def __init__(self, letters: DeadLetterStore, settings: Settings, clock: Clock) -> None:
        self._letters = letters
        self._settings = settings
        self._clock = clock

    def close(self, cleanup: Cleanup, delivery: Delivery) -> str:
        """The encoded event of a clean-up that has ended."""
        event = closing_event(cleanup)
        if cleanup.outcome in DEAD_LETTERED:
            self._keep(event, cleanup.outcome, cleanup.error, delivery, cleanup)
        return self._text(event, cleanup.outcome or "listed", cleanup.event.event_id)

    def refuse(self, refused: Refused, delivery: Delivery) -> str:
        """The encoded event for a message that is no valid event."""
        return self._reject(delivery, invalid_request(refused.fault.problems, refused.fault.code), refused.partial)

    def conflict(self, wanted: Cleanup, delivery: Delivery) -> str:
        """The encoded event for an id that was used with another wish."""
        event = wanted.event
        return self._reject(delivery, ID_CONFLICT, PartialEvent(event.event_id, event.job_id, event.batch_url))

    def _reject(self, delivery: Delivery, error: BatchError, partial: PartialEvent) -> str:
        default = self._settings.batch_accounts[0]
        event = refusal_event(delivery.body, error, partial, default, self._clock.now())
        self._keep(event, Outcome.REJECTED.value, error, delivery)
        return self._text(event, Outcome.REJECTED.value, partial.event_id)

    def _keep(
        self, event: Event, outcome: str, error: BatchError | None, delivery: Delivery, cleanup: Cleanup | None = None
    ) -> None:
        now = self._clock.now()
        self._letters.keep(
            DeadLetter(
                id=event["id"],
                reason=error.code if error else outcome,
                outcome=outcome,
                queue=delivery.queue.removesuffix(POISON_SUFFIX),
                first_seen_at=cleanup.ended_at if cleanup and cleanup.ended_at else now,
                last_seen_at=now,
                client_request_id=event["data"]["eventId"],
                job_id=event["data"]["jobId"],
                dry_run=cleanup.event.dry_run if cleanup else False,
                attempts=cleanup.attempts if cleanup else 0,
                generation=cleanup.generation if cleanup else 0,
                error=error,
                body=delivery.body,
            )
        )

    def _text(self, event: Event, outcome: str, event_id: str | None) -> str:
        log.info("cleanup outcome=%s event_id=%s result_id=%s", outcome, event_id, event["id"])
        return encoded(event_text(event), self._settings.result_encoding)

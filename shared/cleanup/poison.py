"""Clean-up messages that the host gave up: each event gets its end, a dead letter and a closing event."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from shared.cleanup.closing import CleanupCloser
from shared.cleanup.message import Refused, Step, read_cleanup_message
from shared.cleanup.record import CleanupStore, Phase, Place, place_of
from shared.clock import Clock
from shared.deletion.acceptance import Acceptor
from shared.deletion.delivery import Delivery
from shared.deletion.guard import Guard
from shared.deletion.poison import GIVEN_UP
from shared.errors import StorageUnavailable
from shared.ledger.record import Origin, Outcome
from shared.request.model import DeletionRequest
from shared.settings import Settings
from shared.storage.queues import Sender

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CleanupPoisonParts:
    """What the poison service is put together from."""

    settings: Settings
    clock: Clock
    cleanups: CleanupStore
    acceptor: Acceptor
    closer: CleanupCloser
    sender: Sender
    guard: Guard


class CleanupPoison:
    """Ends clean-ups whose message the host gave up. Raises StorageUnavailable alone."""

    def __init__(self, parts: CleanupPoisonParts) -> None:
        self._parts = parts

    def deliver(self, delivery: Delivery) -> None:
        """Records and sends the end of the clean-up in the message."""
        parts = self._parts
        message = read_cleanup_message(delivery, parts.settings, parts.clock.now())
        if isinstance(message, DeletionRequest):
            parts.acceptor.accept(message, Origin.JOB_COMPLETION, delivery.inserted_at)
            return
        text = parts.closer.refuse(message, delivery) if isinstance(message, Refused) else self._end(message, delivery)
        if text is not None:
            parts.sender.send(parts.settings.result_queue, text)

    def _end(self, step: Step, delivery: Delivery) -> str | None:
        parts, wanted = self._parts, step.cleanup
        found = parts.cleanups.read(wanted.event.event_id, dry_run=wanted.event.dry_run)
        # The copy has a message id of its own, so a step that its original had done looks passed: end it all the same.
        # A clean-up put back has no step done yet, and what is left of its last generation must not end it.
        done_by = found.step_message if found else ""
        place = place_of(found, wanted, step.number, done_by or delivery.message_id)
        if place is Place.CONFLICT:
            return parts.closer.conflict(wanted, delivery)
        if place is Place.ENDED and found:
            return parts.closer.close(found, delivery)
        if place is Place.PASSED:
            log.info("duplicate_step event_id=%s step=%s", wanted.event.event_id, step.number)
            return None
        cleanup, now = found or wanted, parts.clock.now()
        late = None if found else parts.guard.lateness("event", cleanup.accepted_at, now)
        ended = replace(
            cleanup,
            phase=Phase.FAILED,
            outcome=(Outcome.EXPIRED if late else Outcome.EXHAUSTED).value,
            error=late or cleanup.error or GIVEN_UP,
            ended_at=now,
            step=step.number + 1,
            step_message=delivery.message_id,
        )
        written = parts.cleanups.write(found, ended, now)
        if written is None:
            raise StorageUnavailable(f"clean-up {wanted.event.event_id} moved on meanwhile")
        return parts.closer.close(written, delivery)

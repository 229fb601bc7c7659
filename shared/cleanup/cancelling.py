"""Cancels a clean-up and those of its requests that have not begun."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from shared.cleanup import state
from shared.cleanup.closing import CleanupCloser
from shared.cleanup.entity import cleanup_key
from shared.cleanup.record import Cleanup
from shared.cleanup.state import CancelDecision
from shared.cleanup.store import CleanupStore, Settled
from shared.clock import Clock
from shared.deletion.parents import Veto
from shared.errors import CorruptRecord
from shared.ledger.record import Certainty, Conclusion, Outcome, Record
from shared.ledger.store import CORRUPT
from shared.results.queue import ResultQueue

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CleanupCancelling:
    """Cancels clean-ups. May raise StorageUnavailable."""

    cleanups: CleanupStore
    closer: CleanupCloser
    results: ResultQueue
    clock: Clock

    def cancel(self, event_id: str, *, dry_run: bool) -> Settled[CancelDecision]:
        """Cancels the clean-up and publishes its closing event.

        The step that is still queued publishes the event again, in case this process dies first.
        """
        settled = self.cleanups.settle(event_id, self._decide, dry_run=dry_run)
        if settled.decision is CancelDecision.END:
            self.results.send([self.closer.close_quietly(settled.row)])
        return settled

    def _decide(self, found: Cleanup | None) -> tuple[CancelDecision, Cleanup | None]:
        decision = state.on_cancel(found, self.cleanups.totals(found).open if found else 0)
        if found is None or decision not in {CancelDecision.END, CancelDecision.MARK}:
            return decision, None
        return decision, state.cancelled(found, decision, self.clock.now())


@dataclass(frozen=True)
class CleanupParent:
    """Ends the requests of a cancelled clean-up that no claim has touched. May raise StorageUnavailable."""

    cleanups: CleanupStore

    def veto(self, parent_id: str, *, dry_run: bool) -> Veto | None:
        """See `shared.deletion.parents.Parent`."""
        try:
            found = self.cleanups.read(parent_id, dry_run=dry_run)
        except CorruptRecord:
            log.exception("corrupt_record row=%s", cleanup_key(parent_id, dry_run=dry_run)[1])
            return unreadable
        return cancelled if found and found.cancelled_at else None


def cancelled(record: Record, now: datetime) -> Conclusion | None:
    """Ends a request that had not begun when its clean-up was cancelled. A request that is being retried goes on."""
    return Conclusion(Outcome.CANCELLED, Certainty.CONFIRMED, now) if record.is_untouched else None


def unreadable(record: Record, now: datetime) -> Conclusion | None:
    """Ends the same request if the clean-up's row cannot be read: nothing is deleted, and a redrive remains possible."""
    end = Conclusion(Outcome.EXHAUSTED, Certainty.CONFIRMED, now, error=CORRUPT)
    return end if record.is_untouched else None

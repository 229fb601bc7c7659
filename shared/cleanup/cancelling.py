"""Cancelling a clean-up, and what that means for the requests that it made."""

from __future__ import annotations

from dataclasses import dataclass

from shared.cleanup import state
from shared.cleanup.closing import CleanupCloser
from shared.cleanup.record import Cleanup
from shared.cleanup.state import CancelDecision
from shared.cleanup.store import CleanupStore
from shared.clock import Clock
from shared.errors import StorageUnavailable
from shared.storage.queues import Sender

MAX_READS = 5


@dataclass(frozen=True)
class Cancelled:
    """What cancelling came to, and the clean-up as it stands now."""

    decision: CancelDecision
    cleanup: Cleanup


@dataclass(frozen=True)
class CleanupCancelling:
    """Cancels clean-ups. May raise StorageUnavailable."""

    cleanups: CleanupStore
    closer: CleanupCloser
    sender: Sender
    result_queue: str
    clock: Clock

    def cancel(self, event_id: str, *, dry_run: bool) -> Cancelled | None:
        """None for an event that is not known.

        The closing event goes out here, and once more with the step that is still on the queue: should this process
        die on the way, that one brings it.
        """
        for _ in range(MAX_READS):
            found, now = self.cleanups.read(event_id, dry_run=dry_run), self.clock.now()
            if found is None:
                return None
            decision = state.on_cancel(found, self.cleanups.totals(found).open)
            if decision in {CancelDecision.ALREADY, CancelDecision.TOO_LATE}:
                return Cancelled(decision, found)
            written = self.cleanups.write(found, state.cancelled(found, decision, now), now)
            if written is None:
                continue
            if decision is CancelDecision.END:
                self.sender.send(self.result_queue, self.closer.tell(written))
            return Cancelled(decision, written)
        raise StorageUnavailable(f"clean-up {event_id} changed under {MAX_READS} reads")

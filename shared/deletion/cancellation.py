"""Cancels a request before its first claim."""

from __future__ import annotations

from dataclasses import dataclass

from shared.batch.reply import ErrorBody
from shared.clock import Clock
from shared.deletion.outbox import Outbox
from shared.ledger import decisions
from shared.ledger.decisions import Change
from shared.ledger.record import Certainty, Conclusion, Key, Outcome, Record
from shared.ledger.store import RecordStore

CANCELLED = ErrorBody("RequestCancelled", "The request was cancelled before its first attempt.")


@dataclass(frozen=True)
class Cancellation:
    """Ends requests that no claim has touched (T8)."""

    store: RecordStore
    clock: Clock
    outbox: Outbox

    def cancel(self, key: Key) -> tuple[Record | None, bool]:
        """The row (None when the id is unknown), and whether this call ended it.

        Raises StorageUnavailable.
        """
        end = Conclusion(Outcome.CANCELLED, Certainty.CONFIRMED, self.clock.now(), error=CANCELLED)
        decided = self.store.settle(key, lambda found: decisions.on_cancel(found, end))
        row = decided.row
        if row is None or row.conclusion is None or row.conclusion.outcome is not Outcome.CANCELLED:
            return row, False
        if row.emit_pending:
            # Also when an earlier call ended it: that write may be this call's own, repeated after a lost answer.
            row = self.outbox.try_to_send(row)
        return row, decided.why is Change.ENDED

"""Taking a request back before its first claim."""

from __future__ import annotations

from shared.batch.reply import BatchError
from shared.clock import Clock
from shared.deletion.owed import OwedResults
from shared.errors import StorageUnavailable
from shared.ledger import state
from shared.ledger.record import Certainty, Conclusion, Key, Outcome, Record, State
from shared.ledger.store import RecordStore

MAX_READS = 5
CANCELLED = BatchError("RequestCancelled", "The request was taken back before it was begun.")


class Cancellation:
    """Ends requests that nobody has begun (T8)."""

    def __init__(self, store: RecordStore, clock: Clock, owed: OwedResults) -> None:
        self._store = store
        self._clock = clock
        self._owed = owed

    def cancel(self, key: Key) -> tuple[Record | None, bool]:
        """The row, None when the id is unknown, and whether it is this call that ended it.

        Raises StorageUnavailable.
        """
        for _ in range(MAX_READS):
            found = self._store.read(key)
            if found is None or found.state is not State.ACCEPTED:
                return self._told(found), False
            end = Conclusion(Outcome.CANCELLED, Certainty.CONFIRMED, self._clock.now(), error=CANCELLED)
            ended = self._store.write(found, state.conclude(found, end, emit_pending=True))
            if ended:
                return self._owed.try_to_send(ended), True
        raise StorageUnavailable(f"row {key.row} changed under {MAX_READS} reads")

    def _told(self, found: Record | None) -> Record | None:
        """The row; the result of one that was taken back is sent if it is owed still.

        The write that ended it may be this call's own, made twice by the storage client when its answer was lost.
        """
        end = found.conclusion if found else None
        if found is None or end is None or end.outcome is not Outcome.CANCELLED or not found.emit_pending:
            return found
        return self._owed.try_to_send(found)

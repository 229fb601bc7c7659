"""The say of a sweep in its requests: one that somebody stopped ends those that no claim has touched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.deletion.parents import Veto
from shared.errors import CorruptRecord
from shared.ledger.record import Certainty, Conclusion, Outcome, Record
from shared.retention.record import SweepStore
from shared.retention.step import STOPPED


@dataclass(frozen=True)
class SweepParent:
    """What is known of sweeps as parents. Whether a policy is in force is the guard's to say, for each request."""

    sweeps: SweepStore

    def veto(self, parent_id: str, *, dry_run: bool) -> Veto | None:
        """See Parent. A sweep that nobody remembers, or whose row cannot be read, stops nothing."""
        try:
            sweep = self.sweeps.read(parent_id)
        except CorruptRecord:
            return None
        return _cancelled if sweep is not None and sweep.is_stopping else None


def _cancelled(record: Record, now: datetime) -> Conclusion | None:
    if record.generation:
        # Redriven by a person, after it had ended otherwise.
        return None
    return Conclusion(Outcome.CANCELLED, Certainty.CONFIRMED, now, error=STOPPED)

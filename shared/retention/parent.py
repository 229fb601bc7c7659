"""The say of a sweep in its requests: its policy must be in force, its job unprotected, and nobody have stopped it.

What ends here ends without a dead letter: the next sweep judges anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.batch.reply import ErrorBody
from shared.deletion.parents import Veto
from shared.errors import CorruptRecord
from shared.ledger.record import Certainty, Conclusion, Outcome, Record
from shared.parsing.protection import is_protected
from shared.parsing.retention_policy import is_in_force
from shared.retention.judging import Rules
from shared.retention.record import SweepStore
from shared.retention.step import STOPPED

NOT_IN_FORCE: Final = ErrorBody(
    "PolicyNotInForce", "The policy that asked for this no longer decides about the job, or says something else."
)
PROTECTED: Final = ErrorBody("ProtectedJob", "Nothing is deleted from this job: PROTECTED_JOBS names it.")


@dataclass(frozen=True)
class SweepParent:
    """What is known of sweeps as parents."""

    sweeps: SweepStore
    rules: Rules
    accounts: Sequence[str]
    """Of the allow list: policies hold for these alone."""

    def veto(self, parent_id: str, *, dry_run: bool) -> Veto | None:
        """See Parent. The policies are asked about every request and its retries, the stop about untouched ones."""
        is_stopped = self._is_stopped(parent_id)

        def judge(record: Record, now: datetime) -> Conclusion | None:
            error = self._error(record, is_stopped=is_stopped)
            return Conclusion(Outcome.CANCELLED, Certainty.CONFIRMED, now, error=error) if error else None

        return judge

    def _is_stopped(self, sweep_id: str) -> bool:
        """A sweep that nobody remembers, or whose row cannot be read, stops nothing."""
        try:
            sweep = self.sweeps.read(sweep_id)
        except CorruptRecord:
            return False
        return sweep is not None and sweep.is_stopping

    def _error(self, record: Record, *, is_stopped: bool) -> ErrorBody | None:
        request, policies = record.request, self.rules.policies
        if is_protected(request.job_id, self.rules.protected):
            return PROTECTED
        is_allowed = request.batch_url in self.accounts
        if not is_allowed or not is_in_force(policies, request.batch_url, request.job_id, record.policy or ""):
            return NOT_IN_FORCE
        return STOPPED if is_stopped and record.is_untouched else None

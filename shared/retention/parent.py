"""A sweep's veto on its requests: the policy no longer applies, the job is protected, or the sweep was cancelled.

A vetoed request leaves no dead letter, because the next sweep decides about the task again.
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
    "PolicyNotInForce", "The policy behind this request no longer applies to the job, or has changed."
)
PROTECTED: Final = ErrorBody("ProtectedJob", "Nothing is deleted from this job: PROTECTED_JOBS names it.")


@dataclass(frozen=True)
class SweepParent:
    """Sweeps as parents of requests."""

    sweeps: SweepStore
    rules: Rules
    accounts: Sequence[str]
    """The allow list: policies apply to these accounts only."""

    def veto(self, parent_id: str, *, dry_run: bool) -> Veto | None:
        """See Parent. Policies are checked for every request and retry, a cancellation only for untouched requests."""
        is_stopped = self._is_stopped(parent_id)

        def judge(record: Record, now: datetime) -> Conclusion | None:
            error = self._error(record, is_stopped=is_stopped)
            return Conclusion(Outcome.CANCELLED, Certainty.CONFIRMED, now, error=error) if error else None

        return judge

    def _is_stopped(self, sweep_id: str) -> bool:
        """False if the sweep's row is gone or cannot be read."""
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

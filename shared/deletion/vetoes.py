"""Vetoes valid requests: the job is protected, the account has left the allow list, or the request has expired."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.batch.reply import ErrorBody
from shared.ledger.record import Certainty, Conclusion, Outcome, Record
from shared.parsing.grammar import due_at
from shared.parsing.protection import is_protected
from shared.settings import Settings

PROTECTED = "ProtectedJob"
EXPIRED = "RequestExpired"
NOT_ALLOWED = "AccountNotAllowed"


class Vetoes:
    """What forbids a DELETE, by the settings."""

    def __init__(self, settings: Settings) -> None:
        self._protected = settings.protected_jobs
        self._accounts = settings.batch_accounts
        # A day less than retention: a copy may arrive after its row was purged and its task's id was reused.
        self._max_age = timedelta(days=settings.retention_days - 1)

    def __call__(self, row: Record, now: datetime) -> Conclusion | None:
        """The conclusion for a request that must not be carried out, or None."""
        error = self.of_job(row.request.job_id) or self.of_account(row.request.batch_url)
        if error:
            return Conclusion(Outcome.FAILED, Certainty.CONFIRMED, now, error=error)
        return self.expiry(row, now)

    def expiry(self, row: Record, now: datetime) -> Conclusion | None:
        """The `expired` conclusion for a request so old that its row may be purged and its task id reused, else None."""
        counted_from = row.accepted_at
        if row.request.delete_after:
            counted_from = max(counted_from, due_at(row.request.delete_after, counted_from))
        error = self.of_age("request", counted_from, now)
        return Conclusion(Outcome.EXPIRED, Certainty.CONFIRMED, now, error=error) if error else None

    def of_age(self, what: str, counted_from: datetime, now: datetime) -> ErrorBody | None:
        """The error for a request or event that has expired, or None."""
        if now - counted_from <= self._max_age:
            return None
        text = f"The {what} was processed more than {self._max_age.days} days after it was accepted or fell due."
        return ErrorBody(EXPIRED, text)

    def of_account(self, batch_url: str) -> ErrorBody | None:
        """The error for an account that left the allow list after the request or event had arrived, or None."""
        if batch_url in self._accounts:
            return None
        text = "must be one of the Batch accounts in BATCH_ACCOUNT_URLS"
        return ErrorBody(NOT_ALLOWED, "The account is no longer allowed.", (("/batchUrl", text),))

    def of_job(self, job_id: str) -> ErrorBody | None:
        """The error for a protected job, or None."""
        pattern = is_protected(job_id, self._protected)
        if pattern is None:
            return None
        text = f"must not match {pattern}, a pattern in PROTECTED_JOBS"
        return ErrorBody(PROTECTED, "Nothing is deleted from this job.", (("/jobId", text),))

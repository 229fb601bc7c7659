"""Rows of the request table in every state, for tests of the decisions about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.batch.reply import ErrorBody
from shared.ledger.record import Certainty, Claim, Conclusion, Origin, Outcome, Record, State
from shared.request.model import DeletionRequest, parse_request, payload_hash

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
LEASE = timedelta(seconds=180)
ACCOUNT = "https://acct.region.batch.azure.com"
REQUEST_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
PROBLEM = ErrorBody("TooManyRequests", "Slow down.", (("/jobId", "is busy"),))


def after(seconds: float) -> datetime:
    """The instant so many seconds after NOW, or before it if negative."""
    return NOW + timedelta(seconds=seconds)


def request(**fields: Any) -> DeletionRequest:
    """A valid request, given by its JSON field names."""
    body = {"clientRequestId": REQUEST_ID, "jobId": "Render-7", "taskId": "Frame-001"} | fields
    return parse_request(body, (ACCOUNT,), NOW)


def accepted(**columns: Any) -> Record:
    """A row before its first claim."""
    wanted = columns.pop("request", request())
    row = Record(wanted, payload_hash(wanted), Origin.HTTP, NOW, etag='W/"1"')
    return replace(row, **columns)


def claimed(
    *, by: str = "claim-1", message: str = "message-1", count: int = 1, lease_left: float = 180, **columns: Any
) -> Record:
    """A row under a claim whose lease ends this many seconds after NOW."""
    claim = Claim(by, message, count, after(lease_left))
    values: dict[str, Any] = {"attempts": 1, "maybe_effect": True} | columns
    return accepted(state=State.CLAIMED, claim=claim, **values)


def released(*, next_attempt: float, **columns: Any) -> Record:
    """A row whose claim was released, to be tried again this many seconds after NOW."""
    return claimed(lease_left=0, next_attempt_at=after(next_attempt), last_error=PROBLEM, **columns)


def done(outcome: Outcome = Outcome.DELETED, **columns: Any) -> Record:
    """A row with an outcome."""
    end = Conclusion(outcome, Certainty.CONFIRMED, NOW, 200)
    return replace(claimed(**columns), state=State.DONE, conclusion=end)

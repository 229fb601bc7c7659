"""What the REST operation answers for a request that has ended, where Batch itself had no say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.api.rest_operation import operation_answer
from shared.ledger.record import Outcome
from tests.rows import PROBLEM, accepted, done


@pytest.mark.parametrize(
    ("outcome", "batch_status", "status"),
    [
        (Outcome.DELETED, None, 200),
        (Outcome.NOT_FOUND, 404, 404),
        (Outcome.FAILED, 400, 400),
        (Outcome.FAILED, 304, 304),
        (Outcome.FAILED, 307, 502),
        (Outcome.FAILED, None, 403),
        (Outcome.FAILED, 200, 409),
        (Outcome.EXHAUSTED, 429, 503),
        (Outcome.EXPIRED, None, 410),
        (Outcome.CANCELLED, None, 410),
    ],
)
def test_the_status_of_an_end(outcome: Outcome, batch_status: int | None, status: int) -> None:
    """Batch's own where there is one; a redirect is never passed on, and a protected job is forbidden.

    A task that was looked at and left alone, for it runs again, was not deleted, although Batch said 200 to the look.
    """
    record = done(outcome)
    assert record.conclusion is not None
    record = replace(record, conclusion=replace(record.conclusion, status=batch_status, error=PROBLEM))
    answer = operation_answer(record)
    assert answer.status == status
    assert (answer.content is None) is (status in {200, 304})


def test_a_request_that_is_not_done_has_no_answer_yet() -> None:
    """Asking for one is a bug of the app, and loud."""
    with pytest.raises(ValueError, match="not done"):
        operation_answer(accepted())

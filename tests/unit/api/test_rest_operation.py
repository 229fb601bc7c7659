"""What the REST operation answers for a finished request, also where Batch gave no answer."""

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
    """The REST operation answers a finished request with Batch's status, or with its own where there is none.

    A redirect is not passed on, a protected job is forbidden, and a task that was kept was not deleted.
    """
    record = done(outcome)
    assert record.conclusion is not None
    record = replace(record, conclusion=replace(record.conclusion, status=batch_status, error=PROBLEM))
    answer = operation_answer(record)
    assert answer.status == status
    assert (answer.content is None) is (status in {200, 304})


def test_a_request_that_is_not_done_has_no_answer_yet() -> None:
    """Building the REST answer of an unfinished request is a defect and raises ValueError."""
    with pytest.raises(ValueError, match="not done"):
        operation_answer(accepted())

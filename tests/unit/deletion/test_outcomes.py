"""What is recorded for a reply of Batch, given what was known before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.batch.reply import ErrorBody, Reply, Sent
from shared.deletion.outcomes import RetryPolicy, exhausted, next_row
from shared.ledger.decisions import Change, Write
from shared.ledger.record import Certainty, Claim, Conclusion, Outcome, Record
from shared.ledger.state import claim
from tests.rows import LEASE, NOW, PROBLEM, accepted, claimed, request

POLICY = RetryPolicy(max_attempts=3, base_seconds=4, max_seconds=600, random=lambda: 0.5)

LOST = Reply(Sent.UNANSWERED, error=ErrorBody("NoAnswer", "lost"))
NOT_SENT = Reply(Sent.FAILED, error=ErrorBody("NoConnection", "refused"))
UNSAFE = Reply(Sent.REFUSED, error=ErrorBody("UnsafeTarget", "no"))


def answer(status: int, code: str | None = None, retry_after: float | None = None) -> Reply:
    """An answer of Batch; without a code, of a gateway in front of it."""
    error = None if status < 300 else ErrorBody(code or "UnexpectedAnswer", "")
    return Reply(Sent.ANSWERED, status, error, code is not None, retry_after, "batch-1")


FIRST = accepted()
EFFECT_BEFORE = accepted(maybe_effect=True)
MARKS = [
    pytest.param(FIRST, id="first try"),
    pytest.param(EFFECT_BEFORE, id="perhaps done before"),
]


def concluded(before: Record, reply: Reply, attempts: int = 1) -> Conclusion:
    """The outcome that a reply leads to; fails if it leads to another attempt."""
    row = recorded(before, claimed(attempts=attempts), reply)
    assert row.conclusion is not None
    return row.conclusion


def recorded(before: Record, held: Record, reply: Reply) -> Record:
    """The row after a reply to a claim."""
    return next_row(Write(held, Change.CLAIMED, before), reply, POLICY, NOW)


def retried(reply: Reply, before: Record = FIRST) -> tuple[Record, timedelta]:
    """The released row after a reply, and how long its next attempt waits; fails if the request ended."""
    row = recorded(before, claimed(), reply)
    assert row.is_released
    assert row.next_attempt_at is not None
    return row, row.next_attempt_at - NOW


@pytest.mark.parametrize("before", MARKS)
@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_2xx_is_deleted_for_certain(before: Record, status: int) -> None:
    """A 2xx is `deleted / confirmed`, whatever was tried before, with Batch's status and request id."""
    expected = Conclusion(Outcome.DELETED, Certainty.CONFIRMED, NOW, status, None, "batch-1")
    assert concluded(before, answer(status)) == expected


@pytest.mark.parametrize("code", ["TaskNotFound", "JobNotFound"])
def test_a_404_on_the_first_try_is_not_found(code: str) -> None:
    """A 404 is `notFound / confirmed` if no earlier try may have deleted the task."""
    end = concluded(FIRST, answer(404, code))

    assert (end.outcome, end.certainty, end.status) == (Outcome.NOT_FOUND, Certainty.CONFIRMED, 404)
    assert end.error is not None
    assert end.error.code == code


@pytest.mark.parametrize("code", ["TaskNotFound", "JobNotFound"])
def test_a_404_after_a_try_that_may_have_taken_effect_is_an_inferred_deletion(code: str) -> None:
    """A 404 after a try that may have worked is `deleted / inferred`, without an error."""
    end = concluded(EFFECT_BEFORE, answer(404, code))

    assert (end.outcome, end.certainty, end.status, end.error) == (Outcome.DELETED, Certainty.INFERRED, 404, None)


@pytest.mark.parametrize("before", MARKS)
@pytest.mark.parametrize("status", [304, 412])
def test_a_condition_that_does_not_hold_is_an_end(before: Record, status: int) -> None:
    """A 304 or 412 ends the request as preconditionFailed, without another attempt."""
    end = concluded(before, answer(status, "ConditionNotMet"))

    assert end.outcome is Outcome.PRECONDITION_FAILED


@pytest.mark.parametrize("before", MARKS)
@pytest.mark.parametrize(
    "reply", [answer(400, "InvalidHeaderValue"), answer(409, "TaskCompleted"), answer(501, "NotImplemented"), UNSAFE]
)
def test_any_other_permanent_answer_has_failed(before: Record, reply: Reply) -> None:
    """Any other permanent answer ends the request as failed, with Batch's whole error."""
    end = concluded(before, reply)

    assert (end.outcome, end.error) == (Outcome.FAILED, reply.error)


TRANSIENT = [
    pytest.param(LOST, True, id="lost"),
    pytest.param(NOT_SENT, False, id="not sent"),
    pytest.param(answer(408), True, id="408"),
    pytest.param(answer(429, "TooManyRequests"), False, id="429"),
    pytest.param(answer(500, "InternalError"), True, id="500"),
    pytest.param(answer(503, "ServerBusy"), True, id="503"),
    pytest.param(answer(409, "NodeNotReady"), False, id="409 NodeNotReady"),
    pytest.param(answer(409, "JobBeingDeleted"), False, id="409 JobBeingDeleted"),
    pytest.param(answer(404), False, id="404 of a proxy"),
    pytest.param(answer(401, "AuthenticationFailed"), False, id="401"),
    pytest.param(answer(403, "Forbidden"), False, id="403"),
]


@pytest.mark.parametrize(("reply", "may_act"), TRANSIENT)
def test_a_passing_fault_is_tried_again(reply: Reply, may_act: bool) -> None:
    """A temporary fault releases the row for another attempt, with its error and whether it may have worked."""
    row, wait = retried(reply)

    assert (row.last_error, row.maybe_effect) == (reply.error, may_act)
    assert wait > timedelta(0)


@pytest.mark.parametrize("reply", [NOT_SENT, LOST])
def test_a_try_without_effect_leaves_the_mark_of_earlier_tries(reply: Reply) -> None:
    """T7: a try without effect does not clear the mark that an earlier try left."""
    row, _ = retried(reply, EFFECT_BEFORE)
    assert row.maybe_effect


@pytest.mark.parametrize(("reply", "may_act"), TRANSIENT)
def test_the_last_attempt_exhausts_and_says_what_is_known(reply: Reply, may_act: bool) -> None:
    """After the last attempt a request is exhausted, and `unknown` only if a DELETE may have worked."""
    end = concluded(FIRST, reply, attempts=3)

    assert end.outcome is Outcome.EXHAUSTED
    assert end.certainty is (Certainty.UNKNOWN if may_act else Certainty.CONFIRMED)
    assert (end.error, end.status, end.batch_request_id) == (reply.error, reply.status, reply.request_id)


@pytest.mark.parametrize(("before", "certainty"), [(FIRST, Certainty.CONFIRMED), (EFFECT_BEFORE, Certainty.UNKNOWN)])
def test_an_earlier_try_makes_giving_up_uncertain(before: Record, certainty: Certainty) -> None:
    """A final 429 is `unknown` if an earlier try may have deleted the task, and `confirmed` otherwise."""
    assert concluded(before, answer(429, "TooManyRequests"), attempts=3).certainty is certainty


@pytest.mark.parametrize(("attempts", "ends"), [(1, False), (2, False), (3, True), (4, True)])
def test_attempts_are_counted_to_the_limit(attempts: int, ends: bool) -> None:
    """A temporary fault ends the request once the attempts reach their limit."""
    row = recorded(FIRST, claimed(attempts=attempts), LOST)
    assert (row.conclusion is not None) is ends


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        pytest.param(LOST, 2, id="half of the base by the jitter"),
        pytest.param(answer(429, "TooManyRequests", 30), 30, id="Retry-After is a lower bound"),
        pytest.param(answer(503, "ServerBusy", 9_999), 600, id="capped"),
        pytest.param(answer(403, "Forbidden"), 62, id="a minute for what people mend"),
        pytest.param(answer(409, "NodeNotReady"), 32, id="half a minute for a state of minutes"),
    ],
)
def test_how_long_the_next_try_waits(reply: Reply, seconds: float) -> None:
    """The kind of reply sets the minimum wait before the next attempt, and the settings the maximum."""
    assert retried(reply)[1] == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        pytest.param(answer(200), Outcome.WOULD_DELETE, id="there"),
        pytest.param(answer(404, "TaskNotFound"), Outcome.NOT_FOUND, id="gone"),
        pytest.param(answer(412, "ConditionNotMet"), Outcome.PRECONDITION_FAILED, id="condition"),
        pytest.param(answer(400, "InvalidHeaderValue"), Outcome.FAILED, id="permanent"),
    ],
)
@pytest.mark.parametrize("before", MARKS)
def test_a_dry_run_says_what_would_happen(before: Record, reply: Reply, outcome: Outcome) -> None:
    """A dry run ends by Batch's answer to the read: wouldDelete, notFound or preconditionFailed."""
    held = replace(claimed(), request=request(dryRun=True))

    row = recorded(before, held, reply)

    told = row.conclusion
    assert told is not None
    assert (told.outcome, told.error) == (outcome, reply.error)
    assert row.maybe_effect is before.maybe_effect


def test_a_dry_run_is_retried_too() -> None:
    """A dry run whose read fails temporarily is retried."""
    held = replace(claimed(), request=request(dryRun=True))
    assert recorded(FIRST, held, LOST).is_released


def test_a_dry_run_that_is_given_up_has_certainly_done_nothing() -> None:
    """An exhausted dry run is `confirmed`, since it sends no DELETE."""
    asked = claim(accepted(request=request(dryRun=True)), Claim("claim-1", "message-1", 1, NOW + LEASE))
    held = replace(asked, attempts=POLICY.max_attempts)
    end = recorded(FIRST, held, LOST).conclusion
    assert end is not None
    assert (end.outcome, end.certainty) == (Outcome.EXHAUSTED, Certainty.CONFIRMED)
    assert not asked.maybe_effect


def test_giving_up_without_a_reply() -> None:
    """A request that ends because of its poison message keeps its last known error and no status of Batch."""
    end = Conclusion(Outcome.EXHAUSTED, Certainty.CONFIRMED, NOW, None, PROBLEM, None)
    assert exhausted(PROBLEM, None, NOW) == end


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(400, "InvalidHeaderValue"), id="400"),
        pytest.param(answer(412, "ConditionNotMet"), id="412"),
        pytest.param(answer(304, "NotModified"), id="304"),
        pytest.param(answer(409, "TaskCompleted"), id="409"),
        pytest.param(UNSAFE, id="refused by the app itself"),
    ],
)
def test_an_end_after_a_try_that_may_have_taken_effect_is_uncertain(reply: Reply) -> None:
    """Any refusal is `unknown` after an earlier try that may have worked, and `confirmed` otherwise."""
    assert concluded(FIRST, reply).certainty is Certainty.CONFIRMED
    assert concluded(EFFECT_BEFORE, reply).certainty is Certainty.UNKNOWN


def test_a_permanent_5xx_is_uncertain_by_itself() -> None:
    """A permanent 5xx is `unknown`, as a gateway may have sent it after Batch had deleted the task."""
    assert concluded(FIRST, answer(501, "NotImplemented")).certainty is Certainty.UNKNOWN

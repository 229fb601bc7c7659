"""What each answer of the Batch service means: the error table of the REST reference, row by row."""

from __future__ import annotations

import pytest

from shared.batch.classify import INVALID_REQUEST, PASSING_STATES, UNSAFE_TARGET, judge
from shared.batch.reply import BatchError, Judgement, Reply, Sending, Verdict


def answer(status: int, code: str | None = None) -> Reply:
    """An answer with a Batch error body when there is a code, and without one when not."""
    error = None if 200 <= status < 300 else BatchError(code or "UnexpectedAnswer", "")
    return Reply(Sending.ANSWERED, status, error, has_batch_code=code is not None)


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (200, None, Verdict.DELETED),
        (202, None, Verdict.DELETED),
        (204, None, Verdict.DELETED),
        (404, "TaskNotFound", Verdict.GONE),
        (404, "JobNotFound", Verdict.GONE),
        (404, "ResourceNotFound", Verdict.PERMANENT),
        (404, "NodeNotFound", Verdict.PERMANENT),
        (404, "PoolNotFound", Verdict.PERMANENT),
        (404, None, Verdict.TRANSIENT),
        (412, "ConditionNotMet", Verdict.PRECONDITION),
        (412, None, Verdict.PRECONDITION),
        (304, "ConditionNotMet", Verdict.PRECONDITION),
        (304, None, Verdict.PRECONDITION),
        (409, "JobCompleted", Verdict.PERMANENT),
        (409, "JobDisabled", Verdict.PERMANENT),
        (409, "JobNotActive", Verdict.PERMANENT),
        (409, "TaskCompleted", Verdict.PERMANENT),
        (409, None, Verdict.PERMANENT),
        (400, "InvalidHeaderValue", Verdict.PERMANENT),
        (400, "InvalidQueryParameterValue", Verdict.PERMANENT),
        (400, "OutOfRangeQueryParameterValue", Verdict.PERMANENT),
        (400, "MissingRequiredQueryParameter", Verdict.PERMANENT),
        (400, "MissingRequiredHeader", Verdict.PERMANENT),
        (400, "InvalidUri", Verdict.PERMANENT),
        (400, "UnsupportedRequestVersion", Verdict.PERMANENT),
        (400, "MultipleConditionHeadersNotSupported", Verdict.PERMANENT),
        (400, None, Verdict.PERMANENT),
        (400, "InvalidAuthenticationInfo", Verdict.ACCESS),
        (401, "AuthenticationFailed", Verdict.ACCESS),
        (401, None, Verdict.ACCESS),
        (403, "AuthenticationFailed", Verdict.ACCESS),
        (403, "InsufficientAccountPermissions", Verdict.ACCESS),
        (403, "AccountIsDisabled", Verdict.ACCESS),
        (403, None, Verdict.ACCESS),
        (403, "IOError", Verdict.TRANSIENT),
        (408, None, Verdict.TRANSIENT),
        (429, "TooManyRequests", Verdict.TRANSIENT),
        (429, None, Verdict.TRANSIENT),
        (500, "InternalError", Verdict.TRANSIENT),
        (500, "OperationTimedOut", Verdict.TRANSIENT),
        (502, None, Verdict.TRANSIENT),
        (503, "ServerBusy", Verdict.TRANSIENT),
        (504, None, Verdict.TRANSIENT),
        (599, None, Verdict.TRANSIENT),
        (501, None, Verdict.PERMANENT),
        (405, "UnsupportedHttpVerb", Verdict.PERMANENT),
        (410, None, Verdict.PERMANENT),
        (411, "MissingContentLengthHeader", Verdict.PERMANENT),
        (301, None, Verdict.PERMANENT),
        (302, None, Verdict.PERMANENT),
        (307, None, Verdict.PERMANENT),
    ],
)
def test_status_and_code_give_the_verdict(status: int, code: str | None, verdict: Verdict) -> None:
    """Each row of the error table has its class, and none of these is in the slow lane."""
    judgement = judge(answer(status, code))
    assert (judgement.verdict, judgement.slow) == (verdict, False)


@pytest.mark.parametrize("code", sorted(PASSING_STATES))
def test_passing_states_are_retried_slowly(code: str) -> None:
    """A 409 about a state that ends by itself is transient and marked slow, and proves that nothing was deleted."""
    assert judge(answer(409, code)) == Judgement(Verdict.TRANSIENT, may_have_taken_effect=False, slow=True)


@pytest.mark.parametrize(
    "code", ["NodeNotReady", "JobBeingDeleted", "JobBeingTerminated", "OperationInvalidForCurrentState"]
)
def test_the_known_passing_states_are_in_the_list(code: str) -> None:
    """The states that a task deletion was seen to meet count as passing."""
    assert code in PASSING_STATES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 500, 501, 503])
def test_node_not_ready_is_transient_whatever_the_status(status: int) -> None:
    """`NodeNotReady` is undocumented, and so is the status that it comes with."""
    judgement = judge(answer(status, "NodeNotReady"))
    assert (judgement.verdict, judgement.slow) == (Verdict.TRANSIENT, True)


def test_a_code_that_batch_did_not_send_proves_nothing() -> None:
    """A 404 whose code is our own wording is not taken as Batch's word that the task is gone."""
    forged = Reply(Sending.ANSWERED, 404, BatchError("TaskNotFound", ""), has_batch_code=False)
    assert judge(forged).verdict is Verdict.TRANSIENT


@pytest.mark.parametrize("status", [301, 304, 400, 401, 403, 404, 409, 412, 429])
def test_an_answer_proves_that_nothing_was_deleted(status: int) -> None:
    """A status other than 2xx, 408 and 5xx says that the try had no effect."""
    assert not judge(answer(status)).may_have_taken_effect


@pytest.mark.parametrize("status", [408, 500, 501, 502, 503, 504])
def test_a_fault_on_the_way_leaves_the_effect_open(status: int) -> None:
    """408 and 5xx may come from a gateway that lost the service's own answer."""
    assert judge(answer(status)).may_have_taken_effect


def test_silence_is_transient_and_leaves_the_effect_open() -> None:
    """Without an answer the task may be gone, so that a later 404 means success."""
    reply = Reply(Sending.UNANSWERED, error=BatchError("NoAnswer", ""))
    assert judge(reply) == Judgement(Verdict.TRANSIENT, may_have_taken_effect=True)


@pytest.mark.parametrize("code", ["NoConnection", "TokenUnavailable", "TooManyInFlight", "OutOfTime"])
def test_what_was_never_sent_is_transient_without_effect(code: str) -> None:
    """No connection, no token, no place or no time: the next attempt starts from nothing."""
    reply = Reply(Sending.NOT_SENT, error=BatchError(code, ""))
    assert judge(reply) == Judgement(Verdict.TRANSIENT, may_have_taken_effect=False)


@pytest.mark.parametrize("code", [UNSAFE_TARGET, INVALID_REQUEST])
def test_what_our_own_guard_refused_is_permanent(code: str) -> None:
    """A request that cannot be sent safely today cannot be sent tomorrow either."""
    reply = Reply(Sending.NOT_SENT, error=BatchError(code, ""))
    assert judge(reply) == Judgement(Verdict.PERMANENT, may_have_taken_effect=False)


def test_the_service_cannot_fake_our_refusal() -> None:
    """The guard's codes count only when nothing was sent: in an answer they are codes like any other."""
    assert judge(answer(503, UNSAFE_TARGET)).verdict is Verdict.TRANSIENT

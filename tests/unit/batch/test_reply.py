"""What each answer of the Batch service means, by the error table of the REST reference."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.batch.answer import answered
from shared.batch.reply import PASSING_STATES, ErrorBody, Kind, Reply, Sent


def answer(status: int, code: str | None = None) -> Reply:
    """An answer with a Batch error body when there is a code, and without one when not."""
    error = None if 200 <= status < 300 else ErrorBody(code or "UnexpectedAnswer", "")
    return Reply(Sent.ANSWERED, status, error, has_batch_code=code is not None)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (200, None, Kind.SUCCESS),
        (202, None, Kind.SUCCESS),
        (204, None, Kind.SUCCESS),
        (404, "TaskNotFound", Kind.GONE),
        (404, "JobNotFound", Kind.GONE),
        (404, "ResourceNotFound", Kind.PERMANENT),
        (404, "NodeNotFound", Kind.PERMANENT),
        (404, "PoolNotFound", Kind.PERMANENT),
        (404, None, Kind.TRANSIENT),
        (412, "ConditionNotMet", Kind.PRECONDITION),
        (412, None, Kind.PRECONDITION),
        (304, "ConditionNotMet", Kind.PRECONDITION),
        (304, None, Kind.PRECONDITION),
        (409, "JobCompleted", Kind.PERMANENT),
        (409, "JobDisabled", Kind.PERMANENT),
        (409, "JobNotActive", Kind.PERMANENT),
        (409, "TaskCompleted", Kind.PERMANENT),
        (409, None, Kind.PERMANENT),
        (400, "InvalidHeaderValue", Kind.PERMANENT),
        (400, "InvalidQueryParameterValue", Kind.PERMANENT),
        (400, "OutOfRangeQueryParameterValue", Kind.PERMANENT),
        (400, "MissingRequiredQueryParameter", Kind.PERMANENT),
        (400, "MissingRequiredHeader", Kind.PERMANENT),
        (400, "InvalidUri", Kind.PERMANENT),
        (400, "UnsupportedRequestVersion", Kind.PERMANENT),
        (400, "MultipleConditionHeadersNotSupported", Kind.PERMANENT),
        (400, None, Kind.PERMANENT),
        (400, "InvalidAuthenticationInfo", Kind.ACCESS),
        (401, "AuthenticationFailed", Kind.ACCESS),
        (401, None, Kind.ACCESS),
        (403, "AuthenticationFailed", Kind.ACCESS),
        (403, "InsufficientAccountPermissions", Kind.ACCESS),
        (403, "AccountIsDisabled", Kind.ACCESS),
        (403, None, Kind.ACCESS),
        (403, "IOError", Kind.TRANSIENT),
        (408, None, Kind.TRANSIENT),
        (429, "TooManyRequests", Kind.TRANSIENT),
        (429, None, Kind.TRANSIENT),
        (500, "InternalError", Kind.TRANSIENT),
        (500, "OperationTimedOut", Kind.TRANSIENT),
        (502, None, Kind.TRANSIENT),
        (503, "ServerBusy", Kind.TRANSIENT),
        (504, None, Kind.TRANSIENT),
        (599, None, Kind.TRANSIENT),
        (501, None, Kind.PERMANENT),
        (405, "UnsupportedHttpVerb", Kind.PERMANENT),
        (410, None, Kind.PERMANENT),
        (411, "MissingContentLengthHeader", Kind.PERMANENT),
        (301, None, Kind.PERMANENT),
        (302, None, Kind.PERMANENT),
        (307, None, Kind.PERMANENT),
    ],
)
def test_status_and_code_give_the_kind(status: int, code: str | None, kind: Kind) -> None:
    """Status and code of an answer determine its kind, as the error table says."""
    reply = answer(status, code)
    assert (reply.kind, reply.is_slow) == (kind, False)


@pytest.mark.parametrize("code", sorted(PASSING_STATES))
def test_passing_states_are_retried_slowly(code: str) -> None:
    """A 409 about a state that ends by itself is retried slowly, and proves that nothing was deleted."""
    reply = answer(409, code)
    assert (reply.kind, reply.is_slow, reply.may_have_taken_effect) == (Kind.TRANSIENT, True, False)


@pytest.mark.parametrize(
    "code", ["NodeNotReady", "JobBeingDeleted", "JobBeingTerminated", "OperationInvalidForCurrentState"]
)
def test_the_known_passing_states_are_in_the_list(code: str) -> None:
    """The states that task deletions are known to meet count as ending by themselves."""
    assert code in PASSING_STATES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 500, 501, 503])
def test_node_not_ready_is_transient_whatever_the_status(status: int) -> None:
    """`NodeNotReady`, whose status is undocumented, is retried slowly whatever its status."""
    reply = answer(status, "NodeNotReady")
    assert (reply.kind, reply.is_slow) == (Kind.TRANSIENT, True)


def test_a_code_that_batch_did_not_send_proves_nothing() -> None:
    """A 404 whose code did not come from Batch does not prove that the task is gone."""
    forged = Reply(Sent.ANSWERED, 404, ErrorBody("TaskNotFound", ""), has_batch_code=False)
    assert forged.kind is Kind.TRANSIENT


@pytest.mark.parametrize("status", [301, 304, 400, 401, 403, 404, 409, 412, 429])
def test_an_answer_proves_that_nothing_was_deleted(status: int) -> None:
    """Any status other than 2xx, 408 and 5xx proves that the call had no effect."""
    assert not answer(status).may_have_taken_effect


@pytest.mark.parametrize("status", [408, 500, 501, 502, 503, 504])
def test_a_fault_on_the_way_leaves_the_effect_open(status: int) -> None:
    """408 and 5xx leave open whether the task was deleted, as a gateway may have lost Batch's answer."""
    assert answer(status).may_have_taken_effect


def test_silence_is_transient_and_leaves_the_effect_open() -> None:
    """A call without an answer is retried and may have had its effect."""
    reply = Reply(Sent.UNANSWERED, error=ErrorBody("NoAnswer", ""))
    assert (reply.kind, reply.was_sent, reply.may_have_taken_effect) == (Kind.TRANSIENT, True, True)


@pytest.mark.parametrize("sent", [Sent.HELD, Sent.FAILED])
def test_what_was_never_sent_is_transient_without_effect(sent: Sent) -> None:
    """A call that was not sent, being held or without connection, is retried and had no effect."""
    reply = Reply(sent, error=ErrorBody("Any", ""))
    assert (reply.kind, reply.was_sent, reply.may_have_taken_effect) == (Kind.TRANSIENT, False, False)


def test_what_our_own_guard_refused_is_permanent() -> None:
    """A call that the app itself refused as unsafe fails for good and had no effect."""
    reply = Reply(Sent.REFUSED, error=ErrorBody("UnsafeTarget", ""))
    assert (reply.kind, reply.was_sent, reply.may_have_taken_effect) == (Kind.PERMANENT, False, False)


def test_the_service_cannot_fake_our_refusal() -> None:
    """The code `UnsafeTarget` in an answer of the service is not taken for the app's own refusal."""
    assert answer(503, "UnsafeTarget").kind is Kind.TRANSIENT


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_strangers_2xx_is_no_success(status: int) -> None:
    """A 2xx without Batch's `request-id` is not a success: it is retried, and may have had its effect."""
    reply = answered(status, {"Content-Type": "text/html"}, b"<html>Sign in</html>", datetime.now(UTC))
    assert (reply.kind, reply.may_have_taken_effect) == (Kind.TRANSIENT, True)

"""What a reply of the Batch service means for the deletion that caused it.

    reply                                                   verdict
    2xx                                                     deleted
    404 TaskNotFound, JobNotFound                           gone
    404 without a Batch error body                          transient: a proxy or a wrong host says 404 too
    304, 412                                                precondition
    401, 403, 400 InvalidAuthenticationInfo                 access
    403 IOError, 408, 429, 5xx but 501                      transient
    NodeNotReady with any status                            transient and slow
    409 JobBeingDeleted and other passing states            transient and slow
    any other status                                        permanent
    no answer, or nothing sent                              transient
    nothing sent because our own guard refused              permanent

Sources: "Batch Status and Error Codes" of the REST reference; 429 TooManyRequests and NodeNotReady
are missing there but are what the service answers.
"""

from __future__ import annotations

from typing import Final

from shared.batch.reply import Judgement, Reply, Sending, Verdict

UNSAFE_TARGET: Final = "UnsafeTarget"
"""Code of a reply that our guard made up: the URL would not have been the intended one."""
INVALID_REQUEST: Final = "InvalidRequest"
"""Code of a reply made up because the request cannot be put into HTTP at all."""

NODE_NOT_READY: Final = "NodeNotReady"
"""Undocumented, and so is the status that it comes with."""

GONE_CODES: Final = frozenset({"TaskNotFound", "JobNotFound"})

PASSING_STATES: Final = frozenset(
    {
        "JobBeingDeleted",
        "JobBeingTerminated",
        "JobScheduleBeingDeleted",
        "JobScheduleBeingTerminated",
        "NodeBeingCreated",
        "NodeBeingRebooted",
        "NodeBeingReimaged",
        "NodeBeingStarted",
        NODE_NOT_READY,
        "NodeStateUnusable",
        "OperationInvalidForCurrentState",
        "PoolBeingCreated",
        "PoolBeingDeleted",
        "PoolBeingResized",
    }
)
"""States of a job, node or pool that end by themselves, in minutes rather than seconds."""


def judge(reply: Reply) -> Judgement:
    """The class of `reply`, and whether the task may be gone because of it."""
    if reply.sending is not Sending.ANSWERED or reply.status is None:
        return _judge_silence(reply)
    verdict = _verdict(reply.status, _batch_code(reply), reply.has_batch_code)
    slow = verdict is Verdict.TRANSIENT and _batch_code(reply) in PASSING_STATES
    return Judgement(verdict, _may_have_acted(reply.status, verdict), slow)


def _judge_silence(reply: Reply) -> Judgement:
    refused = reply.error is not None and reply.error.code in {UNSAFE_TARGET, INVALID_REQUEST}
    if reply.sending is Sending.NOT_SENT and refused:
        return Judgement(Verdict.PERMANENT, may_have_taken_effect=False)
    return Judgement(Verdict.TRANSIENT, may_have_taken_effect=reply.sending is not Sending.NOT_SENT)


def _batch_code(reply: Reply) -> str | None:
    return reply.error.code if reply.error is not None and reply.has_batch_code else None


def _may_have_acted(status: int, verdict: Verdict) -> bool:
    """A gateway's 408 or 5xx says nothing about what happened behind it."""
    return verdict is Verdict.DELETED or status == 408 or status >= 500


def _verdict(status: int, code: str | None, has_batch_code: bool) -> Verdict:
    if 200 <= status < 300:
        return Verdict.DELETED
    if _is_passing(status, code):
        return Verdict.TRANSIENT
    if status in {304, 412}:
        return Verdict.PRECONDITION
    if status == 404:
        return _verdict_of_404(code, has_batch_code)
    # By status, since the code of a refusal by role is not documented.
    if status in {401, 403} or (status == 400 and code == "InvalidAuthenticationInfo"):
        return Verdict.ACCESS
    return Verdict.PERMANENT


def _verdict_of_404(code: str | None, has_batch_code: bool) -> Verdict:
    """Only Batch's own word for it proves that the task is not there."""
    if code in GONE_CODES:
        return Verdict.GONE
    return Verdict.PERMANENT if has_batch_code else Verdict.TRANSIENT


def _is_passing(status: int, code: str | None) -> bool:
    if code == NODE_NOT_READY:
        return True
    if status == 403:
        # Not about identity: storage behind the service failed.
        return code == "IOError"
    if status == 409:
        return code in PASSING_STATES
    return status in {408, 429} or (status >= 500 and status != 501)

"""What a sweep does if a list call fails: classifies the failure, and waits, continues or ends accordingly. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.batch.answer import UNREADABLE, clean
from shared.batch.reply import ErrorBody, Kind, Reply, Sent
from shared.deletion.outcomes import RetryPolicy
from shared.retention import course
from shared.retention.course import ListJobs, ListTasks
from shared.retention.sweep import Phase, Sweep

MOST_TRIES: Final = 3
"""For the list of one job's tasks, and for the list of jobs."""

JOB_BEING_DELETED: Final = "JobBeingDeleted"
LEAST_WAIT_SECONDS: Final = 1.0
_OWN_WAIT_SECONDS: Final = 5.0
_JOB_WAIT_SECONDS: Final = 2.0
_MOST_REASON: Final = 300
_OF_THE_ACCOUNT: Final = frozenset({401, 403, 429, 503})


class Trouble(StrEnum):
    """The kinds of failures."""

    NONE = "none"
    OWN = "own"
    """The app did not get round to making the call."""
    ACCOUNT = "account"
    """A problem of the account, to be waited out: no token, no response, no access, throttling."""
    GONE = "gone"
    """The job has been deleted, or is being deleted."""
    CALL = "call"
    """Any other failure of this call."""


def trouble_of(reply: Reply) -> Trouble:
    """The kind of failure that a reply shows."""
    if reply.kind is Kind.SUCCESS:
        return Trouble.NONE
    if reply.sent is Sent.HELD:
        return Trouble.OWN
    if reply.sent is Sent.REFUSED or _is_unreadable(reply):
        return Trouble.CALL
    if reply.sent is not Sent.ANSWERED or reply.kind is Kind.ACCESS or reply.status in _OF_THE_ACCOUNT:
        return Trouble.ACCOUNT
    is_gone = reply.kind is Kind.GONE or reply.batch_code == JOB_BEING_DELETED
    return Trouble.GONE if is_gone else Trouble.CALL


def _is_unreadable(reply: Reply) -> bool:
    return reply.error is not None and not reply.has_batch_code and reply.error.code == UNREADABLE


def after_trouble(sweep: Sweep, call: ListJobs | ListTasks, reply: Reply, policy: RetryPolicy, now: datetime) -> Sweep:
    """The sweep after a failed call: it waits, continues without the job, or fails."""
    trouble = trouble_of(reply)
    if trouble is Trouble.OWN:
        # The account may be throttling all calls, not only those of sweeps.
        return _waiting(sweep, now, max(_OWN_WAIT_SECONDS, reply.retry_after or 0.0))
    if trouble is Trouble.ACCOUNT:
        return _of_the_account(sweep, reply, policy, now)
    if trouble is Trouble.GONE and isinstance(call, ListTasks):
        return course.on_job_gone(sweep)
    return after_bad_page(sweep, call, reply.as_error, now)


def after_bad_page(sweep: Sweep, call: ListJobs | ListTasks, error: ErrorBody, now: datetime) -> Sweep:
    """The sweep after a failure of one list: it repeats the call a few times, then skips the job, or fails."""
    tries = sweep.tries + 1
    if tries < MOST_TRIES:
        return _waiting(replace(sweep, tries=tries), now, _JOB_WAIT_SECONDS * tries)
    if isinstance(call, ListTasks):
        return course.on_job_passed_over(sweep, clean(f"{error.code}: {error.message}", _MOST_REASON))
    return sweep.ended(Phase.FAILED, now, error)


def _of_the_account(sweep: Sweep, reply: Reply, policy: RetryPolicy, now: datetime) -> Sweep:
    attempts = sweep.attempts + 1
    if attempts >= policy.max_attempts:
        return sweep.ended(Phase.FAILED, now, reply.as_error)
    wait = policy.seconds(attempts, reply)
    return _waiting(replace(sweep, attempts=attempts), now, wait)


def _waiting(sweep: Sweep, now: datetime, seconds: float) -> Sweep:
    return replace(sweep, due_at=now + timedelta(seconds=max(LEAST_WAIT_SECONDS, seconds)))

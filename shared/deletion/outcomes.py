"""Turns a reply of Batch into what to record: a conclusion, or another try. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.batch.pacing import backoff_seconds
from shared.batch.reply import ErrorBody, Kind, Reply, Sent
from shared.ledger.record import Certainty, Conclusion, Outcome, Record


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is tried, and how far apart."""

    max_attempts: int
    base_seconds: float
    max_seconds: float
    random: Callable[[], float]
    """Uniform in [0, 1): full jitter."""


@dataclass(frozen=True)
class End:
    """How the request ended."""

    conclusion: Conclusion
    """By this try alone; `state.conclude` takes earlier tries into account."""
    may_have_taken_effect: bool
    """Whether this try may have deleted the task."""


@dataclass(frozen=True)
class Retry:
    """Another try, after a wait."""

    error: ErrorBody | None
    wait: timedelta
    may_have_taken_effect: bool
    counts: bool = True
    """Whether it uses up one of the request's attempts."""


def after_reply(before: Record, claimed: Record, reply: Reply, policy: RetryPolicy, now: datetime) -> End | Retry:
    """What the holder of a claim records. `before` is the row as it was before this claim."""
    effect = reply.may_have_taken_effect and not claimed.request.dry_run
    if reply.kind in {Kind.TRANSIENT, Kind.ACCESS}:
        if claimed.attempts >= policy.max_attempts and reply.sent is not Sent.HELD:
            return End(exhausted(reply.error, reply, now), effect)
        return _retry(claimed, reply, effect, policy)
    if claimed.request.dry_run:
        return End(_dry_run_end(reply, now), effect)
    return End(_end(reply, before.maybe_effect, now), effect)


def _end(reply: Reply, maybe_effect_before: bool, now: datetime) -> Conclusion:
    certainty = Certainty.CONFIRMED
    if reply.kind is Kind.SUCCESS:
        outcome = Outcome.DELETED
    elif reply.kind is Kind.GONE:
        # After a try that may have taken effect, a missing task is what a lost success looks like.
        outcome = Outcome.DELETED if maybe_effect_before else Outcome.NOT_FOUND
        certainty = Certainty.INFERRED if maybe_effect_before else Certainty.CONFIRMED
    elif reply.kind is Kind.PRECONDITION:
        outcome = Outcome.PRECONDITION_FAILED
    else:
        outcome = Outcome.FAILED
    error = None if outcome is Outcome.DELETED else reply.error
    return Conclusion(outcome, certainty, now, reply.status, error, reply.request_id)


_DRY_RUN = {
    Kind.SUCCESS: Outcome.WOULD_DELETE,
    Kind.GONE: Outcome.NOT_FOUND,
    Kind.PRECONDITION: Outcome.PRECONDITION_FAILED,
}


def _dry_run_end(reply: Reply, now: datetime) -> Conclusion:
    outcome = _DRY_RUN.get(reply.kind, Outcome.FAILED)
    return Conclusion(outcome, Certainty.CONFIRMED, now, reply.status, reply.error, reply.request_id)


def exhausted(error: ErrorBody | None, reply: Reply | None, now: datetime) -> Conclusion:
    """The conclusion of a request that the app gives up on."""
    return Conclusion(
        Outcome.EXHAUSTED,
        Certainty.CONFIRMED,
        now,
        reply.status if reply else None,
        error,
        reply.request_id if reply else None,
    )


def _retry(claimed: Record, reply: Reply, may_have_taken_effect: bool, policy: RetryPolicy) -> Retry:
    seconds = backoff_seconds(claimed.attempts, policy.base_seconds, policy.max_seconds, reply, policy.random)
    counts = reply.sent is not Sent.HELD
    return Retry(reply.error, timedelta(seconds=seconds), may_have_taken_effect, counts)

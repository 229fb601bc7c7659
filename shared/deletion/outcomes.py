"""Turns a reply of Batch into the row to record: done, or released for another try. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.batch.pacing import backoff_seconds
from shared.batch.reply import ErrorBody, Kind, Reply, Sent
from shared.ledger import state
from shared.ledger.decisions import Write
from shared.ledger.record import Certainty, Conclusion, Outcome, Record


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is tried, and how far apart."""

    max_attempts: int
    base_seconds: float
    max_seconds: float
    random: Callable[[], float]
    """Uniform in [0, 1): full jitter."""

    def seconds(self, attempt: int, reply: Reply) -> float:
        """How long the next try waits after this one."""
        return backoff_seconds(attempt, self.base_seconds, self.max_seconds, reply, self.random)


def next_row(claim: Write, reply: Reply, policy: RetryPolicy, now: datetime, *, emit_pending: bool = False) -> Record:
    """The row that the holder of a claim records: done (T6), or released for another try (T7)."""
    claimed, is_dry = claim.row, claim.row.request.dry_run
    effect_before = claim.before is not None and claim.before.maybe_effect
    # More is now known about this try than was written before it.
    tried = replace(claimed, maybe_effect=effect_before or (reply.may_have_taken_effect and not is_dry))
    if reply.kind in {Kind.TRANSIENT, Kind.ACCESS}:
        counts = reply.sent is not Sent.HELD
        if not counts or claimed.attempts < policy.max_attempts:
            wait = timedelta(seconds=policy.seconds(claimed.attempts, reply))
            return state.release(tried, reply.error, now, wait, counts=counts)
        end = exhausted(reply.error, reply, now)
    else:
        end = _dry_run_end(reply, now) if is_dry else _end(reply, effect_before, now)
    return state.conclude(tried, end, emit_pending=emit_pending)


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

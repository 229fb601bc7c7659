"""The state machine: pure functions that say what a delivery may do, and what each transition writes.

    from       to         write                       condition                                    by
    T1 none     accepted   insert                      not there                                    HTTP, bulk, fan-out
    T2 none     claimed    insert                      not there                                    worker, synchronous DELETE
    T3 accepted claimed    merge                       ETag carried in the message, else of a read  worker
    T4 claimed  claimed    merge, attempts + 1         ETag; same message, higher dequeue count     redelivery
    T5 claimed  claimed    merge, attempts + 1         ETag; other message, lease over              retry, duplicate, housekeeping
    T6 claimed  done       merge of the conclusion     ETag of my own claim                         owner
    T7 claimed  released   merge: lease over, error    ETag of my own claim                         owner, before the retry message
    T8 not done done       merge or insert             ETag, never over a live lease                poison, expiry, protection, cancel
    T9 done     accepted   merge, generation + 1       ETag                                         redrive

`claim` writes `maybe_sent` ahead of the DELETE. A condition that fails is no proof that
somebody else won (a client library may have repeated a write that had succeeded): read, and decide again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.batch.reply import BatchError
from shared.errors import CorruptRecord
from shared.ledger.record import Claim, Conclusion, Record, State

PUT_WITHIN = timedelta(seconds=90)
"""So long after its release the message of a retry may still be put: the longest that a whole operation takes."""


@dataclass(frozen=True)
class Bid:
    """One delivery's wish to work on one request."""

    claim_id: str
    message_id: str
    dequeue_count: int
    payload_hash: str


class Move(StrEnum):
    """What a delivery does about a request."""

    CLAIM = "claim"
    CONTINUE = "continue"
    """The claim is mine already: its answer was lost."""
    EMIT = "emit"
    """Done: the result is still owed to whoever sent this message. No DELETE."""
    CONFLICT = "conflict"
    STALE = "stale"
    """Another delivery of the same message took over: raise, touch nothing."""
    DROP = "drop"
    """A duplicate of work under way, whose own message brings it back if it fails."""
    POSTPONE = "postpone"


@dataclass(frozen=True)
class Decision:
    """A move, and for POSTPONE the instant before which nothing is to be done."""

    move: Move
    until: datetime | None = None


def decide(record: Record | None, bid: Bid, now: datetime) -> Decision:
    """What the delivery behind `bid` does, given the row as just read (None: no row)."""
    if record is None:
        return Decision(Move.CLAIM)
    if record.payload_hash != bid.payload_hash:
        return Decision(Move.CONFLICT)
    if record.state is State.DONE:
        return Decision(Move.EMIT)
    if record.state is State.ACCEPTED:
        return _unless_early(record.due_at, now)
    return _decide_claimed(record, bid, now)


def _decide_claimed(record: Record, bid: Bid, now: datetime) -> Decision:
    claim = _claim_of(record)
    if claim.claim_id == bid.claim_id:
        return Decision(Move.CONTINUE)
    if claim.message_id == bid.message_id:
        if bid.dequeue_count <= claim.dequeue_count:
            return Decision(Move.STALE)
        # The earlier delivery has ended or been invisible for the host's whole ten minutes: no wait for its lease.
        return _unless_early(record.next_attempt_at, now)
    if _is_over(record, now):
        return _unless_early(record.next_attempt_at, now)
    if claim.has_message:
        return Decision(Move.DROP)
    return Decision(Move.POSTPONE, claim.expires_at)


def _unless_early(moment: datetime | None, now: datetime) -> Decision:
    if moment is not None and now < moment:
        return Decision(Move.POSTPONE, moment)
    return Decision(Move.CLAIM)


def decide_without_claim(record: Record | None, bid: Bid, now: datetime) -> Decision:
    """What is done with a request that is to end without a DELETE (poison, expiry, protection).

    CLAIM stands for "conclude now"; a live lease is never overridden (T8).
    """
    if record is None:
        return Decision(Move.CLAIM)
    if record.payload_hash != bid.payload_hash:
        return Decision(Move.CONFLICT)
    if record.state is State.DONE:
        return Decision(Move.EMIT)
    if record.state is State.CLAIMED and not _is_over(record, now):
        return Decision(Move.POSTPONE, _claim_of(record).expires_at)
    return Decision(Move.CLAIM)


def may_be_put_again(record: Record, now: datetime) -> bool:
    """Whether a repeat over HTTP should send the work message once more, in case the first never went out."""
    if record.state is State.ACCEPTED:
        return True
    if record.state is State.DONE:
        return False
    held = _claim_of(record)
    # A synchronous call puts its retry after it gave its claim back, within its own time or not at all.
    is_told = held.has_message or now < held.expires_at + PUT_WITHIN
    waiting = is_told and record.next_attempt_at is not None and now < record.next_attempt_at
    return _is_over(record, now) and not waiting


def claim(record: Record, bid: Bid, now: datetime, lease: timedelta) -> Record:
    """T2 to T5: the row with a new claim, marked as perhaps sent before anything is sent."""
    return replace(
        record,
        state=State.CLAIMED,
        attempts=record.attempts + 1,
        maybe_sent=True,
        maybe_effect=record.maybe_effect or not record.request.dry_run,
        claim=Claim(bid.claim_id, bid.message_id, bid.dequeue_count, now + lease),
        next_attempt_at=None,
    )


def conclude(record: Record, conclusion: Conclusion, *, emit_pending: bool = False) -> Record:
    """T6 and T8: the row with its end."""
    return replace(record, state=State.DONE, conclusion=conclusion, next_attempt_at=None, emit_pending=emit_pending)


def release(
    claimed: Record,
    before: Record,
    error: BatchError | None,
    now: datetime,
    wait: timedelta,
    *,
    was_sent: bool,
    may_have_taken_effect: bool,
    counts: bool = True,
) -> Record:
    """T7: the claim given back, with the reason and the next attempt's time.

    `before` is the row as it was before this claim: what was not sent takes its mark back, and its attempt too when
    that does not count.
    """
    held = _claim_of(claimed)
    return replace(
        claimed,
        attempts=claimed.attempts if counts else before.attempts,
        claim=replace(held, expires_at=now),
        maybe_sent=was_sent or before.maybe_sent,
        maybe_effect=may_have_taken_effect or before.maybe_effect,
        last_error=error,
        next_attempt_at=now + wait,
    )


def reopen(record: Record, now: datetime) -> Record:
    """T9: a new generation of a request that is done, accepted anew.

    The marks of earlier tries stay: a 404 may still be the echo of an earlier generation's DELETE.
    So does the due time: a request may have ended before it, by an outage or a protected job.
    """
    return replace(
        record,
        state=State.ACCEPTED,
        generation=record.generation + 1,
        accepted_at=now,
        attempts=0,
        claim=None,
        last_error=None,
        next_attempt_at=None,
        conclusion=None,
        emit_pending=False,
    )


def _is_over(record: Record, now: datetime) -> bool:
    """Whether a claim was given back, or its lease has run out.

    A claim that was given back is told by its next attempt and not by the end of its lease, which is the instant of
    that by its owner's clock: to a worker whose clock is behind it would look alive, and the retry message, the only
    one that there is, like a duplicate.
    """
    return record.next_attempt_at is not None or now >= _claim_of(record).expires_at


def _claim_of(record: Record) -> Claim:
    if record.claim is None:
        raise CorruptRecord(f"row {record.key.row} is {record.state.value} without a claim")
    return record.claim

"""The state machine: what each transition writes. Pure.

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

`decisions` decides what is done about a row, and when. `claim` writes `maybe_effect` before the DELETE.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from shared.batch.reply import ErrorBody
from shared.ledger.record import Certainty, Claim, Conclusion, Outcome, Record, State


def claim(record: Record, mine: Claim) -> Record:
    """T2 to T5: the row with a new claim, and the mark that a DELETE may have been sent, before it is."""
    return replace(
        record,
        state=State.CLAIMED,
        attempts=record.attempts + 1,
        maybe_effect=record.maybe_effect or not record.request.dry_run,
        claim=mine,
        next_attempt_at=None,
        is_queued=False,
    )


_PROVEN = frozenset({Outcome.DELETED, Outcome.NOT_FOUND, Outcome.WOULD_DELETE})
"""Outcomes that say what became of the task."""


def conclude(record: Record, conclusion: Conclusion, *, emit_pending: bool = False, by: Claim | None = None) -> Record:
    """T6 and T8: the row with its conclusion.

    One rule for every outcome: if it does not say what became of the task, it is `unknown` whenever a try of this
    request, in any generation, may have deleted it. `by` is set when a request ends without having been claimed, to
    tell a redelivery from a repeat.
    """
    if record.maybe_effect and conclusion.outcome not in _PROVEN:
        conclusion = replace(conclusion, certainty=Certainty.UNKNOWN)
    return replace(
        record,
        state=State.DONE,
        conclusion=conclusion,
        claim=replace(by, expires_at=conclusion.completed_at) if by else record.claim,
        next_attempt_at=None,
        is_counted=True,
        emit_pending=emit_pending,
    )


def release(claimed: Record, error: ErrorBody | None, now: datetime, wait: timedelta, *, counts: bool = True) -> Record:
    """T7: the row with its claim released, the reason, and the time of the next attempt.

    A try that does not count gives its attempt back.
    """
    return replace(
        claimed,
        attempts=claimed.attempts if counts else claimed.attempts - 1,
        claim=replace(claimed.held, expires_at=now),
        last_error=error,
        next_attempt_at=now + wait,
        is_counted=True,
    )


def reopen(record: Record, now: datetime) -> Record:
    """T9: a new generation of a request that is done.

    The mark of earlier tries stays: a 404 may still be due to an earlier generation's DELETE.
    So does the due time: an outage or a protected job may have ended the request before it.
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
        is_queued=False,
        conclusion=None,
        emit_pending=False,
    )


def is_over(record: Record, now: datetime) -> bool:
    """Whether a claim was released, or its lease has expired.

    A released claim is recognised by its next attempt and not by the end of its lease, which was set by the owner's
    clock. To a worker whose clock is behind, the lease would look live, and the only retry message like a duplicate.
    """
    return record.next_attempt_at is not None or now >= record.held.expires_at

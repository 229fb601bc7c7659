"""What is done about a row: pure functions of the row as just read (None: no row).

Each answers with what to write or why to leave the row; `RecordStore.settle` carries that out. A condition that fails
is no proof that somebody else won (a client library may have repeated a write that had succeeded): read, and decide
again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.ledger import state
from shared.ledger.record import Conclusion, Holder, Record, State


class Change(StrEnum):
    """What a write does to a row."""

    ACCEPTED = "accepted"
    CLAIMED = "claimed"
    ENDED = "ended"
    RELEASED = "released"
    REOPENED = "reopened"
    MARKED = "marked"
    """Done before: its result is owed once more."""


class Reason(StrEnum):
    """Why a row is left as it is."""

    MINE = "mine"
    """This invocation has written it already: the answer was lost."""
    DONE = "done"
    CONFLICT = "conflict"
    STALE = "stale"
    """Another delivery or worker took over: touch nothing."""
    IN_FLIGHT = "in-flight"
    """A duplicate of work under way, whose own message brings it back if it fails."""
    NOT_YET = "not-yet"
    """Nothing is to be done before `Record.due`."""
    WAITING = "waiting"
    """As NOT_YET, for a message that the host gave up: the row is alive and needs a message of its own."""
    OPEN = "open"
    UNKNOWN = "unknown"
    """There is no such row."""
    SUPERSEDED = "superseded"
    """A newer generation has taken the place of the one that is meant."""


@dataclass(frozen=True)
class Write:
    """The row as it is to be, and what that is."""

    row: Record
    why: Change


@dataclass(frozen=True)
class Leave:
    """Nothing is to be written."""

    why: Reason


def on_delivery(
    found: Record | None,
    asked: Record,
    holder: Holder,
    veto: Conclusion | None,
    now: datetime,
    lease: timedelta,
) -> Write | Leave:
    """What a delivery does about a request. `asked` is the request as its message tells it.

    With a `veto` the request ends without a DELETE, but never over a live lease (T8).
    """
    if found is not None:
        left = _left_alone(found, asked)
        if left is None and found.state is State.CLAIMED:
            left = _while_vetoed(found, now) if veto else _while_claimed(found, holder, now)
        if left is not None:
            return left
    row = found or replace(asked, etag=None)
    if veto is not None:
        return Write(state.conclude(row, veto, holder=holder), Change.ENDED)
    # The lease of a claim is no due time: it is over, or its message was handed on.
    due = row.next_attempt_at if row.state is State.CLAIMED else row.due_at
    if due is not None and now < due:
        return Leave(Reason.NOT_YET) if found else Write(row, Change.ACCEPTED)
    claimed = state.claim(row, holder, now, lease)
    # A claim of many comes without the count of their parent, which forty instances would fight over twice as often.
    return Write(claimed if found else replace(claimed, is_counted=False), Change.CLAIMED)


def on_poison(
    found: Record | None, asked: Record, end: Conclusion, veto: Conclusion | None, now: datetime
) -> Write | Leave:
    """What becomes of a request whose message the host gave up: `end`, unless it is alive.

    Alive are a live claim, a retry that waits and a request that is not yet due: their time comes with a message of
    their own.
    """
    left = _beyond_poison(found, asked, now) if found else None
    if left is not None:
        return left
    row = found or replace(asked, etag=None)
    if veto is not None:
        return Write(state.conclude(row, veto, emit_pending=True), Change.ENDED)
    due = row.next_attempt_at if row.state is State.CLAIMED else row.due_at
    if due is not None and now < due:
        return Leave(Reason.WAITING) if found else Write(row, Change.ACCEPTED)
    known = replace(end, error=row.last_error) if row.last_error else end
    return Write(state.conclude(row, known, emit_pending=True), Change.ENDED)


def _beyond_poison(found: Record, asked: Record, now: datetime) -> Write | Leave | None:
    """What is done about a row that is over, redriven since, or under a live claim."""
    left = _left_alone(found, asked)
    if left == Leave(Reason.DONE) and not found.emit_pending:
        # Should the host not show this copy again, housekeeping sends what the mark says is owed.
        return Write(replace(found, emit_pending=True), Change.MARKED)
    if left is not None:
        return left
    if asked.generation < found.generation:
        return Leave(Reason.SUPERSEDED)  # A late copy must not end the newer generation.
    return Leave(Reason.NOT_YET) if found.state is State.CLAIMED and not state.is_over(found, now) else None


def on_repeat(found: Record | None, asked: Record) -> Write | Leave:
    """Accepting a request (T1), or what its id stands for already."""
    if found is None:
        return Write(replace(asked, etag=None), Change.ACCEPTED)
    return _left_alone(found, asked) or Leave(Reason.OPEN)


def on_call(found: Record | None, asked: Record, holder: Holder, now: datetime, lease: timedelta) -> Write | Leave:
    """The synchronous DELETE: it claims what is new (T2); everything else is a repeat."""
    if found is None:
        return Write(state.claim(asked, holder, now, lease), Change.CLAIMED)
    if found.claim and found.claim.claim_id == holder.claim_id and found.state is State.CLAIMED:
        return Leave(Reason.MINE)
    return _left_alone(found, asked) or Leave(Reason.OPEN)


def on_cancel(found: Record | None, end: Conclusion) -> Write | Leave:
    """Taking a request back, which only one without a claim allows (T8)."""
    if found is None:
        return Leave(Reason.UNKNOWN)
    if found.state is State.ACCEPTED:
        return Write(state.conclude(found, end, emit_pending=True), Change.ENDED)
    return Leave(Reason.DONE if found.state is State.DONE else Reason.OPEN)


def on_redrive(found: Record | None, fresh: Record, now: datetime, *, is_its_end: bool) -> Write | Leave:
    """A new generation of a request that a dead letter is about (T9).

    `fresh` is the request as the dead letter alone tells it, in the generation to come; `is_its_end` says whether the
    row ended as the letter tells.
    """
    if found is None:
        return Write(fresh, Change.REOPENED)
    if found.generation >= fresh.generation:
        # The call that wrote this may have died before its message went out.
        return Leave(Reason.OPEN if found.state is State.ACCEPTED else Reason.SUPERSEDED)
    if found.state is not State.DONE or not is_its_end:
        # At work, or ended otherwise: the id was used again after its row had been purged.
        return Leave(Reason.STALE)
    return Write(replace(state.reopen(found, now), origin=fresh.origin, generation=fresh.generation), Change.REOPENED)


def on_record(found: Record | None, mine: str, after: Record, why: Change) -> Write | Leave:
    """Recording what a claim came to (T6, T7). `mine` is the claim's id."""
    if found is None or found.state is State.ACCEPTED:
        return Leave(Reason.STALE)
    if found.state is State.DONE:
        return Leave(Reason.DONE)
    if state.claim_of(found).claim_id != mine:
        return Leave(Reason.STALE)
    # Given back already: by this very write, whose answer was lost.
    return Leave(Reason.MINE) if found.is_released else Write(after, why)


def _left_alone(found: Record, asked: Record) -> Leave | None:
    """A request that is over, or another one's."""
    if found.payload_hash != asked.payload_hash:
        return Leave(Reason.CONFLICT)
    return Leave(Reason.DONE) if found.state is State.DONE else None


def _while_vetoed(found: Record, now: datetime) -> Leave | None:
    return None if state.is_over(found, now) else Leave(Reason.NOT_YET)


def _while_claimed(found: Record, holder: Holder, now: datetime) -> Leave | None:
    if found.claim is None:
        return None  # A retry's message tells of the release and not of whose claim that was.
    if found.claim.claim_id == holder.claim_id:
        return Leave(Reason.MINE)
    if found.claim.message_id == holder.message_id:
        # The earlier delivery has ended or been invisible for the host's whole ten minutes: no wait for its lease.
        return Leave(Reason.STALE) if holder.dequeue_count <= found.claim.dequeue_count else None
    if state.is_over(found, now):
        return None
    return Leave(Reason.IN_FLIGHT if found.claim.has_message else Reason.NOT_YET)


def needs_requeue(record: Record, now: datetime) -> bool:
    """Whether a repeat over HTTP sends the work message once more: always, unless the row says that it was put."""
    if record.state is not State.CLAIMED:
        return record.state is State.ACCEPTED
    if not (state.claim_of(record).has_message or record.is_queued):
        return True
    # The message that holds or held the claim is let go only when that of the retry was put.
    waiting = record.next_attempt_at is not None and now < record.next_attempt_at
    return state.is_over(record, now) and not waiting

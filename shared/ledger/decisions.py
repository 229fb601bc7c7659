"""Decides what to do about a row: pure functions of the row as just read (None: no row).

Each returns what to write, or why to leave the row alone; `RecordStore.settle` carries that out. A failed condition
does not prove that another writer won, because a client library may have repeated a write that had succeeded. So the
row is read, and decided about, again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.ledger import state
from shared.ledger.record import Claim, Conclusion, Record, State


class Change(StrEnum):
    """What a write does to a row."""

    ACCEPTED = "accepted"
    CLAIMED = "claimed"
    ENDED = "ended"
    RELEASED = "released"
    REOPENED = "reopened"
    MARKED = "marked"
    """Already done; its result must be sent again."""


class Reason(StrEnum):
    """Why a row is left as it is."""

    MINE = "mine"
    """This invocation has already written it; the answer was lost."""
    DONE = "done"
    CONFLICT = "conflict"
    STALE = "stale"
    """Another delivery or worker took over: touch nothing."""
    IN_FLIGHT = "in-flight"
    """A duplicate of work in progress. That work has its own message, which is redelivered if it fails."""
    NOT_YET = "not-yet"
    """There is nothing to do before `Record.due`."""
    WAITING = "waiting"
    """As NOT_YET, for a message that the host gave up on: the row is alive and needs a new message."""
    OPEN = "open"
    UNKNOWN = "unknown"
    """There is no such row."""
    SUPERSEDED = "superseded"
    """The row is in a newer generation than the one meant."""


@dataclass(frozen=True)
class Write:
    """The row to write, and what that changes; once written, the row as stored."""

    row: Record
    why: Change
    before: Record | None = None
    """The row that the write was based on, once it is written; None for an insert."""

    @property
    def record(self) -> Record:
        """The row as it is now."""
        return self.row


@dataclass(frozen=True)
class Leave:
    """Nothing to write."""

    why: Reason
    row: Record | None = None
    """The row as found, once that is settled."""
    before: Record | None = None
    """The row that an earlier write was based on, whose answer was lost."""

    @property
    def record(self) -> Record:
        """The row as it is now, where the reason implies that there is one."""
        if self.row is None:
            raise ValueError(f"{self.why} is about no row")
        return self.row


def on_delivery(
    found: Record | None, asked: Record, mine: Claim, veto: Conclusion | None, now: datetime
) -> Write | Leave:
    """What a delivery does about a request. `asked` is the request as its message describes it.

    `mine` is the claim that it would make. A `veto` ends the request without a DELETE, but never while a lease is live (T8).
    """
    if found is not None:
        left = _left_alone(found, asked)
        if left is None and found.state is State.CLAIMED:
            left = _while_vetoed(found, now) if veto else _while_claimed(found, mine, now)
        if left is not None:
            return left
    row = found or replace(asked, etag=None)
    if veto is not None:
        return Write(state.conclude(row, veto, by=mine), Change.ENDED)
    # A lease's end is not a due time: the lease is over, or its message was delivered again.
    due = row.next_attempt_at if row.state is State.CLAIMED else row.due_at
    if due is not None and now < due:
        return Leave(Reason.NOT_YET) if found else Write(row, Change.ACCEPTED)
    claimed = state.claim(row, mine)
    # A claim of many comes without the count of their parent, which forty instances would fight over twice as often.
    return Write(claimed if found else replace(claimed, is_counted=False), Change.CLAIMED)


def on_poison(
    found: Record | None, asked: Record, end: Conclusion, veto: Conclusion | None, now: datetime
) -> Write | Leave:
    """What becomes of a request whose message the host gave up on: `end`, unless the request is alive.

    It is alive while its claim is live, its retry waits, or it is not yet due. Another message then brings it back.
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
    """What to do about a row that is done, has since been redriven, or is under a live claim."""
    left = _left_alone(found, asked)
    if left == Leave(Reason.DONE) and not found.emit_pending:
        # If the host never delivers this copy again, housekeeping finds the mark and sends the result.
        return Write(replace(found, emit_pending=True), Change.MARKED)
    if left is not None:
        return left
    if asked.generation < found.generation:
        return Leave(Reason.SUPERSEDED)  # A late copy must not end the newer generation.
    return Leave(Reason.NOT_YET) if found.state is State.CLAIMED and not state.is_over(found, now) else None


def on_repeat(found: Record | None, asked: Record) -> Write | Leave:
    """Accepts a request (T1), or says what its id already stands for."""
    if found is None:
        return Write(replace(asked, etag=None), Change.ACCEPTED)
    return _left_alone(found, asked) or Leave(Reason.OPEN)


def on_call(found: Record | None, asked: Record, mine: Claim) -> Write | Leave:
    """The synchronous DELETE: claims a new request (T2); anything else is a repeat."""
    if found is None:
        return Write(state.claim(asked, mine), Change.CLAIMED)
    if found.claim and found.claim.claim_id == mine.claim_id and found.state is State.CLAIMED:
        return Leave(Reason.MINE)
    return _left_alone(found, asked) or Leave(Reason.OPEN)


def on_cancel(found: Record | None, end: Conclusion) -> Write | Leave:
    """Cancels a request that no claim has touched in this generation (T8)."""
    if found is None:
        return Leave(Reason.UNKNOWN)
    if found.state is State.ACCEPTED:
        return Write(state.conclude(found, end, emit_pending=True), Change.ENDED)
    return Leave(Reason.DONE if found.state is State.DONE else Reason.OPEN)


def on_redrive(found: Record | None, fresh: Record, now: datetime, *, is_its_end: bool) -> Write | Leave:
    """Starts a new generation of a dead letter's request (T9).

    `fresh` is the request rebuilt from the dead letter, with its new generation and its due time; `is_its_end` says
    whether the row ended as the letter says.
    """
    if found is None:
        return Write(fresh, Change.REOPENED)
    if found.generation >= fresh.generation:
        # The call that wrote this may have died before it sent the message.
        return Leave(Reason.OPEN if found.state is State.ACCEPTED else Reason.SUPERSEDED)
    if found.state is not State.DONE or not is_its_end:
        # In progress, or ended differently: the id was used again after its row was purged.
        return Leave(Reason.STALE)
    again = state.reopen(found, now)
    again = replace(again, origin=fresh.origin, generation=fresh.generation, due_at=fresh.due_at)
    return Write(again, Change.REOPENED)


def on_record(found: Record | None, mine: str, after: Record, why: Change) -> Write | Leave:
    """Records the result of a claim (T6, T7). `mine` is the claim's id."""
    if found is None or found.state is State.ACCEPTED:
        return Leave(Reason.STALE)
    if found.state is State.DONE:
        return Leave(Reason.DONE)
    if found.held.claim_id != mine:
        return Leave(Reason.STALE)
    # Already released, by this same write, whose answer was lost.
    return Leave(Reason.MINE) if found.is_released else Write(after, why)


def _left_alone(found: Record, asked: Record) -> Leave | None:
    """Leaves a row alone that is done or that belongs to another payload."""
    if found.payload_hash != asked.payload_hash:
        return Leave(Reason.CONFLICT)
    return Leave(Reason.DONE) if found.state is State.DONE else None


def _while_vetoed(found: Record, now: datetime) -> Leave | None:
    return None if state.is_over(found, now) else Leave(Reason.NOT_YET)


def _while_claimed(found: Record, mine: Claim, now: datetime) -> Leave | None:
    if found.claim is None:
        return None  # A retry's message records the release, but not whose claim it was.
    if found.claim.claim_id == mine.claim_id:
        return Leave(Reason.MINE)
    if found.claim.message_id == mine.message_id:
        # The earlier delivery has ended, or was hidden for the host's full ten minutes: no need to wait for its lease.
        return Leave(Reason.STALE) if mine.dequeue_count <= found.claim.dequeue_count else None
    if state.is_over(found, now):
        return None
    return Leave(Reason.IN_FLIGHT if found.claim.has_message else Reason.NOT_YET)


def needs_requeue(record: Record, now: datetime) -> bool:
    """Whether a repeat over HTTP sends the work message again: always, unless the row shows that it was sent."""
    if record.state is not State.CLAIMED:
        return record.state is State.ACCEPTED
    if not (record.held.has_message or record.is_queued):
        return True
    # The message that holds or held the claim is deleted only after the retry's message was put.
    waiting = record.next_attempt_at is not None and now < record.next_attempt_at
    return state.is_over(record, now) and not waiting

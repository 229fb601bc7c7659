"""Decisions about a clean-up, as pure functions of its row.

Each message of a clean-up carries a step number. The row records which step is done and by which message, so that
a redelivery repeats its step, and a duplicate of a step that another message has done is dropped.

    row                                     step                poison copy     cancel
    none                                    run                 end             -
    another payload                         conflict            conflict        -
    ended                                   close again         close again     mark while open, else too late
    ended, listed again, at this step       run                 close again     mark, and stop
    at this step                            run                 end             end
    one step later, done by this message    run                 end             end
    later otherwise                         skip                skip            end
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.batch.reply import ErrorBody
from shared.cleanup.record import Cleanup, Phase, Stand
from shared.ledger.record import Outcome

STANDS_STILL_AFTER = timedelta(days=1)


class StepDecision(StrEnum):
    """What a message does to its clean-up."""

    RUN = "run"
    """Also for a redelivery of the message that did the step: the first delivery may have died halfway."""
    END = "end"
    """The host gave up the message."""
    CLOSE_AGAIN = "close-again"
    """The clean-up is over. Its closing event is published again with the same id; the clean-up is not run again."""
    SKIP = "skip"
    """Another message did this step, and sends the next one."""
    CONFLICT = "conflict"


def on_step(found: Cleanup | None, payload_hash: str, number: int, message_id: str) -> StepDecision:
    """The decision for a message with this step number, given the row as read (None: no row)."""
    if found is None:
        return StepDecision.RUN
    if found.payload_hash != payload_hash:
        return StepDecision.CONFLICT
    is_mine = found.step == number or (found.step == number + 1 and found.step_message == message_id)
    if found.has_ended and not (found.is_relisting and is_mine):
        # Also for the message that ended it: Batch's answer may differ by now, and the end has been published.
        return StepDecision.CLOSE_AGAIN
    return StepDecision.RUN if is_mine else StepDecision.SKIP


def on_poison(found: Cleanup | None, payload_hash: str, number: int) -> StepDecision:
    """The decision for the poison copy of a message with this step number.

    A poison copy has a new message id, so a step that its original completed looks like another message's; it ends the
    clean-up anyway. A redriven clean-up has no step done yet, and leftover messages of the last generation must not end it.
    """
    if found is None:
        return StepDecision.END
    if found.payload_hash != payload_hash:
        return StepDecision.CONFLICT
    if found.has_ended:
        return StepDecision.CLOSE_AGAIN
    may_be_mine = found.step == number or (found.step == number + 1 and found.step_message is not None)
    return StepDecision.END if may_be_mine else StepDecision.SKIP


def step_done(cleanup: Cleanup, number: int, message_id: str | None) -> Cleanup:
    """The row, with this step recorded as done by this message."""
    return replace(cleanup, step=number + 1, step_message=message_id)


def ended(cleanup: Cleanup, outcome: Outcome, error: ErrorBody | None, now: datetime) -> Cleanup:
    """The row of a clean-up that ends before everything is listed."""
    phase = Phase.CANCELLED if outcome is Outcome.CANCELLED else Phase.FAILED
    return replace(cleanup, phase=phase, outcome=outcome, error=error, ended_at=now)


def at_first_page(cleanup: Cleanup) -> Cleanup:
    """The row with nothing of the job listed yet."""
    return replace(cleanup, next_page=None, link_mark="", attempts=0)


def begun_again(cleanup: Cleanup) -> Cleanup:
    """The row of a clean-up that starts again from the job's state, with an unused step number."""
    return replace(
        at_first_page(cleanup),
        phase=Phase.WAITING,
        skipped=0,
        step=cleanup.step + 1,
        step_message=None,
        with_rows=True,
    )


class CancelDecision(StrEnum):
    """What cancelling does to a clean-up."""

    END = "end"
    """Nothing more is listed."""
    MARK = "mark"
    """It has already ended; only its requests that have not begun are cancelled."""
    ALREADY = "already"
    TOO_LATE = "too-late"
    UNKNOWN = "unknown"


def on_cancel(found: Cleanup | None, still_open: int) -> CancelDecision:
    """The decision on cancelling, given the row as read and the number of its open requests."""
    if found is None:
        return CancelDecision.UNKNOWN
    if found.cancelled_at is not None:
        return CancelDecision.ALREADY
    if not found.has_ended:
        return CancelDecision.END
    return CancelDecision.MARK if still_open else CancelDecision.TOO_LATE


def cancelled(found: Cleanup, decision: CancelDecision, now: datetime) -> Cleanup:
    """The row after END or MARK. If a step is still queued, it will find the clean-up ended."""
    if decision is CancelDecision.END:
        found = ended(found, Outcome.CANCELLED, None, now)
    return replace(found, cancelled_at=now, is_relisting=False)


def after_look(
    found: Cleanup, still_open: int, now: datetime, oldest_message: datetime | None = None
) -> Cleanup | None:
    """The row after the daily round has counted its open requests; None if nothing needs to be written.

    A request whose message was lost would stay open forever. If the count has not changed for a day, the job is listed
    again: `is_relisting`, with an unused step number. A failed or cancelled clean-up is not listed again; instead, its
    requests without rows are no longer counted. Neither happens while the request queue is a day behind:
    `oldest_message` is when its oldest visible message was sent, None if there is none.
    """
    if not found.has_ended or found.is_settled:
        return None
    if still_open == 0:
        return replace(found, stand=None, is_settled=True)
    is_wanted = found.phase is Phase.LISTED and found.cancelled_at is None
    if found.with_rows and not is_wanted:
        return None
    if found.stand is None or found.stand.open != still_open:
        return replace(found, stand=Stand(still_open, now))
    is_behind = oldest_message is not None and now - oldest_message >= STANDS_STILL_AFTER
    if is_behind or now - found.stand.since < STANDS_STILL_AFTER:
        return None
    return _listed_again(found, still_open, now) if is_wanted else replace(found, with_rows=True, stand=None)


def _listed_again(found: Cleanup, still_open: int, now: datetime) -> Cleanup:
    again = replace(at_first_page(found), stand=Stand(still_open, now), is_relisting=True)
    return replace(again, step=found.step + 1, step_message=None)

"""What is done about a clean-up: pure functions of its row.

Each message of a clean-up carries a step number. The row says which step is done and by which message, so that
a redelivery repeats its own step, and a duplicate of one that another message has done is dropped.

    row                                     step                poison copy     cancel
    none                                    run                 end             -
    asked for something else                conflict            conflict        -
    ended                                   close again         close again     mark while open, else too late
    ended, listed again, at this step       run                 close again     mark, and stop
    at this step                            run                 end             end
    past it by one, by this message         run                 end             end
    past it otherwise                       skip                skip            end
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
    """What a message does about its clean-up."""

    RUN = "run"
    """Also for a redelivery of the message that did the step: it may have died before the step's end."""
    END = "end"
    """The host gave it up."""
    CLOSE_AGAIN = "close-again"
    """The clean-up is over: it is closed again under the same id, and never carried out again."""
    SKIP = "skip"
    """Another message did this step, and its own successor is on its way."""
    CONFLICT = "conflict"


def on_step(found: Cleanup | None, payload_hash: str, number: int, message_id: str) -> StepDecision:
    """What a message with this step does, given the row as just read (None: no row)."""
    if found is None:
        return StepDecision.RUN
    if found.payload_hash != payload_hash:
        return StepDecision.CONFLICT
    is_mine = found.step == number or (found.step == number + 1 and found.step_message == message_id)
    if found.has_ended and not (found.is_relisting and is_mine):
        # Also for the message that ended it: Batch may say something else by now, and the end has been told.
        return StepDecision.CLOSE_AGAIN
    return StepDecision.RUN if is_mine else StepDecision.SKIP


def on_poison(found: Cleanup | None, payload_hash: str, number: int) -> StepDecision:
    """What the poison copy of a message with this step does.

    A copy has a message id of its own, so a step that its original completed looks like another message's: it ends
    the clean-up all the same. One that was put back has no step done yet, and what is left of its last generation must
    not end it.
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
    """The row with this step as done by this message."""
    return replace(cleanup, step=number + 1, step_message=message_id)


def ended(cleanup: Cleanup, outcome: Outcome, error: ErrorBody | None, now: datetime) -> Cleanup:
    """The row of a clean-up that cannot be carried out."""
    phase = Phase.CANCELLED if outcome is Outcome.CANCELLED else Phase.FAILED
    return replace(cleanup, phase=phase, outcome=outcome, error=error, ended_at=now)


def begun_again(cleanup: Cleanup) -> Cleanup:
    """The row of a clean-up whose job is looked at from the beginning, by a step with a number that no message has."""
    return replace(
        cleanup,
        phase=Phase.WAITING,
        next_page=None,
        skipped=0,
        step=cleanup.step + 1,
        step_message=None,
        attempts=0,
        with_rows=True,
    )


class CancelDecision(StrEnum):
    """What cancelling a clean-up comes to."""

    END = "end"
    """Nothing more is listed."""
    MARK = "mark"
    """All was listed, or it failed on the way; what it asked for and nobody has begun is taken back."""
    ALREADY = "already"
    TOO_LATE = "too-late"
    UNKNOWN = "unknown"


def on_cancel(found: Cleanup | None, still_open: int) -> CancelDecision:
    """What cancelling does, given the row as just read and how many of its requests are open."""
    if found is None:
        return CancelDecision.UNKNOWN
    if found.cancelled_at is not None:
        return CancelDecision.ALREADY
    if not found.has_ended:
        return CancelDecision.END
    return CancelDecision.MARK if still_open else CancelDecision.TOO_LATE


def cancelled(found: Cleanup, decision: CancelDecision, now: datetime) -> Cleanup:
    """The row of END or MARK. Its next step, should one be out, finds it ended."""
    if decision is CancelDecision.END:
        found = ended(found, Outcome.CANCELLED, None, now)
    return replace(found, cancelled_at=now, is_relisting=False)


def after_look(
    found: Cleanup, still_open: int, now: datetime, oldest_message: datetime | None = None
) -> Cleanup | None:
    """The row after the daily round counted its open requests; None when nothing is to be written.

    What is lost with its message would be open for good. So a clean-up whose count has stood still for a day is listed
    again: `is_relisting`, by a step with a number that no message has. One that failed or was cancelled is not, since
    nobody wants more of it: from then on what it asked for without a row is no longer counted. But not while the queue
    of requests is a day behind: `oldest_message` is when the oldest one that is visible there was put, None when there
    is none.
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
    anew = replace(found, stand=Stand(still_open, now), is_relisting=True, next_page=None, attempts=0)
    return replace(anew, step=found.step + 1, step_message=None)

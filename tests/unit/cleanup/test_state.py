"""Decisions about a clean-up, one test per row of the decision table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.cleanup import state
from shared.cleanup.event import JobEvent
from shared.cleanup.record import Cleanup, Phase, Stand, new_cleanup
from shared.cleanup.state import CancelDecision, StepDecision
from shared.ledger.record import Outcome

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
EVENT = JobEvent.model_validate(
    {"event_id": "0f0e0d0c-0b0a-0908-0706-050403020100", "job_id": "j", "batch_url": "https://a.r.batch.azure.com"}
)
FRESH = new_cleanup(EVENT, NOW)
AT_3 = replace(FRESH, step=3, step_message="m-2", phase=Phase.LISTING)
LISTED = replace(FRESH, step=4, step_message="m-3", phase=Phase.LISTED)
RELISTING = replace(LISTED, is_relisting=True, step=5, step_message=None)


@pytest.mark.parametrize(
    ("found", "number", "message", "decision"),
    [
        (None, 0, "m", StepDecision.RUN),
        (None, 7, "m", StepDecision.RUN),
        (replace(AT_3, payload_hash="other"), 3, "m", StepDecision.CONFLICT),
        (AT_3, 3, "m-3", StepDecision.RUN),
        (AT_3, 2, "m-2", StepDecision.RUN),
        (AT_3, 2, "m-x", StepDecision.SKIP),
        (AT_3, 1, "m-2", StepDecision.SKIP),
        (AT_3, 4, "m-2", StepDecision.SKIP),
        (LISTED, 3, "m-3", StepDecision.CLOSE_AGAIN),
        (LISTED, 4, "m-4", StepDecision.CLOSE_AGAIN),
        (RELISTING, 5, "m-4", StepDecision.RUN),
        (replace(RELISTING, step=6, step_message="m-5"), 5, "m-5", StepDecision.RUN),
        (RELISTING, 3, "m-3", StepDecision.CLOSE_AGAIN),
    ],
)
def test_what_a_step_does(found: Cleanup | None, number: int, message: str, decision: StepDecision) -> None:
    """Whether a step runs depends on the row's step number and on the message that did the last step."""
    assert state.on_step(found, FRESH.payload_hash, number, message) is decision


@pytest.mark.parametrize(
    ("found", "number", "decision"),
    [
        (None, 0, StepDecision.END),
        (replace(AT_3, payload_hash="other"), 3, StepDecision.CONFLICT),
        (LISTED, 3, StepDecision.CLOSE_AGAIN),
        (RELISTING, 5, StepDecision.CLOSE_AGAIN),
        (AT_3, 3, StepDecision.END),
        (AT_3, 2, StepDecision.END),
        (AT_3, 1, StepDecision.SKIP),
        (replace(AT_3, step_message=None), 2, StepDecision.SKIP),
    ],
)
def test_what_a_poison_copy_does(found: Cleanup | None, number: int, decision: StepDecision) -> None:
    """A poison copy ends the clean-up, closes it again or is dropped, depending on the row's step and state."""
    assert state.on_poison(found, FRESH.payload_hash, number) is decision


@pytest.mark.parametrize(
    ("found", "open_requests", "decision"),
    [
        (FRESH, 0, CancelDecision.END),
        (AT_3, 5, CancelDecision.END),
        (LISTED, 5, CancelDecision.MARK),
        (LISTED, 0, CancelDecision.TOO_LATE),
        (replace(LISTED, phase=Phase.FAILED), 1, CancelDecision.MARK),
        (replace(LISTED, phase=Phase.FAILED), 0, CancelDecision.TOO_LATE),
        (replace(LISTED, cancelled_at=NOW), 5, CancelDecision.ALREADY),
        (replace(LISTED, cancelled_at=NOW), 0, CancelDecision.ALREADY),
    ],
)
def test_what_cancelling_comes_to(found: Cleanup, open_requests: int, decision: CancelDecision) -> None:
    """Cancelling ends an unfinished listing, marks open requests as cancelled, or comes too late."""
    assert state.on_cancel(found, open_requests) is decision


def test_a_cancelled_clean_up_keeps_what_it_was_when_all_was_listed() -> None:
    """Only a clean-up that is not fully listed becomes `cancelled`; otherwise it keeps its state."""
    ended = state.cancelled(AT_3, CancelDecision.END, NOW)
    assert (ended.phase, ended.outcome, ended.ended_at, ended.error) == (Phase.CANCELLED, Outcome.CANCELLED, NOW, None)
    marked = state.cancelled(RELISTING, CancelDecision.MARK, NOW)
    assert marked == replace(RELISTING, cancelled_at=NOW, is_relisting=False)


def test_a_count_that_stands_still_for_a_day_lists_the_job_again() -> None:
    """A job is listed again once its count of open requests has not changed for a day."""
    first = state.after_look(LISTED, 5, NOW)
    assert first == replace(LISTED, stand=Stand(5, NOW))
    assert state.after_look(first, 5, NOW + timedelta(hours=23)) is None
    again = state.after_look(first, 5, NOW + timedelta(days=1))
    assert again is not None
    assert (again.is_relisting, again.step, again.step_message) == (True, LISTED.step + 1, None)
    assert (again.phase, again.stand) == (Phase.LISTED, Stand(5, NOW + timedelta(days=1)))


def test_a_count_that_moves_is_looked_at_again() -> None:
    """If the count has changed, its day starts again; once nothing is open, it is not checked any more."""
    stood = replace(LISTED, stand=Stand(5, NOW))
    later = NOW + timedelta(days=3)
    assert state.after_look(stood, 4, later) == replace(LISTED, stand=Stand(4, later))
    settled = state.after_look(stood, 0, later)
    assert settled == replace(LISTED, is_settled=True)
    assert state.after_look(settled, 1, later) is None


OVER = [replace(LISTED, phase=Phase.FAILED), replace(LISTED, phase=Phase.CANCELLED), replace(LISTED, cancelled_at=NOW)]


@pytest.mark.parametrize("found", [FRESH, AT_3, *(replace(found, with_rows=True) for found in OVER)])
def test_only_what_was_listed_and_not_cancelled_is_listed_again(found: Cleanup) -> None:
    """A clean-up that is not fully listed, or is over, is never listed again."""
    assert state.after_look(replace(found, stand=Stand(5, NOW)), 5, NOW + timedelta(days=9)) is None


@pytest.mark.parametrize("found", OVER)
def test_what_is_over_and_stands_still_counts_its_rows_alone(found: Cleanup) -> None:
    """A cancelled or failed clean-up whose count stands still for a day stops counting requests without rows."""
    first = state.after_look(found, 5, NOW)
    assert first == replace(found, stand=Stand(5, NOW))
    assert state.after_look(first, 5, NOW + timedelta(hours=23)) is None
    assert state.after_look(first, 5, NOW + timedelta(days=1)) == replace(found, with_rows=True)


def test_a_queue_that_is_behind_loses_nothing() -> None:
    """Nothing is listed again while the queue holds older messages, in which the requests may still be."""
    stood = replace(LISTED, stand=Stand(5, NOW))
    later = NOW + timedelta(days=2)
    assert state.after_look(stood, 5, later, oldest_message=NOW + timedelta(hours=1)) is None
    assert state.after_look(stood, 5, later, oldest_message=later) is not None

"""What is done about a clean-up: each row of the table of decisions."""

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
    """The decision depends on the row's step number and on the message that did the last step."""
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
    """A copy has an id of its own, so the step that its original did is its too; but not in a row put back."""
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
    """Nothing more is listed, what is open is taken back, or it is too late."""
    assert state.on_cancel(found, open_requests) is decision


def test_a_cancelled_clean_up_keeps_what_it_was_when_all_was_listed() -> None:
    """Only an unfinished clean-up becomes `cancelled`; a repeated listing stops."""
    ended = state.cancelled(AT_3, CancelDecision.END, NOW)
    assert (ended.phase, ended.outcome, ended.ended_at, ended.error) == (Phase.CANCELLED, Outcome.CANCELLED, NOW, None)
    marked = state.cancelled(RELISTING, CancelDecision.MARK, NOW)
    assert marked == replace(RELISTING, cancelled_at=NOW, is_relisting=False)


def test_a_count_that_stands_still_for_a_day_lists_the_job_again() -> None:
    """Counted from the look that first found it, by a step with a number that no message has."""
    first = state.after_look(LISTED, 5, NOW)
    assert first == replace(LISTED, stand=Stand(5, NOW))
    assert state.after_look(first, 5, NOW + timedelta(hours=23)) is None
    again = state.after_look(first, 5, NOW + timedelta(days=1))
    assert again is not None
    assert (again.is_relisting, again.step, again.step_message) == (True, LISTED.step + 1, None)
    assert (again.phase, again.stand) == (Phase.LISTED, Stand(5, NOW + timedelta(days=1)))


def test_a_count_that_moves_is_looked_at_again() -> None:
    """Its day begins anew; at nothing open, no look is needed any more."""
    stood = replace(LISTED, stand=Stand(5, NOW))
    later = NOW + timedelta(days=3)
    assert state.after_look(stood, 4, later) == replace(LISTED, stand=Stand(4, later))
    settled = state.after_look(stood, 0, later)
    assert settled == replace(LISTED, is_settled=True)
    assert state.after_look(settled, 1, later) is None


OVER = [replace(LISTED, phase=Phase.FAILED), replace(LISTED, phase=Phase.CANCELLED), replace(LISTED, cancelled_at=NOW)]


@pytest.mark.parametrize("found", [FRESH, AT_3, *(replace(found, with_rows=True) for found in OVER)])
def test_only_what_was_listed_and_not_cancelled_is_listed_again(found: Cleanup) -> None:
    """The others go on by themselves, or are not to."""
    assert state.after_look(replace(found, stand=Stand(5, NOW)), 5, NOW + timedelta(days=9)) is None


@pytest.mark.parametrize("found", OVER)
def test_what_is_over_and_stands_still_counts_its_rows_alone(found: Cleanup) -> None:
    """What was asked for without a row and lost is not wanted: it would be open for good."""
    first = state.after_look(found, 5, NOW)
    assert first == replace(found, stand=Stand(5, NOW))
    assert state.after_look(first, 5, NOW + timedelta(hours=23)) is None
    assert state.after_look(first, 5, NOW + timedelta(days=1)) == replace(found, with_rows=True)


def test_a_queue_that_is_behind_loses_nothing() -> None:
    """While messages wait that are older than the stand, the requests may lie among them."""
    stood = replace(LISTED, stand=Stand(5, NOW))
    later = NOW + timedelta(days=2)
    assert state.after_look(stood, 5, later, oldest_message=NOW + timedelta(hours=1)) is None
    assert state.after_look(stood, 5, later, oldest_message=later) is not None

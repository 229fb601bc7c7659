"""The state machine of a request, one test per transition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.batch.reply import ErrorBody
from shared.errors import CorruptRecord
from shared.ledger import state
from shared.ledger.record import Certainty, Claim, Conclusion, Outcome, State
from tests.rows import LEASE, NOW, PROBLEM, accepted, after, claimed, done, released

MINE = Claim("claim-2", "message-2", 1, after(180))
"""A claim for another message than the one that holds the row."""


PROVEN = {Outcome.DELETED, Outcome.NOT_FOUND, Outcome.WOULD_DELETE}


def test_a_claim_is_written_ahead_of_its_delete() -> None:
    """T2 and T3: a claim counts an attempt, and marks a possible effect before any DELETE is sent."""
    taken = state.claim(accepted(due_at=NOW), MINE)

    assert taken.state is State.CLAIMED
    assert taken.claim == MINE
    assert (taken.attempts, taken.maybe_effect) == (1, True)


def test_taking_over_counts_an_attempt_and_ends_the_wait() -> None:
    """T4 and T5: a new claim replaces the old one, counts an attempt, and ends the wait for a retry."""
    taken = state.claim(released(next_attempt=0, attempts=3), MINE)

    assert taken.claim == MINE
    assert taken.attempts == 4
    assert taken.next_attempt_at is None
    assert taken.last_error == PROBLEM


@pytest.mark.parametrize("owed", [False, True])
def test_an_end_is_kept_with_the_claim_that_brought_it(owed: bool) -> None:
    """T6 and T8: an ended row has its outcome, says whether its result is owed, and keeps its claim."""
    end = Conclusion(Outcome.DELETED, Certainty.CONFIRMED, NOW, 200)

    ended = state.conclude(claimed(next_attempt_at=NOW), end, emit_pending=owed)

    assert (ended.state, ended.conclusion, ended.emit_pending) == (State.DONE, end, owed)
    assert ended.claim == claimed().claim
    assert ended.next_attempt_at is None


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - PROVEN))
def test_an_end_that_does_not_say_what_became_of_the_task_is_uncertain_after_a_possible_effect(
    outcome: Outcome,
) -> None:
    """An outcome that does not tell what became of the task is `unknown` if any earlier try may have worked."""
    end = Conclusion(outcome, Certainty.CONFIRMED, NOW)
    for effect, certainty in ((False, Certainty.CONFIRMED), (True, Certainty.UNKNOWN)):
        ended = state.conclude(accepted(maybe_effect=effect, generation=1), end)
        assert ended.conclusion == replace(end, certainty=certainty)


def test_a_release_ends_the_lease_and_names_the_next_attempt() -> None:
    """T7: a release ends the lease and stores the next attempt's time and the error."""
    free = state.release(claimed(), PROBLEM, after(5), LEASE)

    assert free.state is State.CLAIMED
    assert free.claim == Claim("claim-1", "message-1", 1, after(5))
    assert free.next_attempt_at == after(185)
    assert free.last_error == PROBLEM


def test_a_try_that_does_not_count_gives_its_attempt_back() -> None:
    """T7: releasing a try that the app could not start gives its attempt back."""
    free = state.release(claimed(attempts=5), PROBLEM, after(5), LEASE, counts=False)
    assert free.attempts == 4


def test_a_redriven_row_begins_anew_and_remembers_what_was_sent() -> None:
    """T9: a redrive starts a new generation without attempts, and keeps the mark of a possible effect."""
    last = done(Outcome.EXHAUSTED, attempts=12, generation=2, last_error=ErrorBody("X", "x"), emit_pending=True)

    anew = state.reopen(replace(last, due_at=NOW), after(60))

    assert anew == accepted(generation=3, accepted_at=after(60), due_at=NOW, maybe_effect=True)


def test_a_claimed_row_without_a_claim_is_loud() -> None:
    """A claimed row without a claim raises CorruptRecord; it is never taken for a free one."""
    broken = replace(claimed(), claim=None)
    with pytest.raises(CorruptRecord, match="without a claim"):
        state.is_over(broken, NOW)

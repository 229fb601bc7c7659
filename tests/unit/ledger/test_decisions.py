"""Decisions about a request's row, one test case per row of the decision tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.ledger import decisions
from shared.ledger.decisions import Change, Leave, Reason, Write
from shared.ledger.record import Certainty, Claim, Conclusion, Origin, Outcome, Record
from tests.rows import NOW, PROBLEM, accepted, after, claimed, done, released

ASKED = accepted(etag=None)
OTHER = accepted(payload_hash="another")
VETO = Conclusion(Outcome.FAILED, Certainty.CONFIRMED, NOW, error=PROBLEM)
GIVEN_UP = Conclusion(Outcome.EXHAUSTED, Certainty.CONFIRMED, NOW)
PROVEN = {Outcome.DELETED, Outcome.NOT_FOUND, Outcome.WOULD_DELETE}
CANCEL = Conclusion(Outcome.CANCELLED, Certainty.CONFIRMED, NOW)


def mine(claim: str = "claim-2", message: str = "message-2", count: int = 1) -> Claim:
    """A claim of the invocation, by default for another message than the one that holds the row."""
    return Claim(claim, message, count, after(180))


SAME_MESSAGE_AGAIN = mine(message="message-1", count=2)


@pytest.mark.parametrize(
    ("record", "asked", "by", "why"),
    [
        pytest.param(None, ASKED, mine(), Change.CLAIMED, id="no row yet"),
        pytest.param(None, replace(ASKED, due_at=after(1)), mine(), Change.ACCEPTED, id="no row yet, due later"),
        pytest.param(accepted(), ASKED, mine(), Change.CLAIMED, id="accepted"),
        pytest.param(accepted(due_at=after(0)), ASKED, mine(), Change.CLAIMED, id="accepted, due now"),
        pytest.param(accepted(due_at=after(1)), ASKED, mine(), Reason.NOT_YET, id="accepted, due later"),
        pytest.param(accepted(), OTHER, mine(), Reason.CONFLICT, id="accepted, another payload"),
        pytest.param(claimed(), OTHER, mine(), Reason.CONFLICT, id="claimed, another payload"),
        pytest.param(done(), OTHER, mine(), Reason.CONFLICT, id="done, another payload"),
        pytest.param(done(), ASKED, mine(), Reason.DONE, id="done, another message"),
        pytest.param(done(), ASKED, SAME_MESSAGE_AGAIN, Reason.DONE, id="done, my message again"),
        pytest.param(claimed(), ASKED, mine(claim="claim-1"), Reason.MINE, id="my own claim, its answer lost"),
        pytest.param(claimed(), ASKED, SAME_MESSAGE_AGAIN, Change.CLAIMED, id="my message again, lease live"),
        pytest.param(
            claimed(lease_left=0), ASKED, SAME_MESSAGE_AGAIN, Change.CLAIMED, id="my message again, lease over"
        ),
        pytest.param(
            released(next_attempt=9), ASKED, SAME_MESSAGE_AGAIN, Reason.NOT_YET, id="my message again, retry waits"
        ),
        pytest.param(claimed(), ASKED, mine(message="message-1"), Reason.STALE, id="same message, same count"),
        pytest.param(claimed(count=3), ASKED, SAME_MESSAGE_AGAIN, Reason.STALE, id="same message, lower count"),
        pytest.param(
            claimed(lease_left=-1), ASKED, mine(message="message-1"), Reason.STALE, id="same count, lease over"
        ),
        pytest.param(claimed(), ASKED, mine(), Reason.IN_FLIGHT, id="duplicate, lease live"),
        pytest.param(claimed(lease_left=0), ASKED, mine(), Change.CLAIMED, id="duplicate, lease just over"),
        pytest.param(released(next_attempt=0), ASKED, mine(), Change.CLAIMED, id="retry message, due"),
        pytest.param(
            replace(released(next_attempt=0), claim=None), ASKED, mine(), Change.CLAIMED, id="as its message tells it"
        ),
        pytest.param(released(next_attempt=9), ASKED, mine(), Reason.NOT_YET, id="duplicate before the retry is due"),
        pytest.param(claimed(message="http:1"), ASKED, mine(), Reason.NOT_YET, id="a synchronous call under way"),
        pytest.param(
            claimed(message="http:1", lease_left=0), ASKED, mine(), Change.CLAIMED, id="a synchronous call that died"
        ),
    ],
)
def test_what_a_delivery_does(record: Record | None, asked: Record, by: Claim, why: Change | Reason) -> None:
    """For each state of the row, a delivery leads to the decision in the table."""
    assert decisions.on_delivery(record, asked, by, None, NOW).why is why


@pytest.mark.parametrize(
    ("record", "asked", "why"),
    [
        pytest.param(None, ASKED, Change.ENDED, id="no row yet"),
        pytest.param(accepted(), ASKED, Change.ENDED, id="accepted"),
        pytest.param(accepted(due_at=after(9)), ASKED, Change.ENDED, id="accepted, due later"),
        pytest.param(accepted(), OTHER, Reason.CONFLICT, id="another payload"),
        pytest.param(done(), ASKED, Reason.DONE, id="done"),
        pytest.param(claimed(), ASKED, Reason.NOT_YET, id="lease live"),
        pytest.param(claimed(lease_left=0), ASKED, Change.ENDED, id="lease over"),
        pytest.param(released(next_attempt=9), ASKED, Change.ENDED, id="released, retry waits"),
    ],
)
def test_a_veto_ends_a_request_at_once_but_never_over_a_live_lease(
    record: Record | None, asked: Record, why: Change | Reason
) -> None:
    """A veto ends a request at once, even before its due time, unless another worker's claim is live."""
    for by in (mine(), SAME_MESSAGE_AGAIN):
        assert decisions.on_delivery(record, asked, by, VETO, NOW).why is why


def test_a_vetoed_request_says_which_message_ended_it() -> None:
    """The row records the message that ended it, to distinguish its redelivery from a repeat."""
    ended = written(decisions.on_delivery(released(next_attempt=0), ASKED, SAME_MESSAGE_AGAIN, VETO, NOW))
    assert ended.claim == Claim("claim-2", "message-1", 2, NOW)


def written(decision: Write | Leave) -> Record:
    """The row that a decision writes."""
    assert isinstance(decision, Write)
    return decision.row


@pytest.mark.parametrize(
    ("record", "asked", "veto", "why"),
    [
        pytest.param(None, ASKED, None, Change.ENDED, id="no row"),
        pytest.param(None, replace(ASKED, due_at=after(9)), None, Change.ACCEPTED, id="no row, not yet due"),
        pytest.param(None, replace(ASKED, due_at=after(9)), VETO, Change.ENDED, id="no row, vetoed"),
        pytest.param(accepted(), ASKED, None, Change.ENDED, id="accepted"),
        pytest.param(accepted(due_at=after(9)), ASKED, None, Reason.WAITING, id="not yet due"),
        pytest.param(accepted(due_at=after(9)), ASKED, VETO, Change.ENDED, id="not yet due, vetoed"),
        pytest.param(accepted(), OTHER, None, Reason.CONFLICT, id="another payload"),
        pytest.param(accepted(generation=1), ASKED, None, Reason.SUPERSEDED, id="redriven since"),
        pytest.param(claimed(), ASKED, None, Reason.NOT_YET, id="lease live"),
        pytest.param(claimed(), ASKED, VETO, Reason.NOT_YET, id="lease live, vetoed"),
        pytest.param(claimed(lease_left=0), ASKED, None, Change.ENDED, id="lease over"),
        pytest.param(released(next_attempt=9), ASKED, None, Reason.WAITING, id="retry waits"),
        pytest.param(released(next_attempt=0), ASKED, None, Change.ENDED, id="retry due"),
        pytest.param(done(), ASKED, None, Change.MARKED, id="done"),
        pytest.param(done(generation=1), ASKED, None, Change.MARKED, id="done, redriven since"),
        pytest.param(done(emit_pending=True), ASKED, None, Reason.DONE, id="done, marked as owed"),
    ],
)
def test_what_becomes_of_a_request_whose_message_was_given_up(
    record: Record | None, asked: Record, veto: Conclusion | None, why: Change | Reason
) -> None:
    """A poison message ends its request unless a claim is live, a retry waits, or the request is not due."""
    assert decisions.on_poison(record, asked, GIVEN_UP, veto, NOW).why is why


def test_a_request_that_was_given_up_ends_with_the_last_error_that_is_known() -> None:
    """A request ended by the poison function keeps its last known error, and its result is marked as owed."""
    ended = written(decisions.on_poison(released(next_attempt=0), ASKED, GIVEN_UP, None, NOW))
    assert ended.conclusion == replace(GIVEN_UP, error=PROBLEM, certainty=Certainty.UNKNOWN)
    assert ended.emit_pending


@pytest.mark.parametrize(
    ("record", "asked", "why"),
    [
        pytest.param(None, ASKED, Change.ACCEPTED, id="new"),
        pytest.param(accepted(), ASKED, Reason.OPEN, id="accepted"),
        pytest.param(claimed(), ASKED, Reason.OPEN, id="claimed"),
        pytest.param(done(), ASKED, Reason.DONE, id="done"),
        pytest.param(done(), OTHER, Reason.CONFLICT, id="another payload"),
    ],
)
def test_what_accepting_finds(record: Record | None, asked: Record, why: Change | Reason) -> None:
    """Accepting writes a new request; for a known id it reports a repeat or a conflict."""
    assert decisions.on_repeat(record, asked).why is why


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param(None, Change.CLAIMED, id="new"),
        pytest.param(claimed(by="claim-2"), Reason.MINE, id="my claim, its answer lost"),
        pytest.param(accepted(), Reason.OPEN, id="accepted"),
        pytest.param(claimed(), Reason.OPEN, id="under another's claim"),
        pytest.param(released(next_attempt=0), Reason.OPEN, id="due"),
        pytest.param(done(), Reason.DONE, id="done"),
        pytest.param(done(by="claim-2"), Reason.DONE, id="done by this call"),
        pytest.param(accepted(payload_hash="another"), Reason.CONFLICT, id="another payload"),
    ],
)
def test_what_a_synchronous_call_finds(record: Record | None, why: Change | Reason) -> None:
    """A synchronous call claims a new request, and leaves a known one alone."""
    assert decisions.on_call(record, ASKED, mine()).why is why


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param(None, Reason.UNKNOWN, id="unknown"),
        pytest.param(accepted(), Change.ENDED, id="accepted"),
        pytest.param(accepted(due_at=after(9)), Change.ENDED, id="scheduled"),
        pytest.param(claimed(), Reason.OPEN, id="running"),
        pytest.param(released(next_attempt=9), Reason.OPEN, id="retrying"),
        pytest.param(done(), Reason.DONE, id="done"),
    ],
)
def test_what_can_be_cancelled(record: Record | None, why: Change | Reason) -> None:
    """Only requests that no claim has touched can be cancelled."""
    assert decisions.on_cancel(record, CANCEL).why is why


@pytest.mark.parametrize(
    ("record", "its_end", "why"),
    [
        pytest.param(None, False, Change.REOPENED, id="purged"),
        pytest.param(done(Outcome.FAILED), True, Change.REOPENED, id="ended as the letter tells"),
        pytest.param(done(), False, Reason.STALE, id="ended otherwise"),
        pytest.param(accepted(), False, Reason.STALE, id="accepted in the same generation"),
        pytest.param(claimed(), False, Reason.STALE, id="at work in the same generation"),
        pytest.param(accepted(generation=1), False, Reason.OPEN, id="redriven, not begun"),
        pytest.param(claimed(generation=1), False, Reason.SUPERSEDED, id="redriven, begun"),
        pytest.param(done(generation=1), False, Reason.SUPERSEDED, id="redriven, done"),
    ],
)
def test_what_can_be_redriven(record: Record | None, its_end: bool, why: Change | Reason) -> None:
    """A redrive reopens a purged request, or one that ended as its dead letter says, and no other."""
    fresh = accepted(generation=1, origin=Origin.REDRIVE)
    decision = decisions.on_redrive(record, fresh, NOW, is_its_end=its_end)
    assert decision.why is why
    if isinstance(decision, Write):
        assert (decision.row.generation, decision.row.origin) == (1, Origin.REDRIVE)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param(None, Reason.STALE, id="gone"),
        pytest.param(accepted(), Reason.STALE, id="redriven"),
        pytest.param(claimed(), Change.ENDED, id="still mine"),
        pytest.param(claimed(by="claim-2"), Reason.STALE, id="another's"),
        pytest.param(released(next_attempt=9), Reason.MINE, id="given back by me already"),
        pytest.param(done(), Reason.DONE, id="done"),
    ],
)
def test_what_an_owner_may_record(record: Record | None, why: Change | Reason) -> None:
    """A worker may record an outcome as long as the row's claim is its own, whatever the row's version."""
    assert decisions.on_record(record, "claim-1", done(), Change.ENDED).why is why


@pytest.mark.parametrize(
    ("record", "again"),
    [
        pytest.param(accepted(), True, id="accepted"),
        pytest.param(accepted(due_at=after(9)), True, id="scheduled"),
        pytest.param(done(), False, id="done"),
        pytest.param(claimed(), False, id="running"),
        pytest.param(claimed(lease_left=0), True, id="abandoned"),
        pytest.param(released(next_attempt=9), False, id="retry waits"),
        pytest.param(released(next_attempt=0), True, id="retry overdue"),
        pytest.param(claimed(message="http:1"), True, id="a synchronous call under way"),
        pytest.param(released(next_attempt=9, message="http:1"), True, id="retry of a synchronous call"),
        pytest.param(claimed(message="http:1", is_queued=True), False, id="the same, its message put"),
        pytest.param(released(next_attempt=9, message="http:1", is_queued=True), False, id="both, its message put"),
        pytest.param(released(next_attempt=0, message="http:1", is_queued=True), True, id="overdue all the same"),
    ],
)
def test_when_a_repeat_over_http_sends_the_message_again(record: Record, again: bool) -> None:
    """A repeat over HTTP sends the message again for accepted and scheduled requests, but not for claimed ones."""
    assert decisions.needs_requeue(record, NOW) is again


@pytest.mark.parametrize("behind", [1, 60, 119])
def test_a_claim_that_was_given_back_looks_over_to_a_clock_that_is_behind(behind: float) -> None:
    """A released claim counts as over even for a clock two minutes behind, so its retry is not dropped."""
    row = released(next_attempt=-behind - 5)
    assert decisions.on_delivery(row, ASKED, mine(), None, after(-behind)).why is Change.CLAIMED
    waiting = replace(row, next_attempt_at=after(5))
    assert decisions.on_delivery(waiting, ASKED, mine(), None, after(-behind)) == Leave(Reason.NOT_YET)
    assert decisions.on_delivery(waiting, ASKED, mine(), VETO, after(-behind)).why is Change.ENDED
    assert waiting.due == after(5)


def test_a_decision_about_no_row_has_none() -> None:
    """Asking for the row of a decision that has none is a defect and raises ValueError."""
    with pytest.raises(ValueError, match="unknown is about no row"):
        _ = Leave(Reason.UNKNOWN).record

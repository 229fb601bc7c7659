"""The state machine: one line per row of the decision tables, one test per transition."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from shared.batch.reply import BatchError
from shared.errors import CorruptRecord
from shared.ledger import state
from shared.ledger.record import Certainty, Claim, Conclusion, Outcome, Record, State
from shared.ledger.state import Bid, Decision, Move
from tests.rows import LEASE, NOW, PROBLEM, accepted, after, claimed, done, released

HASH = accepted().payload_hash


def bid(claim: str = "claim-2", message: str = "message-2", count: int = 1, payload_hash: str = HASH) -> Bid:
    """A delivery's wish, by default of another message than the one that holds the claim."""
    return Bid(claim, message, count, payload_hash)


OTHER_PAYLOAD = bid(payload_hash="another")
SAME_MESSAGE_AGAIN = bid(message="message-1", count=2)


@pytest.mark.parametrize(
    ("record", "wish", "move", "until"),
    [
        pytest.param(None, bid(), Move.CLAIM, None, id="no row yet"),
        pytest.param(accepted(), bid(), Move.CLAIM, None, id="accepted"),
        pytest.param(accepted(due_at=after(0)), bid(), Move.CLAIM, None, id="accepted, due now"),
        pytest.param(accepted(due_at=after(1)), bid(), Move.POSTPONE, after(1), id="accepted, due later"),
        pytest.param(accepted(), OTHER_PAYLOAD, Move.CONFLICT, None, id="accepted, another payload"),
        pytest.param(claimed(), OTHER_PAYLOAD, Move.CONFLICT, None, id="claimed, another payload"),
        pytest.param(done(), OTHER_PAYLOAD, Move.CONFLICT, None, id="done, another payload"),
        pytest.param(done(), bid(), Move.EMIT, None, id="done, another message"),
        pytest.param(done(), SAME_MESSAGE_AGAIN, Move.EMIT, None, id="done, my message again"),
        pytest.param(claimed(), bid(claim="claim-1"), Move.CONTINUE, None, id="my own claim, its answer lost"),
        pytest.param(claimed(), SAME_MESSAGE_AGAIN, Move.CLAIM, None, id="my message again, lease live"),
        pytest.param(claimed(lease_left=0), SAME_MESSAGE_AGAIN, Move.CLAIM, None, id="my message again, lease over"),
        pytest.param(
            released(next_attempt=9), SAME_MESSAGE_AGAIN, Move.POSTPONE, after(9), id="my message again, retry waits"
        ),
        pytest.param(claimed(), bid(message="message-1"), Move.STALE, None, id="same message, same count"),
        pytest.param(claimed(count=3), SAME_MESSAGE_AGAIN, Move.STALE, None, id="same message, lower count"),
        pytest.param(
            claimed(lease_left=-1), bid(message="message-1"), Move.STALE, None, id="same message and count, lease over"
        ),
        pytest.param(claimed(), bid(), Move.DROP, None, id="duplicate, lease live"),
        pytest.param(claimed(lease_left=0), bid(), Move.CLAIM, None, id="duplicate, lease just over"),
        pytest.param(released(next_attempt=0), bid(), Move.CLAIM, None, id="retry message, due"),
        pytest.param(released(next_attempt=9), bid(), Move.POSTPONE, after(9), id="duplicate before the retry is due"),
        pytest.param(
            claimed(message="http:1"), bid(), Move.POSTPONE, after(180), id="duplicate of a synchronous call under way"
        ),
        pytest.param(
            claimed(message="http:1", lease_left=0), bid(), Move.CLAIM, None, id="after a synchronous call that died"
        ),
    ],
)
def test_what_a_delivery_does(record: Record | None, wish: Bid, move: Move, until: datetime | None) -> None:
    """Each row of the table of decisions gives one move."""
    assert state.decide(record, wish, NOW) == Decision(move, until)


@pytest.mark.parametrize(
    ("record", "wish", "move", "until"),
    [
        pytest.param(None, bid(), Move.CLAIM, None, id="no row yet"),
        pytest.param(accepted(), bid(), Move.CLAIM, None, id="accepted"),
        pytest.param(accepted(due_at=after(9)), bid(), Move.CLAIM, None, id="accepted, due later"),
        pytest.param(accepted(), OTHER_PAYLOAD, Move.CONFLICT, None, id="another payload"),
        pytest.param(done(), bid(), Move.EMIT, None, id="done"),
        pytest.param(claimed(), bid(), Move.POSTPONE, after(180), id="lease live"),
        pytest.param(claimed(), SAME_MESSAGE_AGAIN, Move.POSTPONE, after(180), id="lease live, my message"),
        pytest.param(claimed(lease_left=0), bid(), Move.CLAIM, None, id="lease over"),
        pytest.param(released(next_attempt=9), bid(), Move.CLAIM, None, id="released, retry waits"),
    ],
)
def test_what_an_end_without_a_delete_waits_for(
    record: Record | None, wish: Bid, move: Move, until: datetime | None
) -> None:
    """A poisoned, expired or protected request ends at once, but never over a live lease."""
    assert state.decide_without_claim(record, wish, NOW) == Decision(move, until)


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
    ],
)
def test_when_a_repeat_over_http_sends_the_message_again(record: Record, again: bool) -> None:
    """The first message may never have gone out; a row at work or waiting for its retry needs none."""
    assert state.may_be_put_again(record, NOW) is again


@pytest.mark.parametrize("decide", [state.decide, state.decide_without_claim])
def test_a_claimed_row_without_a_claim_is_loud(decide: object) -> None:
    """No writer leaves such a row; it is never taken for a free one."""
    broken = replace(claimed(), claim=None)
    with pytest.raises(CorruptRecord, match="without a claim"):
        decide(broken, bid(), NOW)  # type: ignore[operator]


def test_a_claim_is_written_ahead_of_its_delete() -> None:
    """T2 and T3: who holds the row until when, one attempt more, marked as perhaps sent before anything is sent."""
    taken = state.claim(accepted(due_at=NOW), bid(), NOW, LEASE)

    assert taken.state is State.CLAIMED
    assert taken.claim == Claim("claim-2", "message-2", 1, after(180))
    assert (taken.attempts, taken.maybe_sent, taken.maybe_effect) == (1, True, True)


def test_taking_over_counts_an_attempt_and_ends_the_wait() -> None:
    """T4 and T5: the new claim replaces the old one, and the retry that it was is no longer waited for."""
    taken = state.claim(released(next_attempt=0, attempts=3), bid(), NOW, LEASE)

    assert taken.claim == Claim("claim-2", "message-2", 1, after(180))
    assert taken.attempts == 4
    assert taken.next_attempt_at is None
    assert taken.last_error == PROBLEM


@pytest.mark.parametrize("owed", [False, True])
def test_an_end_is_kept_with_the_claim_that_brought_it(owed: bool) -> None:
    """T6 and T8: the row is done, says whether its result is owed, and still says who did it."""
    end = Conclusion(Outcome.DELETED, Certainty.CONFIRMED, NOW, 200)

    ended = state.conclude(claimed(next_attempt_at=NOW), end, emit_pending=owed)

    assert (ended.state, ended.conclusion, ended.emit_pending) == (State.DONE, end, owed)
    assert ended.claim == claimed().claim
    assert ended.next_attempt_at is None


@pytest.mark.parametrize(
    ("was_sent", "may_act", "sent_before", "acted_before", "marks"),
    [
        pytest.param(False, False, False, False, (False, False), id="nothing was ever sent"),
        pytest.param(True, False, False, False, (True, False), id="answered with a refusal"),
        pytest.param(True, True, False, False, (True, True), id="lost"),
        pytest.param(False, False, True, True, (True, True), id="not sent after one that was lost"),
        pytest.param(False, False, True, False, (True, False), id="not sent after a refusal"),
        pytest.param(True, False, True, True, (True, True), id="refusal after one that was lost"),
    ],
)
def test_a_release_keeps_what_is_known_of_earlier_tries(
    was_sent: bool, may_act: bool, sent_before: bool, acted_before: bool, marks: tuple[bool, bool]
) -> None:
    """T7: a try that was not sent takes its own marks back and leaves those of earlier tries."""
    before = released(next_attempt=0, maybe_sent=sent_before, maybe_effect=acted_before)
    held = state.claim(before, bid(), NOW, LEASE)

    free = state.release(held, before, PROBLEM, after(5), LEASE, was_sent=was_sent, may_have_taken_effect=may_act)

    assert (free.maybe_sent, free.maybe_effect) == marks


def test_a_release_ends_the_lease_and_names_the_next_attempt() -> None:
    """T7: others need not wait for the lease, and the reason is there for people to read."""
    free = state.release(claimed(), accepted(), PROBLEM, after(5), LEASE, was_sent=True, may_have_taken_effect=False)

    assert free.state is State.CLAIMED
    assert free.claim == Claim("claim-1", "message-1", 1, after(5))
    assert free.next_attempt_at == after(185)
    assert free.last_error == PROBLEM


@pytest.mark.parametrize("behind", [1, 60, 119])
def test_a_claim_that_was_given_back_looks_over_to_a_clock_that_is_behind(behind: float) -> None:
    """Its retry message is the only one that there is: it must not be taken for a duplicate."""
    row = released(next_attempt=-behind - 5)
    late = state.Bid("claim-2", "message-2", 1, row.payload_hash)
    assert state.decide(row, late, after(-behind)).move is Move.CLAIM
    waiting = replace(row, next_attempt_at=after(5))
    assert state.decide(waiting, late, after(-behind)) == Decision(Move.POSTPONE, after(5))
    assert state.decide_without_claim(waiting, late, after(-behind)).move is Move.CLAIM


def test_a_try_that_does_not_count_gives_its_attempt_back() -> None:
    """T7 for a call that this app itself had no time for."""
    free = state.release(
        claimed(attempts=5),
        accepted(attempts=4),
        PROBLEM,
        after(5),
        LEASE,
        was_sent=False,
        may_have_taken_effect=False,
        counts=False,
    )
    assert free.attempts == 4


def test_a_redriven_row_begins_anew_and_remembers_what_was_sent() -> None:
    """T9: a new generation without attempts, claim or end, due as before; a 404 may be an earlier generation's doing."""
    last = done(Outcome.EXHAUSTED, attempts=12, generation=2, last_error=BatchError("X", "x"), emit_pending=True)

    anew = state.reopen(replace(last, due_at=NOW), after(60))

    assert anew == accepted(generation=3, accepted_at=after(60), due_at=NOW, maybe_sent=True, maybe_effect=True)

"""What each safeguard is for: without it, some order of events breaks a promise.

This is the one place where parts of the app are replaced. Each test runs an order of events twice, with the
safeguard, where every promise holds, and without it, where one is broken. A safeguard that could be taken out
with all of these tests green would be dead weight; one that is taken out by mistake turns them red.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from shared.batch.reply import Reply
from shared.clock import TimeBox
from shared.deletion.attempt import Attempt
from shared.deletion.delivery import Timing
from shared.ledger import decisions, state, work
from shared.ledger.decisions import Leave, Reason, Write
from shared.ledger.record import Claim, Conclusion, Record, State
from shared.request.model import DeletionRequest
from tests.driver import STALLS, TROUBLE, Driver, Trouble
from tests.faults import Kind, until_quiet
from tests.tangle import STALL, Tangle
from tests.world import LOST, call, refused

REAL_ON_DELIVERY = decisions.on_delivery
REAL_ON_POISON = decisions.on_poison
REAL_CLAIM = state.claim
REAL_CONCLUDE = state.conclude
REAL_REOPEN = state.reopen

Patch = pytest.MonkeyPatch
Story = Callable[[], list[str]]
"""An order of events; returns the promises that it broke."""


# Many short runs in one test: a busy machine may take its time.
pytestmark = pytest.mark.timeout(1200, func_only=True)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


def put(tangle: Tangle, times: int = 1) -> str:
    """A request in so many messages; returns its id."""
    body = tangle.world.request()
    for _ in range(times):
        tangle.world.put(body)
    return str(body["clientRequestId"])


def by_messages_alone(tangle: Tangle, guid: str) -> list[str]:
    """What was broken when nothing but the queues may bring the request to its end: no daily round, no person."""
    tangle.resume_all()
    tangle.world.settle()
    return tangle.watch.faults(guid)


# Orders of events


def lost_answer() -> list[str]:
    """The process dies after its DELETE; the next delivery finds the task gone."""
    tangle = Tangle()
    guid = put(tangle)
    tangle.deliver(plan={1: Kind.DEATH_AFTER})
    tangle.world.clock.advance(601)
    return by_messages_alone(tangle, guid)


def repeated_claim() -> list[str]:
    """The answer to the claim is lost on the way and the storage client sends it again: it is refused."""
    tangle = Tangle()
    guid = put(tangle)
    tangle.deliver(plan={0: Kind.IS_REPEATED})
    return by_messages_alone(tangle, guid)


def stalled_owner() -> list[str]:
    """A worker stalls after its claim for longer than the lease; a duplicate takes over and ends the request."""
    tangle = Tangle()
    guid = put(tangle, times=2)
    tangle.deliver(plan={0: STALL})
    tangle.world.clock.advance(181)
    tangle.deliver(worker=1)
    return by_messages_alone(tangle, guid)


def stale_delivery() -> list[str]:
    """A delivery stalls before its claim until its message is gone, claims all the same, and dies."""
    tangle = Tangle()
    guid = put(tangle, times=2)
    first, second = tangle.world.messages()
    tangle.world.batch.script = [refused(429, "TooManyRequests", 900)]
    tangle.deliver(worker=1, message=second)
    # Its insert is refused, and its look at the row comes later than the ten minutes of its message.
    tangle.deliver(message=first, plan={0: STALL, 2: Kind.DEATH_AFTER})
    tangle.world.clock.advance(601)
    # Another worker, which is handed the message meanwhile, puts the request off and lets the message go.
    tangle.deliver(worker=1, message=first)
    tangle.world.clock.advance(300)
    return by_messages_alone(tangle, guid)


def poison_copy_of_a_running_request() -> list[str]:
    """A duplicate is given up while a worker is between its claim and its DELETE."""
    tangle = Tangle()
    guid = put(tangle)
    tangle.deliver(plan={0: STALL})
    tangle.world.put(tangle.world.request(clientRequestId=guid), "requests-poison")
    tangle.deliver("requests-poison", worker=1)
    return by_messages_alone(tangle, guid)


def poison_copy_that_is_not_shown_again() -> list[str]:
    """The outcome is recorded, its result cannot be sent, and the host shows the copy no more."""
    tangle = Tangle()
    body = tangle.world.request()
    guid = str(body["clientRequestId"])
    tangle.world.put(body, "requests-poison")
    sent_at = 4
    tangle.deliver("requests-poison", plan={sent_at: Kind.FAILS})
    tangle.world.queues["requests-poison"].clear()
    until_quiet(tangle.world)
    return tangle.watch.faults(guid)


def redriven_after_an_effect() -> list[str]:
    """The task is deleted behind a gateway that says 501; a person puts the dead letter back."""
    tangle = Tangle()
    guid = put(tangle)

    def deleted_and_refused() -> Reply:
        tangle.world.batch.take(tangle.world.batch.calls[-1])
        return refused(501, "NotImplemented")

    tangle.world.batch.script = [deleted_and_refused]
    tangle.deliver()
    (letter,) = {str(row["id"]) for row in tangle.world.letters.rows.values()}
    tangle.world.app.dead_letters.redrive(call(route={"id": letter}))
    return by_messages_alone(tangle, guid)


def death_before_the_result() -> list[str]:
    """The outcome is recorded, and the process dies before its result is sent."""
    tangle = Tangle()
    guid = put(tangle)
    tangle.deliver(plan={3: Kind.DEATH_BEFORE})
    assert tangle.watch.row(guid) is not None
    tangle.world.clock.advance(601)
    return by_messages_alone(tangle, guid)


def retried_after_an_effect() -> list[str]:
    """The task is deleted and the answer lost; the retry's message, which needs no read, finds it gone."""
    tangle = Tangle()
    guid = put(tangle)

    def lost() -> Reply:
        tangle.world.batch.take(tangle.world.batch.calls[-1])
        return LOST

    tangle.world.batch.script = [lost]
    return by_messages_alone(tangle, guid)


def synchronous_call_whose_retry_was_not_put() -> list[str]:
    """Batch refuses for now, the queue does not take the retry, and the caller repeats the call."""
    tangle = Tangle()
    body = tangle.world.request()
    guid = str(body["clientRequestId"])
    tangle.world.batch.script = [refused(429, "TooManyRequests", 600)]
    sent_at = 3

    def ask() -> None:
        tangle.world.delete(client_request_id=guid)

    tangle.begin(ask, {sent_at: Kind.FAILS})
    assert tangle.world.messages() == []
    tangle.world.clock.advance(10)
    tangle.begin(ask, {})
    return by_messages_alone(tangle, guid)


def cancelled_after_an_effect() -> list[str]:
    """The answer to a deletion is lost at the last attempt, a person redrives the request, another cancels it."""
    tangle = Tangle(BATCH_MAX_ATTEMPTS="1")
    guid = put(tangle)

    def lost() -> Reply:
        tangle.world.batch.take(tangle.world.batch.calls[-1])
        return LOST

    tangle.world.batch.script = [lost]
    tangle.deliver()
    (letter,) = {str(row["id"]) for row in tangle.world.letters.rows.values()}
    tangle.world.app.dead_letters.redrive(call(route={"id": letter}))
    tangle.world.app.api.cancel(call(route={"clientRequestId": guid}))
    return by_messages_alone(tangle, guid)


# The safeguards, taken out


def without_write_ahead(patch: Patch) -> None:
    """The mark of a possible effect is set only by whoever lives to tell."""

    def claim(record: Record, mine: Claim) -> Record:
        return replace(REAL_CLAIM(record, mine), maybe_effect=record.maybe_effect)

    patch.setattr(state, "claim", claim)


def _on_delivery(patch: Patch, changed: Callable[[Write | Leave], Write | Leave]) -> None:
    patch.setattr(decisions, "on_delivery", lambda *given: changed(REAL_ON_DELIVERY(*given)))


def with_a_stale_delivery_acknowledged(patch: Patch) -> None:
    """A worker neither knows its own claim again nor raises when another seems to hold it."""
    lost = (Leave(Reason.MINE), Leave(Reason.STALE))
    _on_delivery(patch, lambda decision: Leave(Reason.IN_FLIGHT) if decision in lost else decision)


def without_the_fence(patch: Patch) -> None:
    """The DELETE is sent however long ago the claim was."""

    def send(self: Any, request: DeletionRequest, box: TimeBox) -> Reply:
        return self.send(request, TimeBox.lasting(30.0, self.clock))  # type: ignore[no-any-return]

    patch.setattr(Attempt, "_send", send)


def without_the_guard(patch: Patch) -> None:
    """A delivery claims however little is left of the host's hold of its message."""
    patch.setattr(Timing, "check_fresh", lambda *_: None)


def with_a_poison_function_that_steals(patch: Patch) -> None:
    """The end of a message that was given up does not wait for a live claim."""

    def on_poison(
        found: Record | None, asked: Record, end: Conclusion, veto: Conclusion | None, now: datetime
    ) -> Write | Leave:
        if found and found.state is State.CLAIMED and found.claim:
            found = replace(found, claim=replace(found.claim, expires_at=now))
        return REAL_ON_POISON(found, asked, end, veto, now)

    patch.setattr(decisions, "on_poison", on_poison)


def without_emit_pending(patch: Patch) -> None:
    """The row does not say that its result is owed."""

    def conclude(record: Record, conclusion: Any, *, emit_pending: bool = False, by: Any = None) -> Record:
        return REAL_CONCLUDE(record, conclusion, by=by)

    patch.setattr(state, "conclude", conclude)


def with_marks_forgotten_by_a_redrive(patch: Patch) -> None:
    """The new generation knows nothing of what was sent before."""
    patch.setattr(state, "reopen", lambda record, now: replace(REAL_REOPEN(record, now), maybe_effect=False))


def with_emission_forgotten(patch: Patch) -> None:
    """A redelivery of a done request ends without a result, as if the first one had surely gone out."""
    done = Leave(Reason.DONE)
    _on_delivery(patch, lambda decision: Leave(Reason.IN_FLIGHT) if decision == done else decision)


def without_the_mark_in_a_retrys_message(patch: Patch) -> None:
    """The message of a retry does not tell that the task may have been deleted."""
    real = work._retried
    patch.setattr(work, "_retried", lambda *given: replace(real(*given), maybe_effect=False))


def with_a_repeat_that_trusts_the_call_before(patch: Patch) -> None:
    """A repeat takes it that the call at work puts the message, whatever the row says."""
    real = decisions.needs_requeue

    def needs_requeue(record: Record, now: datetime) -> bool:
        return record.state is not State.CLAIMED and real(record, now)

    patch.setattr(decisions, "needs_requeue", needs_requeue)


def with_ends_that_are_certain(patch: Patch) -> None:
    """An end is recorded as certain as its own try was."""

    def conclude(record: Record, conclusion: Any, **more: Any) -> Record:
        return REAL_CONCLUDE(replace(record, maybe_effect=False), conclusion, **more)

    patch.setattr(state, "conclude", conclude)


@pytest.mark.parametrize(
    ("story", "mutation", "broken"),
    [
        (lost_answer, without_write_ahead, "is notFound, but its task was there"),
        (repeated_claim, with_a_stale_delivery_acknowledged, "was lost"),
        (stalled_owner, without_the_fence, "a DELETE was sent after the outcome"),
        (stale_delivery, without_the_guard, "was lost"),
        (poison_copy_of_a_running_request, with_a_poison_function_that_steals, "a DELETE was sent after the outcome"),
        (poison_copy_that_is_not_shown_again, without_emit_pending, "is done without a result"),
        (redriven_after_an_effect, with_marks_forgotten_by_a_redrive, "is notFound, but its task was there"),
        (death_before_the_result, with_emission_forgotten, "is done without a result"),
        (retried_after_an_effect, without_the_mark_in_a_retrys_message, "is notFound, but its task was there"),
        (synchronous_call_whose_retry_was_not_put, with_a_repeat_that_trusts_the_call_before, "was lost"),
        (cancelled_after_an_effect, with_ends_that_are_certain, "for certain, but it deleted the task"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_safeguard_is_needed(
    story: Story, mutation: Callable[[Patch], None], broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of events is harmless with it, and breaks just this promise without it."""
    assert story() == []

    mutation(monkeypatch)

    assert any(broken in fault for fault in story())


@pytest.mark.parametrize(
    ("mutation", "trouble", "runs"),
    [
        (without_write_ahead, TROUBLE, 40),
        (with_emission_forgotten, TROUBLE, 40),
        (without_the_fence, STALLS, 60),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_random_driver_finds_it_too(
    mutation: Callable[[Patch], None], trouble: Trouble, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same seeds that pass with the safeguard fail without it: the driver reaches the orders that matter."""
    mutation(monkeypatch)
    seed = next((seed for seed in range(runs) if Driver(seed, doors=("queue",), trouble=trouble).run()), None)
    assert seed is not None
    monkeypatch.undo()
    assert Driver(seed, doors=("queue",), trouble=trouble).run() == []

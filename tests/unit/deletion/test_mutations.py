"""What each safeguard is for: without it, some order of events breaks a promise.

Only here are parts of the app replaced. Each test runs an order of events twice: with the safeguard, where every
promise holds, and without it, where one is broken. A safeguard without which all of these tests still passed would
be useless; removing one by mistake makes them fail.
"""

from __future__ import annotations

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
from tests.chaos.explorer import FROST, STORM, Explorer, Weather
from tests.chaos.faults import Fault, at, each
from tests.chaos.interleaving import STALL, Interleaving
from tests.chaos.recovery import until_quiet
from tests.fakes.batch import LOST, refused

REAL_ON_DELIVERY = decisions.on_delivery
REAL_ON_POISON = decisions.on_poison
REAL_CLAIM = state.claim
REAL_CONCLUDE = state.conclude
REAL_REOPEN = state.reopen

Patch = pytest.MonkeyPatch
Story = Callable[[], list[str]]
"""An order of events; returns the promises that it broke."""


# Many short runs in one test: a busy machine may take its time.
pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.timeout(1200, func_only=True)]


def put(order: Interleaving, times: int = 1) -> str:
    """Puts a request in so many messages; returns its id."""
    body = order.world.request()
    for _ in range(times):
        order.world.put(body)
    return str(body["clientRequestId"])


def by_messages_alone(order: Interleaving, guid: str) -> list[str]:
    """What is broken when only messages can end the request, without daily round or person."""
    order.resume_all()
    order.world.settle()
    return order.promises.broken(guid)


# Orders of events


def lost_answer() -> list[str]:
    """The process dies after its DELETE, and the next delivery finds the task gone."""
    order = Interleaving()
    guid = put(order)
    order.deliver(plan=at(1, Fault.DIES_AFTER))
    order.world.clock.advance(601)
    return by_messages_alone(order, guid)


def repeated_claim() -> list[str]:
    """The answer to the claim is lost, and the storage client's repeat of the write is refused."""
    order = Interleaving()
    guid = put(order)
    order.deliver(plan=at(0, Fault.IS_REPEATED))
    return by_messages_alone(order, guid)


def stalled_owner() -> list[str]:
    """A worker stalls after its claim for longer than the lease; a duplicate takes over and ends the request."""
    order = Interleaving()
    guid = put(order, times=2)
    order.deliver(plan=at(0, STALL))
    order.world.clock.advance(181)
    order.deliver(worker=1)
    return by_messages_alone(order, guid)


def stale_delivery() -> list[str]:
    """A delivery stalls until its message is gone, then claims all the same, and dies."""
    order = Interleaving()
    guid = put(order, times=2)
    first, second = order.world.messages()
    order.world.batch.script = [refused(429, "TooManyRequests", 900)]
    order.deliver(worker=1, message=second)
    # Its insert is refused, and its look at the row comes later than the ten minutes of its message.
    order.deliver(message=first, plan=each({0: STALL, 2: Fault.DIES_AFTER}))
    order.world.clock.advance(601)
    # Another worker, which is handed the message meanwhile, puts the request off and lets the message go.
    order.deliver(worker=1, message=first)
    order.world.clock.advance(300)
    return by_messages_alone(order, guid)


def poison_copy_of_a_running_request() -> list[str]:
    """A duplicate becomes poison while a worker is between its claim and its DELETE."""
    order = Interleaving()
    guid = put(order)
    order.deliver(plan=at(0, STALL))
    order.world.put(order.world.request(clientRequestId=guid), "requests-poison")
    order.deliver("requests-poison", worker=1)
    return by_messages_alone(order, guid)


def poison_copy_that_is_not_shown_again() -> list[str]:
    """The outcome is recorded, its result cannot be sent, and the poison copy is not delivered again."""
    order = Interleaving()
    body = order.world.request()
    guid = str(body["clientRequestId"])
    order.world.put(body, "requests-poison")
    order.deliver("requests-poison", plan=at(0, Fault.FAILS, "send results"))
    order.world.queues["requests-poison"].clear()
    until_quiet(order.world)
    return order.promises.broken(guid)


def redriven_after_an_effect() -> list[str]:
    """The task is deleted but a gateway answers 501; a person redrives the dead letter."""
    order = Interleaving()
    guid = put(order)
    order.world.batch.script = [order.world.batch.after_effect(refused(501, "NotImplemented"))]
    order.deliver()
    (letter,) = {str(row["id"]) for row in order.world.letters.rows.values()}
    order.world.redrive(letter)
    return by_messages_alone(order, guid)


def death_before_the_result() -> list[str]:
    """The outcome is recorded, and the process dies before it sends the result."""
    order = Interleaving()
    guid = put(order)
    order.deliver(plan=at(3, Fault.DIES_BEFORE))
    assert order.promises.row(guid) is not None
    order.world.clock.advance(601)
    return by_messages_alone(order, guid)


def retried_after_an_effect() -> list[str]:
    """The task is deleted and the reply lost; the retry, whose message needs no read, finds it gone."""
    order = Interleaving()
    guid = put(order)
    order.world.batch.script = [order.world.batch.after_effect(LOST)]
    return by_messages_alone(order, guid)


def synchronous_call_whose_retry_was_not_put() -> list[str]:
    """Batch refuses for now, the retry's message cannot be sent, and the caller repeats the call."""
    order = Interleaving()
    body = order.world.request()
    guid = str(body["clientRequestId"])
    order.world.batch.script = [refused(429, "TooManyRequests", 600)]

    def ask() -> None:
        order.world.delete(client_request_id=guid)

    order.begin(ask, at(0, Fault.FAILS, "send requests"))
    assert order.world.messages() == []
    order.world.clock.advance(10)
    order.begin(ask)
    return by_messages_alone(order, guid)


def cancelled_after_an_effect() -> list[str]:
    """The reply to a deletion is lost at the last attempt; a person redrives the request, another cancels it."""
    order = Interleaving(BATCH_MAX_ATTEMPTS="1")
    guid = put(order)
    order.world.batch.script = [order.world.batch.after_effect(LOST)]
    order.deliver()
    (letter,) = {str(row["id"]) for row in order.world.letters.rows.values()}
    order.world.redrive(letter)
    order.world.cancel(guid)
    return by_messages_alone(order, guid)


# The safeguards, taken out


def without_write_ahead(patch: Patch) -> None:
    """Mutation: the mark of a possible effect is set only after the DELETE."""

    def claim(record: Record, mine: Claim) -> Record:
        return replace(REAL_CLAIM(record, mine), maybe_effect=record.maybe_effect)

    patch.setattr(state, "claim", claim)


def _on_delivery(patch: Patch, changed: Callable[[Write | Leave], Write | Leave]) -> None:
    patch.setattr(decisions, "on_delivery", lambda *given: changed(REAL_ON_DELIVERY(*given)))


def with_a_stale_delivery_acknowledged(patch: Patch) -> None:
    """Mutation: a worker neither recognises its own claim nor raises when another seems to hold it."""
    lost = (Leave(Reason.MINE), Leave(Reason.STALE))
    _on_delivery(patch, lambda decision: Leave(Reason.IN_FLIGHT) if decision in lost else decision)


def without_the_fence(patch: Patch) -> None:
    """Mutation: the DELETE is sent however old the claim is."""

    def send(self: Any, request: DeletionRequest, box: TimeBox) -> Reply:
        return self.send(request, TimeBox.lasting(30.0, self.clock))  # type: ignore[no-any-return]

    patch.setattr(Attempt, "_send", send)


def without_the_guard(patch: Patch) -> None:
    """Mutation: a delivery claims even if the host's hold on its message is about to end."""
    patch.setattr(Timing, "check_fresh", lambda *_: None)


def with_a_poison_function_that_steals(patch: Patch) -> None:
    """Mutation: the poison function does not wait for a live claim."""

    def on_poison(
        found: Record | None, asked: Record, end: Conclusion, veto: Conclusion | None, now: datetime
    ) -> Write | Leave:
        if found and found.state is State.CLAIMED and found.claim:
            found = replace(found, claim=replace(found.claim, expires_at=now))
        return REAL_ON_POISON(found, asked, end, veto, now)

    patch.setattr(decisions, "on_poison", on_poison)


def without_emit_pending(patch: Patch) -> None:
    """Mutation: the row does not say that its result is owed."""

    def conclude(record: Record, conclusion: Any, *, emit_pending: bool = False, by: Any = None) -> Record:
        return REAL_CONCLUDE(record, conclusion, by=by)

    patch.setattr(state, "conclude", conclude)


def with_marks_forgotten_by_a_redrive(patch: Patch) -> None:
    """Mutation: a redrive forgets that an earlier DELETE may have worked."""
    patch.setattr(state, "reopen", lambda record, now: replace(REAL_REOPEN(record, now), maybe_effect=False))


def with_emission_forgotten(patch: Patch) -> None:
    """Mutation: a redelivery of a finished request publishes no result."""
    done = Leave(Reason.DONE)
    _on_delivery(patch, lambda decision: Leave(Reason.IN_FLIGHT) if decision == done else decision)


def without_the_mark_in_a_retrys_message(patch: Patch) -> None:
    """Mutation: the retry's message does not say that the task may have been deleted."""
    real = work._retried
    patch.setattr(work, "_retried", lambda *given: replace(real(*given), maybe_effect=False))


def with_a_repeat_that_trusts_the_call_before(patch: Patch) -> None:
    """Mutation: a repeated call assumes that the first one sends the message, whatever the row says."""
    real = decisions.needs_requeue

    def needs_requeue(record: Record, now: datetime) -> bool:
        return record.state is not State.CLAIMED and real(record, now)

    patch.setattr(decisions, "needs_requeue", needs_requeue)


def with_ends_that_are_certain(patch: Patch) -> None:
    """Mutation: an outcome's certainty depends on its own try alone."""

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
    """The order of events breaks no promise with the safeguard, and the expected promise without it."""
    assert story() == []

    mutation(monkeypatch)

    assert any(broken in fault for fault in story())


@pytest.mark.parametrize(
    ("mutation", "weather", "runs"),
    [
        (without_write_ahead, STORM, 40),
        (with_emission_forgotten, STORM, 40),
        (without_the_mark_in_a_retrys_message, STORM, 40),
        (without_the_fence, FROST, 60),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_random_explorer_finds_it_too(
    mutation: Callable[[Patch], None], weather: Weather, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The random explorer finds the broken promise without the safeguard, with a seed that passes with it."""
    mutation(monkeypatch)
    seed = next((seed for seed in range(runs) if Explorer(seed, doors=("queue",), weather=weather).run()), None)
    assert seed is not None
    monkeypatch.undo()
    assert Explorer(seed, doors=("queue",), weather=weather).run() == []

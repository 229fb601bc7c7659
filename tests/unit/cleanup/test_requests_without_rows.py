"""Requests of a clean-up have no row before their first claim: lost ones are found, and each counts once.

Each order of events runs twice: with the safeguard that it is about, and without it, where a promise breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.cleanup import pages, state
from shared.cleanup.record import Cleanup
from shared.errors import StorageUnavailable
from shared.request.model import DeletionRequest, derived_id
from tests.chaos.faults import Fault, at, disturbed, everywhere, nothing
from tests.chaos.promise_checker import PromiseChecker
from tests.fakes.app import World, job_world
from tests.fakes.batch import refused
from tests.fakes.jobs import JOB, job_event

QUEUE = "job-completions"
DAY = 86_400
Patch = pytest.MonkeyPatch
Story = Callable[[World, dict[str, Any]], None]

REAL_BEGUN_AGAIN = state.begun_again


def progress(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """The document of `GET /api/job-completions/{id}`."""
    return world.progress(body["clientRequestId"]).content  # type: ignore[no-any-return]


def nights(world: World, count: int) -> None:
    """So many days with their daily rounds, and everything that follows from these."""
    for _ in range(count):
        world.clock.advance(DAY)
        world.app.housekeeping.round(1_000)
        world.settle()


def a_page_that_reaches_further(world: World, body: dict[str, Any]) -> None:
    """The process dies before the next step is sent; the page's tasks are deleted, and it is listed again."""
    with disturbed(world, at(0, Fault.FAILS, f"send {QUEUE}")), pytest.raises(StorageUnavailable):
        world.deliver(QUEUE)
    world.deliver_all()
    assert len(world.batch.calls) == 10
    world.clock.advance(61)
    world.deliver(QUEUE)
    world.deliver_all()


def a_message_that_is_lost(world: World, body: dict[str, Any]) -> None:
    """After the whole listing, a message with some of the requests is lost, which only a listing can find."""
    world.deliver_all(QUEUE)
    del world.queues["requests"][-3:]
    world.settle()
    assert progress(world, body)["open"] > 0
    nights(world, 3)


def a_step_that_is_lost(world: World, body: dict[str, Any]) -> None:
    """After the first page was requested, the message of the second is lost, and the listing starts again."""
    world.deliver(QUEUE)
    world.queues[QUEUE].clear()
    world.clock.advance(DAY)
    world.app.housekeeping.round(1_000)
    world.deliver_all(QUEUE)


def with_a_repeat_that_asks_for_all(patch: Patch) -> None:
    """Mutation: a recorded page requests all tasks that its second listing shows."""

    def asked_again(cleanup: Cleanup, requests: Sequence[DeletionRequest]) -> list[DeletionRequest]:
        return list(requests)

    patch.setattr(pages, "asked_again", asked_again)


def without_a_second_listing(patch: Patch) -> None:
    """Mutation: nobody checks whether a clean-up stands still."""
    patch.setattr(state, "after_look", lambda *_: None)


def with_pages_counted_anew(patch: Patch) -> None:
    """Mutation: a listing that starts again works without rows, and so counts earlier requests twice."""
    patch.setattr(state, "begun_again", lambda cleanup: replace(REAL_BEGUN_AGAIN(cleanup), with_rows=False))


def run(story: Story) -> list[str]:
    """The broken promises and wrong counts once all queues are empty."""
    world = job_world()
    promises = PromiseChecker(world)
    body = world.put_event()
    story(world, body)
    world.settle()
    ids = [derived_id(body["clientRequestId"], JOB, f"t-{n:04d}") for n in range(25)]
    found = promises.broken(*ids)
    told = progress(world, body)
    if (told["requested"], told["open"], told["done"]) != (25, 0, {"deleted": 25}):
        found.append(f"the counts are {told}")
    closing = next(r["data"] for r in world.results() if r["type"] == "batch.job-cleanup.listed")
    if closing["requested"] != 25:
        found.append(f"the counts are told as {closing}")
    return found


@pytest.mark.parametrize(
    ("story", "mutation", "broken"),
    [
        (a_page_that_reaches_further, with_a_repeat_that_asks_for_all, "the counts are"),
        (a_message_that_is_lost, without_a_second_listing, "was lost"),
        (a_step_that_is_lost, with_pages_counted_anew, "the counts are"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_safeguard_is_needed(
    story: Story, mutation: Callable[[Patch], None], broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of events breaks no promise with the safeguard, and the expected one without it."""
    assert run(story) == []

    mutation(monkeypatch)

    assert any(broken in fault for fault in run(story))


def test_a_request_is_unknown_until_its_first_claim() -> None:
    """A request without a row answers 404, while its clean-up counts it as requested and open."""
    world, body = job_world(), job_event()
    world.put(body, QUEUE)
    world.deliver_all(QUEUE)
    request_id = derived_id(body["clientRequestId"], JOB, "t-0003")

    assert not [row for row in world.records.rows.values() if "request" in row]
    assert world.get(request_id).status == 404
    assert world.cancel(request_id).status == 404
    told = progress(world, body)
    assert (told["state"], told["listed"], told["requested"], told["open"]) == ("listed", 25, 25, 25)

    world.deliver()
    assert progress(world, body)["requested"] == 25
    world.settle()
    assert world.get(request_id).status == 200
    assert progress(world, body)["open"] == 0


def test_a_cancelled_clean_up_ends_what_has_no_row_yet() -> None:
    """Cancelling ends requests without rows as their messages come; lost ones stop being open after a day."""
    world, body = job_world(), job_event()
    world.put(body, QUEUE)
    world.deliver_all(QUEUE)
    del world.queues["requests"][-2:]
    assert world.cancel_cleanup(body["clientRequestId"]).content["open"] == 25

    world.settle()
    told = progress(world, body)
    assert 0 < told["open"] < 25
    assert told["done"] == {"cancelled": 25 - told["open"]}
    nights(world, 3)

    told = progress(world, body)
    assert (told["open"], world.batch.calls) == (0, [])


def test_a_page_that_failed_for_good_before_it_was_asked_for_is_not_open_for_good() -> None:
    """If a page's requests can never be sent, the clean-up fails; a redrive counts each task once."""
    world, body = job_world(), job_event()
    world.put(body, QUEUE)
    with disturbed(world, everywhere(Fault.FAILS, "send requests")):
        world.settle(withstand=(StorageUnavailable,))
    assert progress(world, body)["state"] == "failed"
    nights(world, 3)
    assert progress(world, body)["open"] == 0

    (letter,) = world.dead_letters()
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    told = progress(world, body)
    assert (told["state"], told["requested"], told["done"]) == ("listed", 25, {"deleted": 25})


def test_a_task_that_was_made_anew_before_its_page_was_asked_for_again_is_told_once() -> None:
    """A second request for a task, under a newer version, is dropped without a conflict and keeps the task."""
    world, body = job_world(), job_event()
    world.put(body, QUEUE)
    world.deliver_all(QUEUE)
    twice = list(world.messages())
    world.batch.completed[3] = replace(world.batch.completed[3], etag="0x8DFFFF")
    world.settle()
    old, new = '"ifMatch":"0x8D3"', '"ifMatch":"0x8DFFFF"'
    (message,) = (m for m in twice if old in m.text)
    world.put(message.text.replace(old, new))
    world.settle()

    told = [r["data"] for r in world.results() if r["data"].get("taskId") == "t-0003"]
    assert {data["outcome"] for data in told} == {"preconditionFailed"}
    assert world.dead_letters() == []
    assert (JOB, "t-0003") in world.batch.tasks


def test_delayed_requests_have_rows_from_the_start() -> None:
    """Delayed requests of a clean-up have rows from the start, so they can be looked up and cancelled."""
    world, body = job_world(), job_event(deleteAfter="P2D")
    world.put(body, QUEUE)
    world.deliver_all(QUEUE)
    assert world.get(derived_id(body["clientRequestId"], JOB, "t-0003")).status == 200
    assert progress(world, body)["open"] == 25


def test_a_task_of_the_clean_up_costs_two_writes_for_each_bucket() -> None:
    """Requests without rows cost two writes per bucket and page: one to claim, one to record."""
    world, body = World(), job_event()
    world.batch.seed(JOB, 400)
    world.put(body, QUEUE)
    world.deliver_all(QUEUE)
    with disturbed(world, nothing) as injector:
        world.settle()
    assert injector.names.count("row write") == 2 * 16


def test_a_retry_of_a_request_without_a_row_has_one() -> None:
    """A request without a row has one from its first claim on, so its retry is like any other."""
    world, body = job_world(), job_event()
    world.batch.script = [refused(503, "ServerBusy")]
    world.put(body, QUEUE)
    world.deliver_all(QUEUE)
    world.deliver()
    assert [row["state"] for row in world.records.rows.values() if row.get("next_attempt_at")] == ["claimed"]
    world.settle()
    assert progress(world, body)["done"] == {"deleted": 25}

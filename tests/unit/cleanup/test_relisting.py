"""A clean-up whose counts stand still is listed again, which finds what was lost with a message."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.app import World
from tests.fakes.batch import refused
from tests.fakes.jobs import JOB

QUEUE = "job-completions"
DAY = 86_400


def list_all(world: World, **fields: Any) -> dict[str, Any]:
    """Puts an event whose job is listed completely, with no deletion started."""
    body = world.put_event(**fields)
    while world.deliver(QUEUE):
        pass
    return body


def lose(world: World, count: int) -> None:
    """Loses the last messages of requests, and with them all that is known of their requests."""
    del world.queues["requests"][-count:]
    kept = "".join(message.text for message in world.messages())
    for key in list(world.records.rows):
        row = world.records.rows[key]
        if "request" in row and f'"{row["request"]}"'.split('"clientRequestId":"')[1][:36] not in kept:
            del world.records.rows[key], world.records.etags[key]


def nights(world: World, count: int) -> int:
    """Runs so many daily rounds; returns how many rows they requeued."""
    put_back = 0
    for _ in range(count):
        world.clock.advance(DAY)
        put_back += world.app.housekeeping.round(1_000)["put_back"]
    return put_back


def progress(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """The document of `GET /api/job-completions/{id}`."""
    return world.progress(body["clientRequestId"]).content  # type: ignore[no-any-return]


def test_what_was_lost_is_asked_for_again(world: World) -> None:
    """After a day without progress the job is listed again, and lost tasks are deleted, each once."""
    body = list_all(world)
    lose(world, 5)
    world.settle()
    deleted = len(world.batch.calls)
    assert 0 < deleted < 25
    assert nights(world, 1) == 0
    assert nights(world, 1) == 1
    world.settle()
    assert sorted(c.task_id for c in world.batch.calls) == [f"t-{n:04d}" for n in range(25)]
    assert progress(world, body)["state"] == "listed"
    assert len(world.closings()) == 1


def test_a_task_that_ended_after_the_first_listing_is_left_alone(world: World) -> None:
    """A second listing leaves alone a task that ended after the first: it ran again, or is another task."""
    list_all(world)
    lose(world, 16)
    world.settle()
    left = {task_id for _, task_id in world.batch.tasks}
    again = min(left)
    world.batch.completed = [
        replace(task, end_time="2026-11-25T00:00:00Z", etag="0x8DFFFF") if task.id == again else task
        for task in world.batch.completed
    ]
    nights(world, 2)
    world.settle()
    assert {task_id for _, task_id in world.batch.tasks} == {again}


def test_what_is_not_yet_due_is_not_asked_for_again(world: World) -> None:
    """A second listing does not request again what is not due yet."""
    list_all(world, deleteAfter="P20D")
    waiting = len(world.messages())
    assert nights(world, 4) == 3
    while world.deliver(QUEUE):
        pass
    assert len(world.messages()) == waiting
    assert world.batch.calls == []


def test_nothing_is_listed_again_while_the_count_moves(world: World) -> None:
    """A job is not listed again while its clean-up still makes progress, however slowly."""
    list_all(world)
    for _ in range(4):
        world.deliver()
        assert nights(world, 1) >= 0
        assert world.messages(QUEUE) == []


def test_a_cancelled_clean_up_is_not_listed_again(world: World) -> None:
    """A cancelled clean-up is not listed again, and what was lost no longer counts as open."""
    body = list_all(world)
    lose(world, 5)
    world.settle()
    assert world.cancel_cleanup(body["clientRequestId"]).status == 202
    nights(world, 3)
    assert world.messages(QUEUE) == []
    assert progress(world, body)["open"] == 0


def test_what_was_lost_with_a_job_that_is_gone_is_no_longer_open(world: World) -> None:
    """If the job is gone at the second listing, lost requests no longer count as requested or open."""
    body = list_all(world)
    lose(world, 5)
    world.settle()
    deleted = len(world.batch.calls)
    assert progress(world, body)["open"] == 25 - deleted
    nights(world, 2)
    world.batch.states.clear()
    world.batch.job_script = [refused(404, "JobNotFound")]
    world.settle()
    after = progress(world, body)
    assert (after["requested"], after["done"], after["open"]) == (deleted, {"deleted": deleted}, 0)
    assert nights(world, 3) == 0


@pytest.mark.parametrize("reply", [refused(400, "X"), refused(501, "NotImplemented")])
def test_trouble_ends_the_second_listing_and_not_the_clean_up(world: World, reply: Any) -> None:
    """A permanent failure ends only the second listing: the clean-up stays `listed` and is listed again later."""
    body = list_all(world)
    lose(world, 5)
    world.settle()
    nights(world, 2)
    world.batch.job_script = [reply]
    world.settle()
    assert progress(world, body)["state"] == "listed"
    assert len(world.closings()) == 1
    assert nights(world, 2) == 2
    world.settle()
    assert len(world.batch.calls) == 25


def test_a_link_that_leads_back_ends_the_second_listing(world: World) -> None:
    """It is trouble like any other: the clean-up stays `listed`, and on another day finds what is left."""
    body = list_all(world)
    lose(world, 5)
    world.settle()
    nights(world, 2)
    world.batch.next_link = "t-0009"
    world.settle()
    assert progress(world, body)["state"] == "listed"
    world.batch.next_link = None
    nights(world, 2)
    world.settle()
    assert len(world.batch.calls) == 25


def test_trouble_that_passes_is_waited_out(world: World) -> None:
    """A temporary failure of a second listing is retried."""
    list_all(world)
    lose(world, 5)
    world.settle()
    nights(world, 2)
    world.batch.job_script = [refused(503, "ServerBusy")] * 3
    world.settle()
    assert len(world.batch.calls) == 25


def test_a_protected_job_is_not_listed_again(world: World) -> None:
    """A job that was protected after its event is not listed again."""
    list_all(world)
    lose(world, 5)
    world.settle()
    before = len(world.batch.calls)
    nights(world, 2)
    world.settings = replace(world.settings, protected_jobs=(JOB,))
    world.app = world.worker()
    world.settle()
    assert len(world.batch.calls) == before


def test_a_second_listing_that_dies_is_listed_on_another_day(world: World) -> None:
    """A second listing whose message becomes poison is repeated on another day."""
    list_all(world)
    lose(world, 5)
    world.settle()
    nights(world, 2)
    (message,) = world.messages(QUEUE)
    message.dequeue_count = 10
    world.settle()
    assert {closing["type"] for closing in world.closings()} == {"batch.job-cleanup.listed"}
    assert nights(world, 1) == 1
    world.settle()
    assert len(world.batch.calls) == 25


def test_it_is_forgotten_all_the_same(world: World) -> None:
    """Second listings do not prolong a clean-up's retention."""
    body = list_all(world)
    lose(world, 5)
    world.settle()
    for _ in range(16):
        nights(world, 1)
        world.batch.job_script = [refused(404, "JobNotFound")]
        while world.deliver(QUEUE):
            pass
    assert world.progress(body["clientRequestId"]).status == 404

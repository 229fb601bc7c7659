"""What the daily round does for clean-ups."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.chaos.faults import Fault, ProcessDied, at, before, disturbed
from tests.fakes.app import World
from tests.fakes.jobs import JOB

DAY = 86_400


@pytest.fixture
def world() -> World:
    """An app, and a job of 25 completed tasks in pages of 10, two of which are not to be deleted."""
    world = World()
    world.batch.seed(JOB, 2, exit_code=1)
    world.batch.seed(JOB, 23)
    world.batch.page_size = 10
    return world


def event(**fields: Any) -> dict[str, Any]:
    """A bare event with a fresh id."""
    return {"clientRequestId": str(uuid.uuid4()), "jobId": JOB, "select": "succeeded"} | fields


def state(world: World, body: dict[str, Any]) -> str | None:
    """The state in `GET /api/job-completions/{id}`; None if the clean-up is unknown."""
    answer = world.progress(body["clientRequestId"])
    return answer.content["state"] if answer.status == 200 else None


def listed(world: World) -> list[tuple[int, int]]:
    """The numbers of requested and skipped tasks in the closing events."""
    closing = (r["data"] for r in world.results() if r["type"] == "batch.job-cleanup.listed")
    return [(data["requested"], data["skipped"]) for data in closing]


def requeued(world: World) -> int:
    """Runs one round; returns how many rows it requeued."""
    return world.app.housekeeping.round(1_000)["put_back"]


@pytest.mark.parametrize("fields", [{}, {"deleteAfter": "PT0S"}])
@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_clean_up_whose_message_is_gone_is_begun_again(world: World, pages: int, fields: dict[str, str]) -> None:
    """The daily round restarts a clean-up whose message was lost at any step; each task is counted once."""
    body = event(**fields)
    world.batch.states[JOB] = "active" if pages == 0 else "completed"
    world.put(body, "job-completions")
    for _ in range(max(1, pages)):
        world.deliver("job-completions")
    world.queues["job-completions"].clear()
    world.batch.states[JOB] = "completed"
    world.settle()
    world.clock.advance(4_500 - 60)
    assert requeued(world) == 0
    world.clock.advance(120)
    assert requeued(world) == 1
    world.settle()
    assert len(world.batch.calls) == 23
    assert listed(world) == [(23, 2)]
    assert requeued(world) == 0


def test_a_page_whose_tasks_were_not_asked_for_is_not_left_out(world: World) -> None:
    """If the process dies after recording the last page, the round still gets its tasks requested."""
    world.put(event(), "job-completions")
    for _ in range(2):
        world.deliver("job-completions")
    with disturbed(world, at(0, Fault.DIES_AFTER, "row write")), pytest.raises(ProcessDied):
        world.deliver("job-completions")
    world.queues["job-completions"].clear()
    world.clock.advance(DAY)
    assert requeued(world) >= 1
    world.settle(1_000)
    assert len(world.batch.calls) == 23
    assert listed(world) == [(23, 2)]


def test_a_message_that_turns_up_after_all_lists_nothing_twice(world: World) -> None:
    """If a message thought lost turns up after the requeue, the second of the two is dropped."""
    world.put(event(), "job-completions")
    world.deliver("job-completions")
    world.clock.advance(DAY)
    assert requeued(world) >= 1
    assert len(world.messages("job-completions")) == 2
    world.settle(1_000)
    assert len(world.batch.calls) == 23
    assert [requested for requested, _ in listed(world)] == [23]


def test_a_message_that_turns_up_after_all_does_not_spoil_the_counts() -> None:
    """If an old step turns up after a requeue, it is dropped and the job's counts stay exact."""
    world = World()
    for count, exit_code in ((3, 0), (3, 1), (2, 0)):
        world.batch.seed("job-1", count, exit_code=exit_code)
    world.batch.page_size = 2
    world.put(event(jobId="job-1", select="failed"), "job-completions")
    for _ in range(3):
        world.deliver("job-completions")
    world.clock.advance(2 * 3_600)
    requeued(world)
    world.settle()
    (closing,) = (r["data"] for r in world.results() if r["type"] == "batch.job-cleanup.listed")
    assert (closing["listed"], closing["requested"], closing["skipped"]) == (8, 3, 5)


def test_only_a_clean_up_that_has_ended_is_forgotten(world: World) -> None:
    """An unfinished clean-up is requeued instead of purged, however old it is."""
    done, waiting = event(), event(jobId="other")
    world.batch.states["other"] = "active"
    for body in (waiting, done):
        world.put(body, "job-completions")
        world.deliver("job-completions")
        world.queues["job-completions"] = [m for m in world.messages("job-completions") if "other" not in m.text]
    while world.deliver("job-completions") or world.deliver():
        pass
    world.clock.advance(16 * DAY)
    assert requeued(world) == 1
    assert (state(world, done), state(world, waiting)) == (None, "waiting")
    assert {row.split(":")[0] for _, row in world.records.rows} == {"cleanup", "cursor"}


def test_a_clean_up_is_remembered_for_as_long_as_its_tasks_wait(world: World) -> None:
    """A clean-up with delayed deletions is purged thirty days later than its retention says."""
    body = event(deleteAfter="P20D")
    world.put(body, "job-completions")
    while world.deliver("job-completions"):
        pass
    world.clock.advance(44 * DAY)
    requeued(world)
    assert state(world, body) == "listed"
    world.clock.advance(2 * DAY)
    requeued(world)
    assert state(world, body) is None


def test_a_clean_up_that_nobody_can_read_is_left_and_told_of(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A clean-up whose row cannot be read is logged and left, and the others are requeued."""
    for body in (event(jobId="other"), event(jobId="other")):
        world.batch.states["other"] = "active"
        world.put(body, "job-completions")
        world.deliver("job-completions")
    world.queues.clear()
    broken = min(world.records.rows)
    world.records.rows[broken]["event"] = "{"
    world.clock.advance(DAY)
    assert requeued(world) == 1
    assert f"corrupt_record row={broken[1]}" in caplog.text


def test_a_clean_up_that_moved_on_meanwhile_is_left_alone(world: World) -> None:
    """A clean-up that moved on between the round's read and write is not requeued."""
    world.batch.states[JOB] = "active"
    world.put(event(), "job-completions")
    world.deliver("job-completions")
    world.clock.advance(DAY)
    there = len(world.messages("job-completions"))
    with disturbed(world, at(0, before(world.records.touch), "row write")):
        assert requeued(world) == 0
    assert len(world.messages("job-completions")) == there

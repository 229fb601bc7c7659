"""Cancelling a clean-up: `DELETE /api/job-completions/{id}`."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from shared.errors import StorageUnavailable
from tests.chaos.faults import Fault, at, before, contended, disturbed
from tests.chaos.recovery import call_until_answered
from tests.fakes.app import World
from tests.fakes.batch import refused
from tests.fakes.calls import ask, call
from tests.fakes.jobs import JOB, job_event

QUEUE = "job-completions"


def cancel(world: World, body: dict[str, Any], **query: str) -> Any:
    """Calls `DELETE /api/job-completions/{id}`."""
    return ask(world.app.cleanups.cancel, call(route={"id": body["clientRequestId"]}, query=query))


def state(world: World, body: dict[str, Any]) -> tuple[str, int]:
    """The state and number of open requests in `GET /api/job-completions/{id}`."""
    document = world.progress(body["clientRequestId"]).content
    return document["state"], document["open"]


def closings(world: World) -> dict[str, dict[str, Any]]:
    """The closing events of clean-ups, by id, so that repeats count once."""
    return {r["id"]: r["data"] for r in world.results() if r["type"].startswith("batch.job-cleanup.")}


def test_one_that_waits_for_its_job_is_cancelled_at_once(world: World) -> None:
    """A clean-up that waits for its job is cancelled at once, with a closing event, and lists nothing more."""
    world.batch.states[JOB] = "active"
    body = world.put_event()
    world.deliver(QUEUE)
    answer = cancel(world, body)
    assert (answer.status, answer.content["state"]) == (202, "cancelled")
    world.batch.states[JOB] = "completed"
    world.settle()
    assert world.batch.calls == []
    (closing,) = closings(world).items()
    assert closing[0] == str(uuid.uuid5(uuid.UUID(body["clientRequestId"]), "done"))
    assert (closing[1]["outcome"], closing[1]["error"]) == ("cancelled", None)
    assert world.dead_letters() == []


def test_requests_of_a_clean_up_that_cannot_be_read_are_kept_for_people(world: World) -> None:
    """If a clean-up's row cannot be read, its requests become dead letters without a DELETE, and can be redriven."""
    body = world.put_event()
    while world.deliver(QUEUE):
        pass
    (key,) = [key for key in world.records.rows if key[1] == f"cleanup:{body['clientRequestId']}"]
    world.records.rows[key]["event"] = "{"
    world.settle()
    assert world.batch.calls == []
    letters = world.dead_letters()
    assert {(letter["outcome"], letter["reason"]) for letter in letters} == {("exhausted", "CorruptRecord")}
    assert len(letters) == 25
    world.clock.advance(1)
    world.redrive_many({"reason": "CorruptRecord"})
    world.settle()
    assert len(world.batch.effects) == 25


def test_one_that_was_only_posted_is_never_begun(world: World) -> None:
    """A clean-up cancelled before its first message lists nothing, and a repeat of the event says `cancelled`."""
    body = world.put_event()
    (message,) = world.messages(QUEUE)
    posted = world.post_event(message.text.encode())
    assert posted.status == 202
    assert cancel(world, body).status == 202
    world.settle()
    assert (world.batch.calls, state(world, body)) == ([], ("cancelled", 0))
    assert world.post_event(message.text.encode()).content["state"] == "cancelled"


def test_a_repeat_is_200(world: World) -> None:
    """Cancelling a clean-up again answers 200 and leaves one closing event."""
    world.batch.states[JOB] = "active"
    body = world.put_event()
    world.deliver(QUEUE)
    assert [cancel(world, body).status for _ in range(3)] == [202, 200, 200]
    assert len(closings(world)) == 1


def test_a_listing_stops_at_its_next_page(world: World) -> None:
    """Cancelling during the listing stops it at the next page; requests already made end as cancelled."""
    body = world.put_event()
    world.deliver(QUEUE)
    answer = cancel(world, body)
    assert (answer.status, answer.content["state"], answer.content["open"]) == (202, "cancelled", 10)
    world.settle()
    assert world.batch.calls == []
    document = world.progress(body["clientRequestId"]).content
    assert (document["requested"], document["done"], document["open"]) == (10, {"cancelled": 10}, 0)
    assert closings(world).popitem()[1]["outcome"] == "cancelled"


def test_one_that_had_listed_all_keeps_its_state_and_its_event(world: World) -> None:
    """Cancelling a listed clean-up ends its open requests, but keeps its state and its closing event."""
    body = world.put_event(deleteAfter="P20D")
    while world.deliver(QUEUE):
        pass
    answer = cancel(world, body)
    assert (answer.status, answer.content["state"], answer.content["open"]) == (202, "listed", 25)
    assert cancel(world, body).status == 200
    world.settle()
    assert (world.batch.calls, state(world, body)) == ([], ("listed", 0))
    assert {r["data"]["outcome"] for r in world.results() if r["type"] == "batch.task-deletion.done"} == {"cancelled"}
    assert [data.get("listed") for data in closings(world).values()] == [25]


def test_one_that_has_ended_cannot_be_cancelled(world: World) -> None:
    """Cancelling a clean-up without open requests is refused with 409."""
    body = world.put_event()
    world.settle()
    answer = cancel(world, body)
    assert (answer.status, answer.content["code"]) == (409, "JobCompletionEnded")


def test_an_id_is_needed_that_is_known(world: World) -> None:
    """Cancelling answers 404 for an id unknown in that id space, and 400 for an invalid id or parameter."""
    body = world.put_event(dryRun=True)
    world.deliver(QUEUE)
    assert cancel(world, body).status == 404
    assert cancel(world, body, dryRun="true").status == 202
    assert cancel(world, body | {"clientRequestId": "x"}).status == 400
    assert cancel(world, body, force="true").status == 400


def test_what_was_begun_goes_on(world: World) -> None:
    """Requests whose DELETE may have been sent go on after a cancellation; the others end as cancelled."""
    body = job_event()
    world.batch.script = [refused(503, "ServerBusy")] * 3
    world.put(body, QUEUE)
    while world.deliver(QUEUE):
        pass
    while len(world.batch.calls) < 3:
        world.deliver()
    begun = {request.task_id for request in world.batch.calls}
    assert cancel(world, body).status == 202
    world.settle()
    outcomes = {r["data"]["taskId"]: r["data"]["outcome"] for r in world.results() if "taskId" in r["data"]}
    assert {task for task, outcome in outcomes.items() if outcome == "deleted"} >= begun
    assert "cancelled" in outcomes.values()
    assert len(outcomes) == 25
    assert world.dead_letters() == []


@pytest.mark.parametrize("fault", [Fault.FAILS, Fault.LOSES_ITS_ANSWER])
@pytest.mark.parametrize("number", range(3))
def test_a_cancel_that_dies_on_the_way_is_repeated(world: World, fault: Fault, number: int) -> None:
    """If a storage operation fails while cancelling, a repeat of the call still leads to one closing event."""
    world.batch.states[JOB] = "active"
    body = world.put_event()
    world.deliver(QUEUE)
    with disturbed(world, at(number, fault, "row write", "send")):
        assert call_until_answered(world, lambda: cancel(world, body)).status in {200, 202}
    world.settle()
    assert [data["outcome"] for data in closings(world).values()] == ["cancelled"]


def test_a_row_that_never_holds_still_is_answered_with_503(world: World) -> None:
    """If the clean-up's row keeps changing, cancelling raises StorageUnavailable."""
    world.batch.states[JOB] = "active"
    body = world.put_event()
    world.deliver(QUEUE)
    with disturbed(world, contended(world.records)), pytest.raises(StorageUnavailable, match="changed under"):
        cancel(world, body)


def test_a_step_that_is_at_work_meanwhile_finds_the_end(world: World) -> None:
    """A listing step that runs during the cancellation writes nothing and makes no successor."""
    body = world.put_event()
    world.deliver(QUEUE)
    statuses: list[int] = []
    with disturbed(world, at(0, before(lambda: statuses.append(cancel(world, body).status)), "batch list")):
        assert world.deliver(QUEUE)
    assert statuses == [202]
    assert state(world, body) == ("cancelled", 10)
    assert world.messages(QUEUE) == []


def test_a_failed_clean_up_that_was_cancelled_stays_so(world: World) -> None:
    """A failed clean-up that was cancelled cannot be redriven: 409."""
    body = world.put_event(deleteAfter="P20D")
    world.deliver(QUEUE)
    world.batch.job_script = [refused(400, "InvalidQueryParameterValue")]
    while world.deliver(QUEUE):
        pass
    assert cancel(world, body).content["state"] == "failed"
    (letter,) = world.dead_letters()
    assert world.redrive(letter["id"]).status == 409

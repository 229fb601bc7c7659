"""The synchronous DELETE: carried out at once if possible, and through the queue otherwise."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from shared.batch.reply import Reply
from shared.errors import StorageUnavailable
from tests.chaos.faults import Fault, at, disturbed, everywhere, following
from tests.fakes.app import World
from tests.fakes.batch import DELETED, LOST, NOT_FOUND, refused

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def world() -> World:
    """An app and its existing task."""
    world = World()
    world.request()
    return world


def test_a_deletion_is_answered_and_its_result_sent(world: World) -> None:
    """A synchronous DELETE answers with Batch's status and publishes the same outcome."""
    answer = world.delete(client_request_id=ID)

    assert (answer.status, answer.content, answer.batch_request_id) == (200, None, "batch-1")
    assert answer.client_request_id == ID
    (result,) = world.results()
    assert (result["data"]["outcome"], result["data"]["origin"]) == ("deleted", "http")
    assert world.owed() == [False]
    assert world.messages() == []


@pytest.mark.parametrize(
    ("reply", "status", "code", "outcome"),
    [
        pytest.param(NOT_FOUND, 404, "TaskNotFound", "notFound", id="not found"),
        pytest.param(refused(412, "ConditionNotMet"), 412, "ConditionNotMet", "preconditionFailed", id="condition"),
        pytest.param(refused(409, "TaskCompleted"), 409, "TaskCompleted", "failed", id="permanent"),
        pytest.param(refused(400, "InvalidHeaderValue"), 400, "InvalidHeaderValue", "failed", id="invalid"),
        pytest.param(refused(307, "Moved"), 502, "Moved", "failed", id="a redirect is not passed on"),
    ],
)
def test_an_answer_of_batch_is_passed_on(world: World, reply: Reply, status: int, code: str, outcome: str) -> None:
    """A final refusal by Batch reaches the caller with status and code, and is published as the outcome."""
    world.batch.script = [reply]
    answer = world.delete()
    assert (answer.status, answer.content["code"]) == (status, code)
    assert world.outcomes() == [outcome]


def test_not_modified_has_no_body(world: World) -> None:
    """A 304 of Batch is answered without a body."""
    world.batch.script = [refused(304, "ConditionNotMet")]
    answer = world.delete()
    assert (answer.status, answer.content) == (304, None)


@pytest.mark.parametrize("reply", [LOST, refused(429, "TooManyRequests"), refused(500, "InternalError")])
def test_what_does_not_settle_at_once_goes_on_from_the_queue(world: World, reply: Reply) -> None:
    """If Batch fails temporarily, the call answers 202 with its location, and the queue completes the request."""
    world.batch.script = [reply]
    answer = world.delete(client_request_id=ID)

    assert (answer.status, answer.headers["location"]) == (202, f"/api/task-deletions/{ID}")
    assert answer.content["state"] == "retrying"
    assert world.results() == []
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_a_repeat_puts_the_retry_that_never_went_out(world: World) -> None:
    """If the retry's message could not be sent, a repeat of the call sends it for the same time."""
    world.batch.script = [refused(429, "TooManyRequests", 600)]
    with disturbed(world, everywhere(Fault.FAILS, "send")), pytest.raises(StorageUnavailable):
        world.delete(client_request_id=ID)
    world.clock.advance(10)
    assert world.delete(client_request_id=ID).status == 202
    assert [m.visible_at for m in world.messages()] == [world.clock.now() + timedelta(seconds=590)]
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_a_repeat_within_the_lease_of_a_call_that_could_not_record_its_outcome_puts_a_message(world: World) -> None:
    """If a call could not record its outcome, its repeat sends one message for the end of the lease."""
    with disturbed(world, following("batch delete", Fault.FAILS)), pytest.raises(StorageUnavailable):
        world.delete(client_request_id=ID)
    world.clock.advance(10)
    for _ in range(3):
        assert world.delete(client_request_id=ID).content["state"] == "running"
    assert [m.visible_at for m in world.messages()] == [world.clock.now() + timedelta(seconds=170)]
    world.batch.tasks.clear()
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_repeats_of_a_call_whose_retry_was_put_put_no_more(world: World) -> None:
    """Repeats of a call whose retry is queued send no further messages."""
    world.batch.script = [refused(503, "ServerBusy", 60)]
    for _ in range(20):
        assert world.delete(client_request_id=ID).status == 202
        world.clock.advance(1)
    assert len(world.messages()) == 1
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_a_repeat_replays_the_answer(world: World) -> None:
    """A repeat of a finished call replays its answer, without a second DELETE or result."""
    world.delete(client_request_id=ID)
    again = world.delete(client_request_id=ID.upper())

    assert (again.status, again.headers["idempotency-replayed"]) == (200, "true")
    assert len(world.batch.calls) == len(world.results()) == 1


def test_a_repeat_of_an_open_request_is_told_where_to_look(world: World) -> None:
    """A repeat of a call that waits for its retry answers 202 and does not bring the retry forward."""
    world.batch.script = [refused(429, "TooManyRequests", 60)]
    world.delete(client_request_id=ID)
    again = world.delete(client_request_id=ID)

    assert (again.status, len(world.batch.calls)) == (202, 1)


@pytest.mark.parametrize("prefer", ["return=minimal", "respond-async"])
def test_a_repeat_with_another_payload_is_refused(world: World, prefer: str) -> None:
    """A known id with another task is refused with 422, pointing at `client-request-id`, and nothing is sent."""
    world.delete(client_request_id=ID)
    again = world.delete(task_id="task-2", client_request_id=ID, prefer=prefer)

    assert (again.status, again.content["code"]) == (422, "ClientRequestIdConflict")
    assert [value["key"] for value in again.content["values"]] == ["client-request-id"]
    assert len(world.batch.calls) == len(world.results()) == 1


def test_a_message_that_comes_meanwhile_waits_for_the_call(world: World) -> None:
    """A message for the request that arrives during the call is put off until the claim's lease ends."""
    body = world.request(clientRequestId=ID)

    def meanwhile() -> Reply:
        world.put(body)
        world.deliver()
        return DELETED

    world.batch.script = [meanwhile]
    world.delete(client_request_id=ID)

    (message,) = world.messages()
    assert message.visible_at - world.clock.now() == timedelta(seconds=180)
    world.settle()
    assert world.outcomes() == ["deleted", "deleted"]
    assert len({r["id"] for r in world.results()}) == 1
    assert len(world.batch.calls) == 1


def test_a_result_that_could_not_be_sent_stays_owed(world: World) -> None:
    """If the result cannot be sent, the caller still gets its answer, and the daily round sends the result."""
    with disturbed(world, everywhere(Fault.FAILS, "send")):
        assert world.delete().status == 200
    assert world.owed() == [True]

    world.clock.advance(3600)
    world.app.housekeeping.round(60)
    assert world.outcomes() == ["deleted"]
    assert world.owed() == [False]


@pytest.mark.parametrize("number", [0, 1])
def test_nothing_is_promised_when_storage_is_down(world: World, number: int) -> None:
    """If storage fails, the call raises StorageUnavailable, and its repeat leads to one outcome."""
    with disturbed(world, at(number, Fault.FAILS, "row")), pytest.raises(StorageUnavailable):
        world.delete(client_request_id=ID)

    world.clock.advance(200)
    assert world.delete(client_request_id=ID).status == (202 if number else 200)
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_a_claim_whose_answer_was_lost_is_known_again(world: World) -> None:
    """A claim whose write the storage client repeated is recognised as the call's own."""
    with disturbed(world, at(0, Fault.IS_REPEATED, "row write")):
        assert world.delete().status == 200
    assert len(world.batch.calls) == 1


def test_an_id_is_made_up_when_there_is_none(world: World) -> None:
    """Without an id the call generates one, returns it, and its status can be read by it."""
    answer = world.delete()
    assert answer.client_request_id == str(uuid.UUID(answer.client_request_id or ""))
    assert world.get(answer.client_request_id or "").status == 200


def test_a_call_that_was_overtaken_says_what_came_of_the_request(world: World) -> None:
    """A call that stalls past its lease answers with the outcome that another worker recorded."""
    body = world.request(clientRequestId=ID)

    def stalled() -> Reply:
        world.clock.advance(200)
        world.put(body)
        world.deliver()
        return DELETED

    world.batch.script = [stalled]
    assert world.delete(client_request_id=ID).status == 200
    assert world.outcomes()[0] == "deleted"


def test_a_call_that_was_overtaken_by_one_still_at_work_is_told_where_to_look(world: World) -> None:
    """A call that stalls past its lease answers 202 if another worker's attempt is still open."""
    body = world.request(clientRequestId=ID)

    def stalled() -> Reply:
        world.clock.advance(200)
        world.put(body)
        world.batch.script = [refused(429, "TooManyRequests", 60)]
        world.deliver()
        return DELETED

    world.batch.script = [stalled]
    assert world.delete(client_request_id=ID).status == 202
    world.settle()
    assert world.outcomes() == ["deleted"]

"""Events over HTTP in every mode: structured, batched and binary CloudEvents, and Event Grid's arrays."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from shared.errors import StorageUnavailable
from tests.chaos.faults import Fault, at, disturbed
from tests.fakes.app import World, job_world
from tests.fakes.jobs import JOB, RECORD, job_event

CLOUD: dict[str, Any] = {"specversion": "1.0", "id": "e-1", "source": "/batch/acct", "type": "Pipeline.JobCompleted"}
BINARY = {f"ce-{name}": text for name, text in CLOUD.items()}
EVENT_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "/batch/acct|e-1"))
BATCH = "application/cloudevents-batch+json; charset=utf-8"


@pytest.fixture
def world() -> World:
    """An app with the job that is cleaned up."""
    return job_world()


def cloud(number: int, **data: Any) -> dict[str, Any]:
    """One of several CloudEvents."""
    return CLOUD | {"id": f"e-{number}", "data": {"jobId": JOB} | data}


def statuses(answer: Any) -> list[str]:
    """The status of each of several events."""
    return [item["status"] for item in answer.content["items"]]


def keys(answer: Any) -> set[str]:
    """The pointers of an error body."""
    return {value["key"] for value in answer.content["values"]}


# One event


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (CLOUD | {"data": {"jobId": JOB}}, "application/cloudevents+json"),
        (CLOUD | {"data": {"jobId": JOB}}, "application/json"),
        ([CLOUD | {"data": {"jobId": JOB}}], BATCH),
        ([CLOUD | {"data": {"jobId": JOB}}], "application/json"),
    ],
)
def test_one_event_in_any_mode_is_one_clean_up(world: World, body: object, content_type: str) -> None:
    """One event in any HTTP mode is answered with 202, its progress and the same derived id."""
    answer = world.post_event(body, content_type=content_type)
    assert (answer.status, answer.content["eventId"]) == (202, EVENT_ID)
    assert answer.headers["location"] == f"/api/job-completions/{EVENT_ID}"


@pytest.mark.parametrize("content_type", ["application/json", "", "application/vnd.pipeline+json"])
def test_binary_mode_has_the_attributes_in_headers(world: World, content_type: str) -> None:
    """In binary mode the `ce-` headers hold the attributes and the body the data; the event is the same."""
    answer = world.post_event({"jobId": JOB}, content_type=content_type, **BINARY, ce_time="2026-11-24T08:00:00Z")
    assert (answer.status, answer.content["eventId"]) == (202, EVENT_ID)


def test_attributes_in_headers_are_percent_encoded(world: World) -> None:
    """Percent-encoded attributes in `ce-` headers are decoded before the event's id is derived."""
    answer = world.post_event({"jobId": JOB}, **BINARY | {"ce-id": "Euro%20%E2%82%AC"})
    assert answer.content["eventId"] == str(uuid.uuid5(uuid.NAMESPACE_URL, "/batch/acct|Euro \u20ac"))


@pytest.mark.parametrize(
    ("headers", "body", "where"),
    [
        ({"ce-id": ""}, {"jobId": JOB}, {"ce-id"}),
        ({"ce-specversion": "0.3"}, {"jobId": JOB}, {"ce-specversion"}),
        ({"ce-id": "%00"}, {"jobId": JOB}, {"ce-id"}),
        ({}, {"jobId": ".."}, {"/jobId"}),
        ({}, {"jobId": JOB, "selct": 1}, {"/selct"}),
        ({}, [1], {""}),
        ({}, b"", {""}),
        ({}, b"{", {""}),
    ],
)
def test_a_fault_in_binary_mode_is_pointed_at(
    world: World, headers: dict[str, str], body: object, where: set[str]
) -> None:
    """An error in binary mode points at the header of an attribute, or at the field in the body."""
    answer = world.post_event(body, **BINARY | headers)
    assert (answer.status, keys(answer)) == (400, where)


def test_a_missing_attribute_is_named_by_its_header(world: World) -> None:
    """If some `ce-` headers are present, each missing required one is named in the error."""
    answer = world.post_event({"jobId": JOB}, **{"ce-type": "x"})
    assert (answer.status, keys(answer)) == (400, {"ce-specversion", "ce-id", "ce-source"})


def test_binary_mode_takes_json_alone(world: World) -> None:
    """A binary-mode event whose body is not JSON is refused with 415."""
    assert world.post_event(b"<job/>", **BINARY, content_type="application/xml").status == 415


@pytest.mark.parametrize(
    ("body", "headers", "where"),
    [
        pytest.param(job_event(), {}, "/jobId", id="bare"),
        pytest.param([job_event()], {}, "/0/jobId", id="a list of one"),
        pytest.param(cloud(1), {}, "/data/jobId", id="structured"),
        pytest.param({"jobId": JOB}, BINARY, "/jobId", id="binary"),
        pytest.param(RECORD, {}, "/properties/jobId", id="record"),
    ],
)
def test_a_protected_job_is_pointed_at(body: object, headers: dict[str, str], where: str) -> None:
    """An event for a protected job is refused with 403, pointing at the job id in the body as it was sent."""
    answer = World(PROTECTED_JOBS=JOB).post_event(body, **headers)
    assert (answer.status, keys(answer)) == (403, {where})


# Several


@pytest.mark.parametrize("content_type", [BATCH, "application/json"])
def test_several_events_are_answered_one_by_one(world: World, content_type: str) -> None:
    """Several events in one call are answered one by one, in their order, each with its location or error."""
    events = [cloud(1), cloud(2, jobId=".."), cloud(3), job_event(), RECORD, cloud(1), cloud(3, select="failed")]
    answer = world.post_event(events, content_type=content_type)
    assert answer.status == 202
    told = ["accepted", "invalid", "accepted", "accepted", "accepted", "replayed", "conflict"]
    assert statuses(answer) == told
    items = answer.content["items"]
    assert items[0] == {
        "clientRequestId": EVENT_ID,
        "status": "accepted",
        "location": f"/api/job-completions/{EVENT_ID}",
    }
    assert items[1]["error"]["values"][0]["key"] == "/1/data/jobId"
    assert items[4]["location"].startswith("/api/task-deletions/")
    assert items[6]["error"]["code"] == "ClientRequestIdConflict"
    assert [value["key"] for value in items[6]["error"]["values"]] == ["/6/id"]
    again = world.post_event(events, content_type=content_type)
    assert (again.status, set(statuses(again))) == (202, {"accepted", "replayed", "invalid", "conflict"})
    world.settle()
    assert len({(c.job_id, c.task_id) for c in world.batch.calls}) == 25


def test_an_array_of_event_grid_is_taken(world: World) -> None:
    """An array of several Event Grid events is accepted."""
    grid = {"topic": "/t", "subject": "s", "eventType": "Pipeline.JobCompleted", "dataVersion": "1"}
    events = [grid | {"id": f"e-{number}", "data": {"jobId": JOB}} for number in range(3)]
    assert statuses(world.post_event(events)) == ["accepted"] * 3


def test_when_none_is_accepted_the_call_is_refused(world: World) -> None:
    """If no event of a batch is valid, the answer is 400 with a BatchError and each event's status."""
    answer = world.post_event([cloud(1, jobId=".."), 7])
    assert (answer.status, answer.content["code"]) == (400, "InvalidRequest")
    assert keys(answer) == {"/0/data/jobId", "/1"}
    assert statuses(answer) == ["invalid", "invalid"]


def test_a_refused_call_points_at_conflicts_and_protected_jobs_too() -> None:
    """Whatever keeps an event from being accepted is in `values` of the whole call."""
    world = World(PROTECTED_JOBS="prod-*")
    assert world.post_event(cloud(1)).status == 202
    answer = world.post_event([cloud(1, select="failed"), cloud(2, jobId="prod-1")])
    assert (answer.status, statuses(answer)) == (400, ["conflict", "invalid"])
    assert keys(answer) == {"/0/id", "/1/data/jobId"}


def test_a_batch_that_came_before_is_not_refused(world: World) -> None:
    """A batch whose events are all known is answered with 202, so that its sender stops repeating it."""
    assert world.post_event([cloud(1), cloud(2)]).status == 202
    answer = world.post_event([cloud(1), cloud(2)])
    assert (answer.status, statuses(answer)) == (202, ["replayed"] * 2)


def test_a_protected_job_is_an_invalid_item() -> None:
    """In a batch, an event for a protected job is an invalid item and the others are accepted."""
    world = World(PROTECTED_JOBS=JOB)
    answer = world.post_event([cloud(1), cloud(2, jobId="other")])
    assert (answer.status, statuses(answer)) == (202, ["invalid", "accepted"])
    assert answer.content["items"][0]["error"]["code"] == "ProtectedJob"


def test_a_handshake_comes_alone(world: World) -> None:
    """Event Grid's validation event is answered with its code if it comes alone, and is invalid among others."""
    handshake = {
        "id": "1",
        "topic": "t",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6"},
    }
    assert world.post_event([handshake]).content == {"validationResponse": "512d38b6"}
    answer = world.post_event([handshake, cloud(1)])
    assert answer.content["items"][0]["error"]["values"][0]["key"] == "/0/eventType"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ([], {}, 400),
        (b"[" + b",".join([b"{}"] * 1_001) + b"]", {}, 400),
        (CLOUD | {"data": {"jobId": JOB}}, {"content-type": BATCH}, 400),
        (CLOUD | {"data": {"jobId": JOB}, "subject": "x" * 70_000}, {}, 413),
        ([CLOUD | {"data": {"jobId": JOB}, "subject": "x" * 70_000}], {}, 413),
        (b"[" + b" " * 4 * 1024 * 1024 + b"]", {}, 413),
    ],
)
def test_a_body_of_the_wrong_size_or_shape_is_refused(
    world: World, body: object, headers: dict[str, str], status: int
) -> None:
    """A batch that is empty, too large or of the wrong shape is refused before any event is accepted."""
    assert world.post_event(body, **headers).status == status
    assert world.records.rows == {}


def test_one_event_that_is_too_large_spoils_no_other(world: World) -> None:
    """An event over 64 KiB is invalid alone: the others of its batch are accepted."""
    answer = world.post_event([cloud(1), cloud(2) | {"subject": "x" * 70_000}, *(cloud(n) for n in range(3, 100))])
    assert answer.status == 202
    assert statuses(answer)[:3] == ["accepted", "invalid", "accepted"]
    assert answer.content["items"][1]["error"]["code"] == "RequestBodyTooLarge"


def test_nothing_is_promised_while_storage_is_down(world: World) -> None:
    """If storage fails during a batch, nothing is promised, and a repeat takes each event once."""
    with disturbed(world, at(1, Fault.FAILS, "row")), pytest.raises(StorageUnavailable):
        world.post_event([cloud(1), cloud(2)])
    assert statuses(world.post_event([cloud(1), cloud(2)])) == ["replayed", "accepted"]

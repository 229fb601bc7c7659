"""The request id that an answer carries, even when storage fails during the call."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from shared.api.answer import Call, misconfigured_call, unavailable
from shared.errors import InvalidConfiguration, InvalidInput, StorageUnavailable
from tests.chaos.faults import Fault, disturbed, everywhere, following
from tests.fakes.app import World
from tests.fakes.batch import LOST, refused
from tests.fakes.calls import call

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
TASK = {"jobId": "job-1", "taskId": "task-1"}
BY_ID = {"clientRequestId": ID.upper()}
MANY = {"clientRequestId": ID, "jobId": "job-1", "taskIds": ["a"]}


def carried(known: Call) -> str | None:
    """The request id in the answer to a call during which storage failed."""
    return unavailable("storage is down").all_headers(known).get("client-request-id")


def fails(*_: Any) -> None:
    """Raises StorageUnavailable."""
    raise StorageUnavailable("table rows: HTTP 503")


def test_an_id_in_a_header_is_known_though_the_body_has_none() -> None:
    """The error answer to a bulk or invalid body carries the id from the `client-request-id` header."""
    for body in (b'{"requests": [{}]}', b'{"jobId": "job-1"}'):
        told = call(body=body, headers={"client-request-id": ID})
        told.concerns(ID)
        with pytest.raises(InvalidInput):
            World().app.api.submit(told)
        assert carried(told) == ID


@pytest.mark.parametrize(
    ("ask", "known"),
    [
        pytest.param(lambda world: world.app.api.status, call(route=BY_ID), id="status"),
        pytest.param(lambda world: world.app.api.cancel, call(route=BY_ID), id="cancel"),
        pytest.param(lambda world: world.app.cleanups.progress, call(route={"id": ID}), id="progress"),
        pytest.param(
            lambda world: world.app.api.submit,
            call(body=json.dumps({"clientRequestId": ID} | TASK).encode()),
            id="one request",
        ),
        pytest.param(
            lambda world: world.app.cleanups.submit,
            call(body=json.dumps({"clientRequestId": ID, "jobId": "job-1"}).encode()),
            id="event",
        ),
        pytest.param(lambda world: world.app.api.submit, call(body=json.dumps(MANY).encode()), id="many tasks"),
        pytest.param(
            lambda world: world.app.api.delete_task,
            call(route=TASK, headers={"client-request-id": ID}),
            id="operation",
        ),
        pytest.param(
            lambda world: world.app.api.delete_task,
            call(route=TASK, headers={"client-request-id": ID, "prefer": "respond-async"}),
            id="operation without waiting",
        ),
    ],
)
def test_an_answer_that_promises_nothing_names_the_request(
    ask: Callable[[World], Callable[[Call], object]], known: Call
) -> None:
    """A 503 because of storage carries the request's id, by which the caller can ask later."""
    world = World()
    with disturbed(world, everywhere(Fault.FAILS, "row")), pytest.raises(StorageUnavailable):
        ask(world)(known)
    assert carried(known) == ID


def test_an_id_that_was_made_up_is_told_when_storage_fails_after_the_delete() -> None:
    """If storage fails after a synchronous DELETE was sent, the 503 carries the generated request id."""
    world = World()
    world.request()
    known = call(route=TASK)
    with disturbed(world, following("batch delete", Fault.FAILS)), pytest.raises(StorageUnavailable):
        world.app.api.delete_task(known)
    assert carried(known) == world.batch.calls[0].client_request_id


def test_a_call_about_nothing_in_particular_carries_no_id() -> None:
    """The answer to a call that concerns no particular request carries no request id."""
    assert carried(call()) is None


def test_a_bulk_answer_carries_the_id_of_its_envelope() -> None:
    """A bulk answer carries the id of its envelope, if the envelope has one."""
    for body, expected in ((MANY, ID), ({"requests": [{"clientRequestId": ID} | TASK]}, None)):
        known = call(body=json.dumps(body).encode())
        answer = World().app.api.submit(known)
        assert answer.all_headers(known).get("client-request-id") == expected


@pytest.mark.parametrize("end", ["deleted", "notFound", "refused"])
def test_a_repeat_without_waiting_of_a_finished_id_replays_its_answer(end: str) -> None:
    """`Prefer: respond-async` with a finished request's id replays that request's answer."""
    world = World()
    if end != "notFound":
        world.request()
    if end == "refused":
        world.batch.script = [refused(409, "TaskRunning")]
    first = world.delete(client_request_id=ID)

    again = world.delete(client_request_id=ID, prefer="respond-async")

    assert (again.status, again.content, again.batch_request_id) == (
        first.status,
        first.content,
        first.batch_request_id,
    )
    assert again.headers == {"idempotency-replayed": "true"}


def test_a_repeat_without_waiting_of_an_open_id() -> None:
    """`Prefer: respond-async` with an open request's id answers 202 with its `Location`."""
    world = World()
    world.request()
    world.batch.script = [LOST]
    world.delete(client_request_id=ID)
    again = world.delete(client_request_id=ID, prefer="respond-async")
    assert (again.status, again.headers["location"]) == (202, f"/api/task-deletions/{ID}")


def test_wrong_settings_are_told_by_their_names() -> None:
    """Problems of the settings are listed by name; one that involves several settings stands under the first."""
    problems = ["A is required", "B, C and D must be different", "E and F must be different", "G must not be above H"]
    values = misconfigured_call(InvalidConfiguration(problems)).content["values"]
    assert [(value["key"], value["value"]) for value in values] == [
        ("A", "is required"),
        ("B", "B, C and D must be different"),
        ("E", "E and F must be different"),
        ("G", "must not be above H"),
    ]


def test_made_up_ids_differ() -> None:
    """Two synchronous calls without an id get different generated ids."""
    world = World()
    first, second = call(route=TASK), call(route=TASK)
    world.app.api.delete_task(first)
    world.app.api.delete_task(second)
    assert uuid.UUID(carried(first)) != uuid.UUID(carried(second))

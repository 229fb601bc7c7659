"""The HTTP calls about requests: every status code and header that callers rely on."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from shared.api.answer import Answer, unavailable
from shared.batch.reply import Reply
from shared.errors import StorageUnavailable
from tests.chaos.faults import Fault, at, before, contended, disturbed, everywhere
from tests.fakes.app import World
from tests.fakes.batch import DELETED, refused
from tests.fakes.calls import Told, ask, call

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
JSON = {"content-type": "application/json"}


def pointers(answer: Answer) -> set[str]:
    """The pointers of an error body."""
    return {value["key"] for value in answer.content["values"]}


def is_batch_error(content: Any) -> bool:
    """Whether a body has the shape of the REST operation's error."""
    return (
        set(content) == {"code", "message", "values"}
        and content["message"]["lang"] == "en-US"
        and all(set(value) == {"key", "value"} for value in content["values"])
    )


# One request: POST


def test_a_request_is_accepted(world: World) -> None:
    """A valid request is answered with 202, its location and status document, and is then carried out."""
    body = world.request(clientRequestId=ID)
    answer = world.post(body, **JSON)

    assert (answer.status, answer.headers) == (202, {"location": f"/api/task-deletions/{ID}"})
    assert answer.client_request_id == ID
    assert answer.content == world.get(ID).content
    assert (answer.content["state"], answer.content["attempts"]) == ("accepted", 0)
    world.settle()
    assert [r["data"]["origin"] for r in world.results()] == ["http"]


def test_accepting_costs_one_write_and_one_message_and_saves_the_worker_its_read(world: World) -> None:
    """Accepting a request costs one write and one message; the message's row version saves the worker a read."""
    world.post(world.request())
    assert (world.records.operations, len(world.messages())) == (1, 1)
    world.deliver()
    assert world.records.operations == 3


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "APPLICATION/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/a+json",
    ],
)
def test_json_content_types(world: World, content_type: str) -> None:
    """A request is accepted with any JSON content type, or without one."""
    assert world.post(world.request(), **{"content-type": content_type}).status == 202


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/json; charset=latin-1", "json"])
def test_other_content_types(world: World, content_type: str) -> None:
    """A request with a content type other than JSON is refused with 415, pointing at the header."""
    answer = world.post(world.request(), **{"content-type": content_type})
    assert (answer.status, pointers(answer)) == (415, {"content-type"})
    assert is_batch_error(answer.content)


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"{", "", id="half a body"),
        pytest.param(b"[]", "", id="no object"),
        pytest.param(b"\xff\xfe", "", id="no text"),
        pytest.param(b'{"clientRequestId": "7"}', "/clientRequestId", id="no GUID"),
        pytest.param(b'{"ifmatch": "x"}', "/ifmatch", id="unknown field"),
        pytest.param(b'{"taskId": 5}', "/taskId", id="wrong type"),
        pytest.param(b'{"requests": [], "taskId": "a"}', "/taskId", id="two shapes at once"),
    ],
)
def test_an_invalid_body(world: World, raw: bytes, pointer: str) -> None:
    """An invalid body is refused with 400 and pointers; nothing is stored and no result is published."""
    answer = world.post(raw)

    assert answer.status == 400
    assert is_batch_error(answer.content)
    assert pointer in pointers(answer)
    assert (world.results(), world.records.rows, world.messages()) == ([], {}, [])


def test_the_id_of_an_invalid_request_is_echoed(world: World) -> None:
    """A valid id is echoed in lower case even if the rest of the request is invalid."""
    answer = world.post({"clientRequestId": ID.upper(), "jobId": "!"})
    assert (answer.status, answer.client_request_id) == (400, ID)


@pytest.mark.parametrize("padding", [64 * 1024, 4 * 1024 * 1024])
def test_a_body_that_is_too_large(world: World, padding: int) -> None:
    """A single request over 64 KiB, and any body over 4 MiB, is refused with 413."""
    answer = world.post(json.dumps(world.request()).encode() + b" " * padding)
    assert (answer.status, answer.content["code"]) == (413, "RequestBodyTooLarge")


def test_a_repeat_of_an_open_request(world: World) -> None:
    """A repeat of an open request, in another spelling, is answered with 202 and `idempotency-replayed`."""
    world.post(world.request(clientRequestId=ID))
    answer = world.post(world.request(clientRequestId=ID.upper(), jobId="JOB-1", metadata={"k": "v"}))

    assert answer.status == 202
    assert answer.headers == {"location": f"/api/task-deletions/{ID}", "idempotency-replayed": "true"}


def test_a_repeat_of_a_finished_request(world: World) -> None:
    """A repeat of a finished request is answered with 200 and its result, and sends no message."""
    body = world.request(clientRequestId=ID)
    world.post(body)
    world.settle()
    answer = world.post(body)

    assert (answer.status, answer.headers) == (200, {"idempotency-replayed": "true"})
    assert answer.content["state"] == "done"
    assert answer.content["result"] == world.results()[0]
    assert world.messages() == []


def test_a_repeat_with_another_payload(world: World) -> None:
    """A known id with another payload is refused with 422, and the first request goes on."""
    world.post(world.request(clientRequestId=ID))
    answer = world.post(world.request(clientRequestId=ID, taskId="task-2"))

    assert (answer.status, answer.content["code"]) == (422, "ClientRequestIdConflict")
    assert answer.client_request_id == ID
    assert is_batch_error(answer.content)
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_a_protected_job() -> None:
    """A request for a protected job is refused with 403, and nothing is stored."""
    world = World(PROTECTED_JOBS="job-*")
    answer = world.post(world.request(clientRequestId=ID))

    assert (answer.status, answer.content["code"], answer.client_request_id) == (403, "ProtectedJob", ID)
    assert pointers(answer) == {"/jobId"}
    assert world.records.rows == {}


def test_nothing_is_promised_when_storage_is_down(world: World) -> None:
    """If storage fails, the answer is 503 with `Retry-After` of at most 15 seconds, and nothing is promised."""
    with disturbed(world, everywhere(Fault.FAILS, "row")), pytest.raises(StorageUnavailable) as fault:
        world.post(world.request())
    answer = unavailable(str(fault.value))
    assert (answer.status, answer.content["code"]) == (503, "StorageUnavailable")
    assert int(answer.headers["retry-after"]) <= 15
    assert is_batch_error(answer.content)


def test_a_repeat_sends_the_message_that_never_went_out(world: World) -> None:
    """If the first call's message could not be sent, the repeat of the call sends it."""
    body = world.request(clientRequestId=ID)
    with disturbed(world, everywhere(Fault.FAILS, "send")), pytest.raises(StorageUnavailable):
        world.post(body)
    assert (world.post(body).status, len(world.messages())) == (202, 1)


# The status of one request: GET


def test_states_of_a_request(world: World) -> None:
    """The status document names each state of a request, with the fields that belong to that state."""
    body = world.request(clientRequestId=ID, deleteAfter="PT1H")
    world.post(body)
    assert world.get(ID).content["state"] == "scheduled"
    assert world.get(ID).content["nextAttemptAt"] == "2026-11-24T08:30:00.000Z"

    seen: list[Any] = []

    def running() -> Reply:
        seen.append(world.get(ID).content)
        return refused(429, "TooManyRequests", 60)

    world.batch.script = [running]
    world.clock.advance(3600)
    world.deliver()
    assert seen[0]["state"] == "running"
    retrying = world.get(ID).content
    assert (retrying["state"], retrying["lastError"]["code"]) == ("retrying", "TooManyRequests")
    assert retrying["nextAttemptAt"] == "2026-11-24T08:31:00.000Z"
    world.settle()
    assert world.get(ID.upper()).content["result"] == world.results()[0]


@pytest.mark.parametrize("text", ["7", "", ID.replace("-", ""), f"{{{ID}}}", f"{ID} "])
def test_what_is_no_id(world: World, text: str) -> None:
    """A status call with an invalid id is refused with 400 without reading the table."""
    answer = world.get(text)
    assert (answer.status, is_batch_error(answer.content)) == (400, True)
    assert world.records.operations == 0


def test_an_unknown_id(world: World) -> None:
    """A status call with an unknown id answers 404 with a BatchError and that id."""
    answer = world.get(ID)
    assert (answer.status, answer.client_request_id, is_batch_error(answer.content)) == (404, ID, True)


def test_a_dry_run_has_its_own_status(world: World) -> None:
    """A dry run has a status of its own at `?dryRun=true`; the real id stays unknown."""
    answer = world.post(world.request(clientRequestId=ID, dryRun=True))

    assert answer.headers["location"] == f"/api/task-deletions/{ID}?dryRun=true"
    assert world.get(ID, dryRun="true").status == 200
    assert world.get(ID).status == world.get(ID, dryRun="false").status == 404
    assert world.get(ID, dryRun="maybe").status == 400


def test_the_headers_of_every_answer(world: World) -> None:
    """Answers carry the request's id if it is known, and `request-id` of the invocation, or of Batch."""
    the_call = call(route={"clientRequestId": ID})
    assert world.app.api.status(the_call).all_headers(the_call) == {
        "request-id": the_call.invocation_id,
        "client-request-id": ID,
    }
    world.request()
    the_call = call(route={"jobId": "job-1", "taskId": "task-1"})
    assert world.app.api.delete_task(the_call).all_headers(the_call)["request-id"] == "batch-1"


# Taking one back: DELETE


def cancel(world: World, guid: str = ID, **query: str) -> Told:
    """Cancels a request."""
    return ask(world.app.api.cancel, call(route={"clientRequestId": guid}, query=query, method="DELETE"))


@pytest.mark.parametrize("fields", [{}, {"deleteAfter": "P3D"}], ids=["accepted", "scheduled"])
def test_a_request_that_nobody_has_begun_is_taken_back(world: World, fields: dict[str, str]) -> None:
    """A request that no worker has claimed can be cancelled: 200, one result, and no DELETE is sent."""
    world.post(world.request(clientRequestId=ID, **fields))
    answer = cancel(world)

    assert (answer.status, answer.content["state"]) == (200, "done")
    assert answer.content["result"]["data"]["outcome"] == "cancelled"
    world.settle()
    assert set(world.outcomes()) == {"cancelled"}
    assert len({r["id"] for r in world.results()}) == 1
    assert world.batch.calls == []


def test_what_was_begun_or_is_done_cannot_be_taken_back(world: World) -> None:
    """Cancelling is refused with 409 while a request runs, waits for its retry, or is done."""
    statuses: list[int] = []

    def running() -> Reply:
        statuses.append(cancel(world).status)
        return refused(429, "TooManyRequests")

    world.batch.script = [running, DELETED]
    world.post(world.request(clientRequestId=ID))
    world.deliver()
    statuses.append(cancel(world).status)
    world.settle()
    statuses.append(cancel(world).status)

    assert statuses == [409, 409, 409]
    assert is_batch_error(cancel(world).content)
    assert world.outcomes() == ["deleted"]


def test_taking_back_twice_says_the_same(world: World) -> None:
    """Cancelling twice gives the same answer; cancelling a request that ended otherwise is a 409 with its outcome."""
    world.post(world.request(clientRequestId=ID, deleteAfter="PT1H"))
    first, again = cancel(world), cancel(world)
    assert (first.status, again.status) == (200, 200)
    assert first.content == again.content
    other = world.request()
    world.post(other)
    world.settle()
    refused_call = cancel(world, other["clientRequestId"])
    assert refused_call.status == 409
    assert "deleted" in refused_call.content["message"]["value"]


@pytest.mark.parametrize("name", ["dryrun", "DRYRUN", "dryRun"])
def test_names_in_a_query_have_any_letter_case(world: World, name: str) -> None:
    """The name of the query parameter `dryRun` is recognised in any letter case."""
    world.post(world.request(clientRequestId=ID, dryRun=True, deleteAfter="PT1H"))
    answer = world.app.api.cancel(call(route={"clientRequestId": ID}, query={name: "true", "code": "key"}))
    assert (answer.status, answer.content["dryRun"]) == (200, True)


@pytest.mark.parametrize("service", ["status", "cancel"])
def test_an_unknown_parameter_is_refused(world: World, service: str) -> None:
    """An unknown query parameter of a status or cancel call is refused with 400."""
    world.post(world.request(clientRequestId=ID))
    answer = ask(getattr(world.app.api, service), call(route={"clientRequestId": ID}, query={"dry": "true"}))
    assert (answer.status, answer.content["code"]) == (400, "InvalidQueryParameterName")
    assert answer.content["values"][0]["key"] == "query:dry"


def test_taking_back_what_is_not_there(world: World) -> None:
    """Cancelling answers 404 for an unknown id and 400 for an invalid one."""
    assert cancel(world).status == 404
    assert cancel(world, "7").status == 400


def test_a_claim_that_comes_first_wins(world: World) -> None:
    """If a worker claims a request between a cancellation's read and write, the cancellation is refused with 409."""
    world.post(world.request(clientRequestId=ID))
    with disturbed(world, at(0, before(world.deliver), "row write")):
        assert cancel(world).status == 409
    assert world.outcomes() == ["deleted"]


def test_a_row_that_never_holds_still_cannot_be_taken_back(world: World) -> None:
    """If a row keeps changing, cancelling it raises StorageUnavailable and the request goes on."""
    world.post(world.request(clientRequestId=ID))
    with disturbed(world, contended(world.records)), pytest.raises(StorageUnavailable, match="changed under"):
        cancel(world)
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_a_row_that_is_forgotten_between_refusal_and_look_is_made_anew(world: World) -> None:
    """If a row is purged just as its id is posted again, the call is accepted as a new request."""
    body = world.request()
    world.post(body)
    world.settle()

    def purge() -> None:
        world.records.rows.clear()
        world.records.etags.clear()

    with disturbed(world, at(0, before(purge), "row read")):
        assert world.post(body).status == 202
    assert world.get(body["clientRequestId"]).content["state"] == "accepted"


# DELETE /api/jobs/{jobId}/tasks/{taskId}: what the caller can get wrong


def operation(world: World, query: dict[str, str] | None = None, **headers: str) -> Told:
    """Calls the REST operation; header names with underscores."""
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    route = {"jobId": "job-1", "taskId": "task-1"}
    return ask(world.app.api.delete_task, call(route=route, query=query or {}, headers=names, method="DELETE"))


def test_query_and_headers_reach_batch(world: World) -> None:
    """The REST operation passes query and headers on to Batch, including the SDKs' spelling `timeOut`."""
    world.request()
    date = "Tue, 24 Nov 2026 07:30:00 GMT"
    operation(
        world,
        {"timeOut": "20", "api-version": "2024-07-01.20.0", "code": "key"},
        client_request_id=ID,
        return_client_request_id="True",
        ocp_date=date,
        if_match='"1"',
        if_none_match='"2"',
        if_modified_since=date,
        if_unmodified_since=date,
    )
    (sent,) = world.batch.calls
    assert (sent.client_request_id, sent.timeout, sent.return_client_request_id, sent.ocp_date) == (ID, 20, True, date)
    assert (sent.if_match, sent.if_none_match) == ('"1"', '"2"')
    assert (sent.if_modified_since, sent.if_unmodified_since) == (date, date)


@pytest.mark.parametrize(
    ("query", "headers", "code", "key"),
    [
        ({"api-version": "2019-01-01.1.0"}, {}, "UnsupportedRequestVersion", "query:api-version"),
        ({"force": "true"}, {}, "InvalidQueryParameterName", "query:force"),
        ({"timeout": "0"}, {}, "InvalidRequest", "query:timeout"),
        ({"timeout": "1.5"}, {}, "InvalidRequest", "query:timeout"),
        ({}, {"client_request_id": "7"}, "InvalidRequest", "client-request-id"),
        ({}, {"return_client_request_id": "yes"}, "InvalidRequest", "return-client-request-id"),
        ({}, {"ocp_date": "today"}, "InvalidRequest", "ocp-date"),
        ({}, {"if_match": ""}, "InvalidRequest", "if-match"),
        ({}, {"if_unmodified_since": "Mon, 24 Nov 2026 07:30:00 GMT"}, "InvalidRequest", "if-unmodified-since"),
    ],
)
def test_a_wrong_parameter(world: World, query: dict[str, str], headers: dict[str, str], code: str, key: str) -> None:
    """An invalid parameter or header of the REST operation is refused with 400, and nothing is sent to Batch."""
    answer = operation(world, query, **headers)
    assert (answer.status, answer.content["code"]) == (400, code)
    assert key in pointers(answer)
    assert (world.batch.calls, world.results()) == ([], [])


def test_the_operation_on_a_protected_job() -> None:
    """The REST operation on a protected job is refused with 403, and nothing is sent to Batch."""
    world = World(PROTECTED_JOBS="job-1")
    answer = operation(world)
    assert (answer.status, answer.content["code"], world.batch.calls) == (403, "ProtectedJob", [])


@pytest.mark.parametrize("prefer", ["respond-async", "wait=5, Respond-Async", "respond-async; x=1"])
def test_a_caller_that_does_not_want_to_wait(world: World, prefer: str) -> None:
    """With `Prefer: respond-async` the answer is 202 at once, and the task is deleted through the queue."""
    world.request()
    answer = operation(world, prefer=prefer, client_request_id=ID)
    assert (answer.status, answer.headers["location"]) == (202, f"/api/task-deletions/{ID}")
    assert world.batch.calls == []
    world.settle()
    assert world.outcomes() == ["deleted"]


@pytest.mark.parametrize("end", ["exhausted", "expired", "cancelled"])
def test_a_replay_of_an_end_that_batch_has_no_answer_for(end: str) -> None:
    """A repeat of the REST operation answers 503 for an exhausted request, 410 for an expired or cancelled one."""
    world = World(BATCH_MAX_ATTEMPTS="1")
    body = world.request(clientRequestId=ID)
    if end == "exhausted":
        world.batch.script = [refused(503, "ServerBusy")]
    world.post(body)
    if end == "cancelled":
        cancel(world)
    if end == "expired":
        world.clock.advance(15 * 86_400)
    world.settle()

    answer = operation(world, client_request_id=ID)

    assert world.outcomes()[0] == end
    assert answer.status == (503 if end == "exhausted" else 410)
    assert answer.headers["idempotency-replayed"] == "true"
    assert is_batch_error(answer.content)


# Many requests in one body


def test_a_bulk_call_answers_each_item(world: World) -> None:
    """A bulk call answers each item, in order and counted, as accepted, replayed, conflict or invalid."""
    known = world.request()
    world.post(known)
    new = world.request(taskId="task-2")
    answer = world.post({"requests": [new, known, known | {"taskId": "other"}, {"jobId": "!"}, new]})

    assert answer.status == 202
    assert [item["status"] for item in answer.content["items"]] == [
        *("accepted", "replayed", "conflict", "invalid", "replayed")
    ]
    assert answer.content["counts"] == {"accepted": 1, "replayed": 2, "conflict": 1, "invalid": 1}
    assert answer.content["items"][0]["location"] == f"/api/task-deletions/{new['clientRequestId']}"
    assert answer.content["items"][2]["error"]["code"] == "ClientRequestIdConflict"
    assert [v["key"] for v in answer.content["items"][2]["error"]["values"]] == ["/requests/2/clientRequestId"]
    assert "/requests/3/jobId" in {v["key"] for v in answer.content["items"][3]["error"]["values"]}
    world.settle()
    assert set(world.outcomes()) == {"deleted"}
    assert len({r["id"] for r in world.results()}) == 2


def test_a_bulk_call_for_many_tasks(world: World) -> None:
    """A `taskIds` call makes one request per task, with a derived id, origin `bulk` and the parent's id."""
    parent = str(uuid.uuid4())
    for n in range(150):
        world.request(taskId=f"task-{n}")
    answer = world.post({"clientRequestId": parent, "jobId": "job-1", "taskIds": [f"task-{n}" for n in range(150)]})

    assert (answer.status, answer.content["counts"]["accepted"]) == (202, 150)
    assert len(world.messages()) == 16
    world.settle()
    assert world.batch.tasks == set()
    assert {(r["data"]["origin"], r["data"]["parentId"]) for r in world.results()} == {("bulk", parent)}


@pytest.mark.parametrize("body", [{"requests": []}, {"requests": [{}]}, {"requests": 5}, {"requests": [{}] * 1001}])
def test_a_bulk_call_without_any_valid_item(world: World, body: dict[str, Any]) -> None:
    """A bulk call without a valid item is refused with 400, and nothing is stored."""
    assert world.post(body).status == 400
    assert world.records.rows == {}


def test_a_protected_job_is_an_invalid_item() -> None:
    """In a bulk call, an item for a protected job is invalid and the others are accepted."""
    world = World(PROTECTED_JOBS="job-2")
    answer = world.post({"requests": [world.request(), world.request(jobId="job-2")]})
    assert [item["status"] for item in answer.content["items"]] == ["accepted", "invalid"]
    assert answer.content["items"][1]["error"]["code"] == "ProtectedJob"

"""Parameters in the wrong place are refused, because one of them may be what protects a task."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from shared.api.answer import Answer, Call
from tests.fakes.app import World
from tests.fakes.calls import Told, ask, call
from tests.fakes.jobs import job_event

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER = "1f8fad5b-d9cb-469f-a165-70867728950e"
ROUTE = {"jobId": "job-1", "taskId": "task-1"}

Method = Callable[[Call], Answer]


def posts(world: World) -> dict[str, tuple[Method, object]]:
    """Each POST call that acts, with a valid body."""
    dead_letters = world.app.dead_letters
    return {
        "request": (world.app.api.submit, world.request()),
        "many": (world.app.api.submit, {"requests": [world.request()]}),
        "tasks": (world.app.api.submit, {"clientRequestId": ID, "jobId": "job-1", "taskIds": ["task-1"]}),
        "event": (world.app.cleanups.submit, job_event("job-1", requireJobCompleted=False)),
        "redrive": (dead_letters.redrive_many, {"all": True}),
        "settle": (dead_letters.settle_many, {"all": True}),
    }


def post(name: str, query: dict[str, str] | None = None, **headers: str) -> tuple[Told, World]:
    """Makes one of the POST calls with an extra parameter or header; header names with underscores."""
    world = World()
    method, body = posts(world)[name]
    names = {key.replace("_", "-"): text for key, text in headers.items()}
    the_call = call(body=json.dumps(body).encode(), headers=names, query=query, method="POST")
    return ask(method, the_call), world


def keys(answer: Answer) -> set[str]:
    """The pointers of an error body."""
    return {value["key"] for value in answer.content["values"]}


POSTS = sorted(posts(World()))


@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize("parameter", ["dryRun", "DRYRUN", "if-match", "whatever"])
def test_the_query_of_a_post_says_nothing(name: str, parameter: str) -> None:
    """A query parameter of a POST, such as `?dryRun=true`, is refused with 400: ignored, it would let a task go."""
    answer, world = post(name, {parameter: "true"})
    assert (answer.status, keys(answer)) == (400, {f"query:{parameter}"})
    assert (world.records.rows, world.messages(), world.messages("job-completions")) == ({}, [], [])


@pytest.mark.parametrize("name", POSTS)
def test_the_parameters_of_the_host_and_empty_ones_count_as_absent(name: str) -> None:
    """The host's own query parameters `code` and `clientId`, and empty ones, are ignored."""
    answer, _ = post(name, {"code": "key", "clientId": "x", "dryRun": ""})
    assert answer.status == 202


@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize("header", ["if_match", "if_none_match", "if_modified_since", "if_unmodified_since"])
def test_a_condition_is_no_header_of_a_post(name: str, header: str) -> None:
    """Conditional headers on a POST are refused with 400: a request has fields for its conditions."""
    answer, world = post(name, None, **{header: "*"})
    assert (answer.status, keys(answer)) == (400, {header.replace("_", "-")})
    assert world.records.rows == {}


@pytest.mark.parametrize("name", ["request", "tasks", "event"])
def test_another_id_in_the_header_is_refused(name: str) -> None:
    """A `client-request-id` header that differs from the body is refused, since only one can be meant."""
    answer, world = post(name, client_request_id=OTHER)
    assert (answer.status, keys(answer)) == (400, {"client-request-id"})
    assert world.records.rows == {}


def test_the_same_id_in_the_header_is_fine_in_any_letter_case() -> None:
    """A `client-request-id` header that repeats the body's id is accepted in any letter case."""
    assert post("tasks", client_request_id=ID.upper())[0].status == 202


def test_beside_requests_no_id_can_be_the_same() -> None:
    """A `client-request-id` header beside several requests is refused, since each has its own id."""
    answer, world = post("many", client_request_id=ID)
    assert (answer.status, keys(answer), world.records.rows) == (400, {"client-request-id"}, {})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"dryRun": true}', {"/dryRun"}),
        (b'{"ifMatch": "x", "timeout": 5}', {"/ifMatch", "/timeout"}),
        (b"{}", {""}),
        (b"nonsense", {""}),
        (b" ", {""}),
    ],
)
def test_the_body_of_the_operation_says_nothing(body: bytes, expected: set[str]) -> None:
    """A synchronous DELETE with a body, such as `{"dryRun": true}`, is refused and deletes nothing."""
    world = World()
    world.request()
    answer = ask(world.app.api.delete_task, call(body=body, route=ROUTE, method="DELETE"))
    assert (answer.status, keys(answer), world.batch.calls) == (400, expected, [])


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("ifMatch", "header if-match"),
        ("if-match", "header if-match"),
        ("IFUNMODIFIEDSINCE", "header if-unmodified-since"),
        ("clientRequestId", "header client-request-id"),
        ("dryRun", "POST /api/task-deletions"),
        ("deleteAfter", "POST /api/task-deletions"),
        ("metadata", "POST /api/task-deletions"),
    ],
)
def test_what_the_operation_takes_elsewhere_is_told_its_place(name: str, where: str) -> None:
    """In the query as in a body."""
    world = World()
    world.request()
    for the_call in (
        call(query={name: "x"}, route=ROUTE, method="DELETE"),
        call(body=json.dumps({name: "x"}).encode(), route=ROUTE, method="DELETE"),
    ):
        answer = ask(world.app.api.delete_task, the_call)
        (value,) = answer.content["values"]
        assert (answer.status, value["key"]) == (400, f"query:{name}" if the_call.query else f"/{name}")
        assert value["value"].endswith(where) or f"{where} " in value["value"]
        assert world.batch.calls == []


def test_a_body_that_is_lost_on_the_way_is_refused_too() -> None:
    """A synchronous DELETE with a chunked body, which the host hands over empty, is refused."""
    world = World()
    headers = {"transfer-encoding": "chunked"}
    answer = ask(world.app.api.delete_task, call(route=ROUTE, headers=headers, method="DELETE"))
    assert (answer.status, world.batch.calls) == (400, [])


@pytest.mark.parametrize("name", ["cancel", "settle"])
def test_no_delete_has_a_body(name: str) -> None:
    """A cancel or settle call with a body is refused, and the error says where `dryRun` belongs."""
    world = World()
    method = {"cancel": world.app.api.cancel, "settle": world.app.dead_letters.settle}[name]
    route = {"clientRequestId": ID, "id": ID}
    answer = ask(method, call(body=b'{"dryRun": true}', route=route, method="DELETE"))
    assert (answer.status, keys(answer)) == (400, {"/dryRun"})
    assert "query:dryRun" in answer.content["values"][0]["value"]


def test_the_redrive_of_one_reads_no_body() -> None:
    """A redrive of one letter with a body is refused: only the bulk redrive has a dry run."""
    world = World()
    answer = ask(world.app.dead_letters.redrive, call(body=b'{"dryRun": true}', route={"id": ID}, method="POST"))
    assert answer.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_an_encoded_body_is_refused(encoding: str) -> None:
    """A compressed body is refused with 415, pointing at `content-encoding`."""
    answer, world = post("request", content_encoding=encoding)
    assert (answer.status, keys(answer), world.records.rows) == (415, {"content-encoding"}, {})


def test_identity_is_no_encoding() -> None:
    """`Content-Encoding: identity` is accepted."""
    assert post("request", content_encoding="Identity")[0].status == 202


def test_the_operation_keeps_its_own_headers() -> None:
    """The synchronous DELETE accepts conditional headers and an id header, which belong there."""
    world = World()
    world.request()
    assert world.delete(if_match='"1"', client_request_id=str(uuid.uuid4())).status == 200


def test_beside_several_events_no_id_can_be_the_same() -> None:
    """A `client-request-id` header beside several events is refused, since each has its own id."""
    world = World()
    body = json.dumps([job_event("job-1"), job_event("job-2")]).encode()
    the_call = call(body=body, headers={"client-request-id": ID}, method="POST")
    answer = ask(world.app.cleanups.submit, the_call)
    assert (answer.status, keys(answer)) == (400, {"client-request-id"})
    assert world.records.rows == {}

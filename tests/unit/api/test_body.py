"""The bodies of HTTP calls: content types, size, structure and names of fields."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from shared.api.answer import Answer
from tests.fakes.app import World
from tests.fakes.calls import ask, call
from tests.fakes.jobs import job_event

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
MEBIBYTE = 1024 * 1024


def texts(answer: Answer) -> dict[str, str]:
    """The problems in an error body, by pointer."""
    return {value["key"]: value["value"] for value in answer.content["values"]}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; odata=minimalmetadata",
        "application/json; charset=utf8",
        "application/json;odata=minimalmetadata;charset=UTF-8",
        'application/json; charset="utf8"; odata=fullmetadata',
        "application/cloudevents+json; charset=UTF-8",
        "application/json;",
    ],
)
def test_json_may_have_any_parameters(world: World, content_type: str) -> None:
    """A JSON content type may have any parameters, such as `odata` or the spelling `charset=utf8`."""
    assert world.post(world.request(), **{"content-type": content_type}).status == 202


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-16", "application/json; a=b; charset=latin1", "application/jsonp"]
)
def test_another_charset_is_not_read(world: World, content_type: str) -> None:
    """A body in another charset than UTF-8, or of another type than JSON, is refused with 415."""
    assert world.post(world.request(), **{"content-type": content_type}).status == 415


def test_every_call_that_reads_json_refuses_another_type(world: World) -> None:
    """415, as the description says of all of them."""
    apis = world.app
    for answer_of, body in (
        (apis.api.submit, world.request()),
        (apis.cleanups.submit, job_event()),
        (apis.dead_letters.redrive_many, {"all": True}),
        (apis.dead_letters.settle_many, {"all": True}),
        (apis.retention.begin, {}),
    ):
        raw = json.dumps(body).encode()
        answer = ask(answer_of, call(body=raw, headers={"content-type": "text/plain"}, method="POST"))
        assert (answer.status, set(texts(answer))) == (415, {"content-type"}), answer_of


@pytest.mark.parametrize("raw", [b"", b" \r\n"])
def test_an_empty_body_is_called_empty(world: World, raw: bytes) -> None:
    """An empty body is refused with 400, and the error names the likely cause, a missing Content-Length."""
    answer = world.post(raw)
    assert answer.status == 400
    assert "empty" in texts(answer)[""]
    assert "Content-Length" in texts(answer)[""]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"requests": [' + b"{}," * 1_398_000 + b"{}]}", id="objects"),
        pytest.param(b'{"requests": [' + b"[]," * 1_398_000 + b"[]]}", id="lists"),
        pytest.param(b'{"taskIds": [' + b'"",' * 1_398_000 + b'""]}', id="texts"),
    ],
)
def test_a_body_of_too_many_parts_is_refused_before_it_is_taken_apart(world: World, raw: bytes) -> None:
    """A body with far too many items is refused with 400 before it is parsed, in less than 130 MiB of memory."""
    tracemalloc.start()
    try:
        answer = world.post(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.status, set(texts(answer))) == (400, {""})
    assert "more than" in texts(answer)[""]
    assert peak < 130 * MEBIBYTE


def test_an_object_of_many_unknown_fields_names_the_first(world: World) -> None:
    """Of thousands of unknown fields, the error names the first twenty and counts the others."""
    fields = ", ".join(f'"f{n}": 1' for n in range(4_000))
    answer = world.post(f'{{"clientRequestId": "{ID}", {fields}}}'.encode())
    assert answer.status == 400
    assert list(texts(answer))[:2] == ["/f0", "/f1"]
    assert len(texts(answer)) == 21


def test_the_nil_guid_is_refused(world: World) -> None:
    """The nil GUID is refused as `clientRequestId`: clients that send it by mistake would share one request."""
    answer = world.post(world.request(clientRequestId="00000000-0000-0000-0000-000000000000"))
    assert (answer.status, set(texts(answer))) == (400, {"/clientRequestId"})


@pytest.mark.parametrize(
    ("body", "pointer", "name"),
    [
        ({"ClientRequestId": ID}, "/ClientRequestId", "clientRequestId"),
        ({"ifmatch": "x"}, "/ifmatch", "ifMatch"),
        ({"Requests": []}, "/Requests", "requests"),
        ({"TaskIds": []}, "/TaskIds", "taskIds"),
        ({"requests": [{"JobID": "a"}]}, "/requests/0/JobID", "jobId"),
    ],
)
def test_a_name_in_the_wrong_letter_case_is_told_the_right_one(
    world: World, body: object, pointer: str, name: str
) -> None:
    """For a field name in the wrong letter case, such as PascalCase, the error names the right spelling."""
    answer = world.post(body)
    assert answer.status == 400
    assert texts(answer)[pointer] == f"is not a field of this object; names are case-sensitive: {name}"


def test_a_bulk_call_of_which_every_item_is_invalid_is_an_error(world: World) -> None:
    """A bulk call whose items are all invalid answers 400 with a BatchError, the items and their counts."""
    answer = world.post({"requests": [{"jobId": "!"}, {"taskId": 5}]})
    assert answer.status == 400
    assert set(answer.content) == {"code", "message", "values", "items", "counts"}
    assert "/requests/0/jobId" in texts(answer)
    assert answer.content["counts"] == {"accepted": 0, "replayed": 0, "conflict": 0, "invalid": 2}
    assert [item["status"] for item in answer.content["items"]] == ["invalid", "invalid"]


def test_a_protected_item_points_at_its_place() -> None:
    """The error of a bulk item for a protected job points at that item's job id in the body."""
    world = World(PROTECTED_JOBS="job-2")
    answer = world.post({"requests": [world.request(), world.request(jobId="job-2")]})
    assert answer.content["items"][1]["error"]["values"][0]["key"] == "/requests/1/jobId"

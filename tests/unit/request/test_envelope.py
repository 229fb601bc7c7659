"""What one message or body holds: one request, several, or one request for many tasks."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.parsing.strict_json import TOO_LARGE
from shared.request.envelope import Envelope, Invalid, Kind, Limits, read_body, read_requests
from shared.request.model import DeletionRequest, PartialRequest, derived_id, parse_request

GUID = "0f0e0d0c-0b0a-0908-0706-050403020100"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
DEFAULT = "https://acct.region.batch.azure.com"
ACCOUNTS = (DEFAULT, "http://127.0.0.1:8101")
ONE: dict[str, Any] = {"clientRequestId": GUID, "jobId": "Render-7", "taskId": "Frame_001"}
MANY_IDS: dict[str, Any] = {"clientRequestId": GUID.upper(), "jobId": "Render-7", "taskIds": ["a", "B"]}


def _envelope(value: object, **options: Any) -> Envelope[DeletionRequest]:
    return read_requests(value, ACCOUNTS, NOW, lambda request, _: request, **options)


def _problems(found: Envelope[DeletionRequest]) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.text) for item in found.invalid for problem in item.problems]


def _problems_of(value: object, **options: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        _envelope(value, **options)
    return [(problem.pointer, problem.text) for problem in caught.value.problems]


def _body(raw: bytes, max_bytes: int = 10_000) -> object:
    return read_body(raw, max_bytes=max_bytes)


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(ONE).encode(),
        b"\n " + json.dumps(ONE, indent=2).encode() + b"\n",
        base64.b64encode(json.dumps(ONE).encode()),
        base64.encodebytes(json.dumps(ONE, indent=2).encode()),
        base64.b64encode(json.dumps(ONE).encode()) + b"\r\n",
    ],
)
def test_a_body_is_json_or_base64_of_it(raw: bytes) -> None:
    """A body may be JSON or base64 of JSON, with surrounding white space."""
    assert _body(raw) == ONE


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "is empty"),
        (b"hello", "is not JSON"),
        (b"hello!!!", "is not JSON"),
        (b"{'a': 1}", "is not JSON"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"aGVsbG8=", "is not JSON, and decoded from base64 it is not JSON"),
        (base64.b64encode(b'{"a": "\xff"}'), "is not JSON, and decoded from base64 it is not UTF-8"),
        (base64.b64encode(base64.b64encode(b"{}{}")), "is not JSON, and decoded from base64 it is not JSON"),
        (base64.b64encode(b'{"ab": 1}')[:-1], "is not JSON (line 1"),
        (base64.urlsafe_b64encode('{"é": "ÿþ"}'.encode("latin-1")), "is not JSON"),
    ],
)
def test_a_body_that_is_neither_says_so(raw: bytes, text: str) -> None:
    """A body that is neither JSON nor base64 of JSON is refused, naming what was tried."""
    with pytest.raises(InvalidInput) as caught:
        _body(raw)
    [problem] = caught.value.problems
    assert problem.pointer == ""
    assert problem.text.startswith(text)


def test_a_body_over_its_limit_is_not_even_decoded() -> None:
    """A body over the size limit is refused as too large, in either encoding."""
    for raw in (json.dumps(ONE).encode(), base64.b64encode(json.dumps(ONE).encode())):
        with pytest.raises(InvalidInput) as caught:
            _body(raw, max_bytes=20)
        assert caught.value.code == TOO_LARGE


@given(st.binary(max_size=200) | st.binary(max_size=200).map(base64.b64encode))
def test_no_body_raises_anything_but_invalid_input(raw: bytes) -> None:
    """Any bytes are read or refused with problems, and nothing else is raised."""
    told: object = None
    try:
        _envelope(read_body(raw, max_bytes=150))
    except InvalidInput as fault:
        told = fault.problems
    assert told is None or told


def test_a_single_request_is_one_item() -> None:
    """An object without `requests` or `taskIds` is read as one request."""
    found = _envelope(ONE)
    assert (found.kind, found.parent_id) == (Kind.SINGLE, None)
    assert found.items == (parse_request(ONE, ACCOUNTS, NOW),)


def test_a_bad_single_request_is_an_item_with_its_problems() -> None:
    """An invalid single request keeps its problems and its valid fields."""
    found = _envelope(ONE | {"taskId": "..", "ifmatch": "*"})
    assert found.valid == []
    [item] = found.invalid
    assert [problem.pointer for problem in item.problems] == ["/taskId", "/ifmatch"]
    assert item.partial == PartialRequest(GUID, "Render-7")


@pytest.mark.parametrize("value", [None, [], [ONE], "x", 1])
def test_an_envelope_is_an_object(value: object) -> None:
    """A bare list has no place for a version or a parent, so it is refused."""
    assert _problems_of(value) == [("", "must be an object")]


def test_one_bad_item_spoils_no_other() -> None:
    """An invalid item of `requests` is reported by its index, and the others stay valid."""
    good = json.dumps(ONE)
    bad = good.replace("Frame_001", r"\u0000")
    twice = '{"jobId": "j", "jobId": "k", "taskId": "t"}'
    raw = f'{{"requests": [{good}, 5, {bad}, {twice}, "\x01", {good}]}}'
    found = _envelope(_body(raw.encode()))
    assert found.kind is Kind.MANY
    assert [isinstance(item, Invalid) for item in found.items] == [False, True, True, True, True, False]
    assert [item.index for item in found.invalid] == [1, 2, 3, 4]
    assert _problems(found) == [
        ("/requests/1", "must be an object"),
        ("/requests/2/taskId", "contains a control character (U+0000)"),
        ("/requests/3/clientRequestId", "is required"),
        ("/requests/3/jobId", "appears more than once"),
        ("/requests/4", "contains a control character (U+0001)"),
    ]
    assert found.invalid[1].partial == PartialRequest(GUID, "Render-7")
    assert found.invalid[2].partial == PartialRequest(task_id="t")


def test_the_same_request_twice_is_two_items() -> None:
    """A request that appears twice in an envelope is two equal items."""
    first, second = _envelope({"requests": [ONE, ONE]}).items
    assert first == second


def test_task_ids_become_requests_with_derived_ids() -> None:
    """Each task id becomes a request with the envelope's options and an id derived from parent, job and task."""
    found = _envelope(MANY_IDS | {"timeout": 5, "dryRun": True, "metadata": {"a": "b"}, "deleteAfter": "PT1H"})
    assert (found.kind, found.parent_id) == (Kind.TASK_IDS, GUID)
    options = {"timeout": 5, "dryRun": True, "metadata": {"a": "b"}, "deleteAfter": "PT1H"}
    assert found.valid == [
        parse_request(
            {"clientRequestId": derived_id(GUID, "Render-7", task), "jobId": "Render-7", "taskId": task} | options,
            ACCOUNTS,
            NOW,
        )
        for task in ("a", "B")
    ]


def test_a_task_id_twice_is_the_same_request_twice() -> None:
    """Task ids that differ only in letter case derive the same request id."""
    first, second = _envelope(MANY_IDS | {"taskIds": ["a", "A"]}).valid
    assert first.client_request_id == second.client_request_id


def test_a_bad_task_id_spoils_no_other() -> None:
    """An invalid task id is reported with its pointer, and the others stay valid."""
    raw = f'{{"clientRequestId": "{GUID}", "jobId": "j", "taskIds": ["a", "..", 5, "\x02", null, "b"]}}'
    found = _envelope(_body(raw.encode()))
    assert [request.task_id for request in found.valid] == ["a", "b"]
    assert _problems(found) == [
        ("/taskIds/1", "must be 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'"),
        ("/taskIds/2", "must be text"),
        ("/taskIds/3", "contains a control character (U+0002)"),
        ("/taskIds/4", "must be text"),
    ]
    assert found.invalid[0].partial == PartialRequest(None, "j", None, DEFAULT, {})


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"requests": [ONE], "dryRun": True}, ["/dryRun"]),
        ({"requests": [ONE], "taskIds": ["a"]}, ["/taskIds"]),
        ({"requests": [ONE], "a/b": 1}, ["/a~1b"]),
        ({"requests": []}, ["/requests"]),
        ({"requests": None}, ["/requests"]),
        ({"requests": {}}, ["/requests"]),
        ({"requests": ONE, "x": 1}, ["/x", "/requests"]),
        ({"requests": [ONE] * 4}, ["/requests"]),
        (MANY_IDS | {"taskId": "a"}, ["/taskId"]),
        (MANY_IDS | {"taskIds": []}, ["/taskIds"]),
        (MANY_IDS | {"taskIds": "a"}, ["/taskIds"]),
        (MANY_IDS | {"taskIds": ["a"] * 6}, ["/taskIds"]),
        (MANY_IDS | {"ifmatch": "*"}, ["/ifmatch"]),
        (MANY_IDS | {"jobId": "..", "timeout": "30"}, ["/jobId", "/timeout"]),
        ({"taskIds": [], "taskId": "a"}, ["/taskId", "/taskIds", "/clientRequestId", "/jobId"]),
    ],
)
def test_a_fault_of_the_envelope_refuses_all_of_it(value: object, where: list[str]) -> None:
    """Unknown fields, mixed forms, an invalid list or invalid shared options refuse the whole envelope."""
    assert [pointed for pointed, _ in _problems_of(value, limits=Limits(requests=3, task_ids=5))] == where


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b'"\x7f"', ("", "contains a control character (U+007F)")),
        (b'{"requests": [], "requests": []}', ("/requests", "appears more than once")),
        (b'{"taskIds": 1, "taskIds": []}', ("/taskIds", "appears more than once")),
    ],
)
def test_a_fault_of_the_text_around_the_items_refuses_all_of_it(raw: bytes, problem: tuple[str, str]) -> None:
    """A JSON fault outside the items, such as a duplicate `requests` key, refuses the whole envelope."""
    assert problem in _problems_of(_body(raw))


def test_own_messages_are_strangers_here() -> None:
    """The key `work` of the app's own messages is an unknown field in a caller's request."""
    assert ("/work", "is not a field of this object") in _problems(_envelope({"work": {}}))


def test_the_limits_are_those_of_the_contract() -> None:
    """An envelope may have up to 1,000 requests or 10,000 task ids, and no more."""
    assert len(_envelope({"requests": [ONE] * 1_000}).items) == 1_000
    assert _problems_of({"requests": [ONE] * 1_001}) == [("/requests", "must be a list of 1 to 1000")]
    assert len(_envelope(MANY_IDS | {"taskIds": ["a"] * 10_000}).items) == 10_000
    assert _problems_of(MANY_IDS | {"taskIds": ["a"] * 10_001}) == [("/taskIds", "must be a list of 1 to 10000")]


def test_many_strangers_do_not_fill_the_answer() -> None:
    """Of a thousand unknown fields in an envelope, twenty are named and the rest counted."""
    assert _problems_of({"requests": [ONE]} | {f"x{n}": 1 for n in range(1000)})[-1] == ("", "has 980 more faults")

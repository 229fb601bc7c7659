"""One deletion request: its rules, its hash, and its JSON form."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.errors import InvalidInput
from shared.parsing.strict_json import read
from shared.request.model import (
    DeletionRequest,
    PartialRequest,
    derived_id,
    parse_request,
    partial_fields,
    payload_hash,
    to_wire,
)

GUID = "0f0e0d0c-0b0a-0908-0706-050403020100"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
DEFAULT = "https://acct.region.batch.azure.com"
OTHER = "http://127.0.0.1:8101"
ACCOUNTS = (DEFAULT, OTHER)
DATE = "Tue, 24 Nov 2026 07:30:00 GMT"
PLAIN: dict[str, Any] = {"clientRequestId": GUID, "jobId": "Render-7", "taskId": "Frame_001"}
FULL: dict[str, Any] = PLAIN | {
    "batchUrl": OTHER,
    "timeout": 45,
    "returnClientRequestId": True,
    "ocpDate": DATE,
    "ifMatch": '"0x8D1"',
    "ifNoneMatch": "*",
    "ifModifiedSince": DATE,
    "ifUnmodifiedSince": DATE,
    "dryRun": True,
    "deleteAfter": "PT1H",
    "metadata": {"owner": "é"},
}


def _parsed(**fields: Any) -> DeletionRequest:
    return parse_request(PLAIN | fields, ACCOUNTS, NOW)


def _problems_of(value: object, at: str = "") -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        parse_request(value, ACCOUNTS, NOW, at=at)
    return [(problem.pointer, problem.text) for problem in caught.value.problems]


def test_three_fields_make_a_request() -> None:
    """A request needs only id, job and task; its id becomes lower case and the other fields have defaults."""
    request = _parsed(clientRequestId=GUID.upper())
    assert request == DeletionRequest(client_request_id=GUID, job_id="Render-7", task_id="Frame_001", batch_url=DEFAULT)
    assert (request.timeout, request.if_match, request.delete_after, request.metadata) == (None, None, None, {})
    assert (request.return_client_request_id, request.dry_run) == (False, False)


def test_every_field_is_taken_as_given() -> None:
    """Every field of a request is read into its own attribute, unchanged."""
    request = parse_request(FULL, ACCOUNTS, NOW)
    assert request.batch_url == OTHER
    assert request.timeout == 45
    assert request.return_client_request_id is True
    assert request.ocp_date == request.if_modified_since == request.if_unmodified_since == DATE
    assert (request.if_match, request.if_none_match) == ('"0x8D1"', "*")
    assert (request.dry_run, request.delete_after, request.metadata) == (True, "PT1H", {"owner": "é"})


def test_a_request_does_not_change() -> None:
    """A request cannot be changed after validation."""
    with pytest.raises(ValidationError):
        _parsed().task_id = ".."


def test_the_url_used_is_the_entry_of_the_list() -> None:
    """A request's account URL in any spelling becomes the allow list's entry."""
    assert _parsed(batchUrl="HTTPS://ACCT.Region.batch.azure.com:443/").batch_url == DEFAULT


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("clientRequestId", f"{{{GUID}}}", "must be a GUID"),
        ("clientRequestId", 7, "must be text"),
        ("jobId", "..", "must be 1 to 64"),
        ("jobId", "a:b", "must be 1 to 64"),
        ("taskId", "..", "must be 1 to 64"),
        ("taskId", "a\n", "must be 1 to 64"),
        ("taskId", 1, "must be text"),
        ("taskId", ["a"], "must be text"),
        ("taskId", "\ud800", "must "),
        ("batchUrl", "https://evil.example", "must be one of the Batch accounts"),
        ("batchUrl", "http://acct.region.batch.azure.com", "must begin with https"),
        ("batchUrl", "acct", "must be a URL"),
        ("batchUrl", 1, "must be text"),
        ("timeout", "30", "must be a whole number"),
        ("timeout", True, "must be a whole number"),
        ("timeout", 30.0, "must be a whole number"),
        ("timeout", 0, "must be 1 to 2147483647"),
        ("timeout", -1, "must be 1 to 2147483647"),
        ("timeout", 2**31, "must be 1 to 2147483647"),
        ("timeout", 10**39, "must be 1 to 2147483647"),
        ("returnClientRequestId", "true", "must be true or false"),
        ("returnClientRequestId", 1, "must be true or false"),
        ("dryRun", 0, "must be true or false"),
        ("dryRun", "", "must be true or false"),
        ("ocpDate", "Mon, 24 Nov 2026 07:30:00 GMT", "weekday included"),
        ("ifModifiedSince", "2026-11-24T07:30:00Z", "weekday included"),
        ("ifUnmodifiedSince", "", "weekday included"),
        ("ifMatch", "", "printable ASCII"),
        ("ifNoneMatch", "a\r\nX: y", "printable ASCII"),
        ("deleteAfter", "P1Y", "duration"),
        ("deleteAfter", "P31D", "at most 30 days"),
        ("deleteAfter", "2027-01-01T00:00:00Z", "at most 30 days"),
        ("deleteAfter", 3600, "must be text"),
        ("metadata", [], "must be an object"),
        ("metadata", "x", "must be an object"),
        ("metadata", {str(n): "" for n in range(17)}, "at most 16 entries"),
        ("metadata", {"a": "x" * 1024}, "at most 1024 bytes"),
        ("metadata", {"a": "é" * 512}, "at most 1024 bytes"),
        ("metadata", {"a": "\x1b"}, "control character"),
        ("metadata", {"\x85": "a"}, "control character"),
        ("metadata", {"a": "\udc00"}, "surrogate"),
        ("ifmatch", '"a"', "is not a field"),
        ("timeOut", 30, "is not a field"),
        ("client_request_id", GUID, "is not a field"),
        ("", 1, "is not a field"),
    ],
)  # fmt: skip
def test_a_field_that_breaks_its_rule_is_pointed_at(field: str, value: object, text: str) -> None:
    """A field that breaks its rule is reported with its pointer, and no value is coerced."""
    [(where, found)] = _problems_of(PLAIN | {field: value}, at="/requests/3")
    assert where.startswith(f"/requests/3/{field}")
    assert text in found


@pytest.mark.parametrize("field", sorted(FULL))
def test_null_is_no_way_to_leave_a_field_out(field: str) -> None:
    """A null field is refused, because a null `ifMatch` may be a lost ETag."""
    assert _problems_of(FULL | {field: None}) == [(f"/{field}", "must not be null; leave the field out instead")]


@pytest.mark.parametrize("value", [None, 1, "x", [], [PLAIN], True])
def test_a_request_is_an_object(value: object) -> None:
    """A request that is not an object is refused as a whole."""
    assert _problems_of(value) == [("", "must be an object")]


def test_all_faults_are_told_at_once() -> None:
    """All faults of a request are reported together."""
    value = {"jobId": "..", "taskId": 1, "timeout": True, "metadata": {"a/b": 1}, "extra": 1}
    assert [where for where, _ in _problems_of(value)] == [
        "/clientRequestId",
        "/jobId",
        "/taskId",
        "/timeout",
        "/metadata/a~1b",
        "/extra",
    ]


def test_a_thousand_unknown_fields_do_not_fill_the_answer() -> None:
    """Of a thousand unknown fields in a request, twenty problems are reported and the rest counted."""
    found = _problems_of(PLAIN | {f"x{n}": 1 for n in range(1000)}, at="/requests/0")
    assert len(found) == 21
    assert found[-1] == ("/requests/0", "has 980 more faults")


def test_a_fault_of_the_json_text_is_told_at_its_field() -> None:
    """A JSON fault inside a request, such as a duplicate key, is reported at its field."""
    raw = json.dumps(PLAIN)[:-1] + r', "jobId": "x", "metadata": {"a": "\u0001"}, "ifMatch": NaN}'
    assert _problems_of(read(raw, max_bytes=1000)) == [
        ("/jobId", "appears more than once"),
        ("/ifMatch", "is NaN, which is not a JSON number"),
        ("/metadata/a", "contains a control character (U+0001)"),
    ]


def test_what_pydantic_alone_could_say_is_said_plainly() -> None:
    """A fault without wording of its own is reported in plain words, not in pydantic's."""
    assert _problems_of(PLAIN | {"metadata": {1: "a"}}) == [("/metadata/1/[key]", "must be text")]
    assert _problems_of(PLAIN | {1: "a"})[0][1] == "is not valid"


@pytest.mark.parametrize(
    ("field", "value"),
    [("timeout", 1), ("timeout", 2**31 - 1), ("deleteAfter", "P30D"), ("deleteAfter", "2020-01-01T00:00:00Z"),
     ("metadata", {str(n): "" for n in range(16)}), ("metadata", {"a": "x" * 1023}), ("jobId", "nightly:job-12")],
)  # fmt: skip
def test_the_bounds_themselves_are_allowed(field: str, value: object) -> None:
    """The smallest and largest value of each field's range is accepted."""
    assert to_wire(_parsed(**{field: value}))[field] == value


def test_direct_construction_keeps_the_rules_that_need_no_settings() -> None:
    """A request built directly is validated, and its URL normalised, without an allow list."""
    made = DeletionRequest(
        client_request_id=GUID.upper(), job_id="j", task_id="t", batch_url=f"{DEFAULT}:443/", delete_after="P90D"
    )
    assert (made.client_request_id, made.batch_url) == (GUID, DEFAULT)
    with pytest.raises(ValidationError):
        DeletionRequest(client_request_id=GUID, job_id="..", task_id="t", batch_url=DEFAULT)


@pytest.mark.parametrize("value", [PLAIN, FULL])
def test_a_request_survives_the_wire(value: dict[str, Any]) -> None:
    """A request that the app writes to its own queue reads back equal."""
    request = parse_request(value, ACCOUNTS, NOW)
    wire = to_wire(request)
    assert wire == {"batchUrl": DEFAULT} | value
    assert parse_request(json.loads(json.dumps(wire)), ACCOUNTS, NOW) == request


SAME = [
    ({}, {"jobId": "RENDER-7"}),
    ({}, {"taskId": "frame_001"}),
    ({}, {"batchUrl": DEFAULT}),
    ({}, {"batchUrl": f"{DEFAULT}:443/"}),
    ({}, {"returnClientRequestId": False}),
    ({}, {"dryRun": True}),
    ({}, {"ocpDate": DATE}),
    ({}, {"metadata": {"a": "b"}}),
    ({}, {"clientRequestId": GUID.upper()}),
    ({"timeout": 30}, {"timeout": 31}),
    ({"timeout": 30}, {"timeout": 2**31 - 1}),
]
DIFFERENT = [
    ({}, {"jobId": "render-8"}),
    ({}, {"taskId": "frame_002"}),
    ({}, {"batchUrl": OTHER}),
    ({}, {"timeout": 30}),
    ({"timeout": 29}, {"timeout": 30}),
    ({}, {"returnClientRequestId": True}),
    ({}, {"ifMatch": "*"}),
    ({"ifMatch": "*"}, {"ifNoneMatch": "*"}),
    ({"ifMatch": '"a"'}, {"ifMatch": '"A"'}),
    ({}, {"ifModifiedSince": DATE}),
    ({"ifModifiedSince": DATE}, {"ifUnmodifiedSince": DATE}),
    ({}, {"deleteAfter": "PT0S"}),
    ({"deleteAfter": "PT60M"}, {"deleteAfter": "PT1H"}),
    ({"jobId": "a", "taskId": "b"}, {"jobId": "b", "taskId": "a"}),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_two_spellings_of_one_wish_hash_alike(one: dict[str, Any], two: dict[str, Any]) -> None:
    """Letter case, explicit defaults and metadata do not change a request's payload hash."""
    assert payload_hash(_parsed(**one)) == payload_hash(_parsed(**two))


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_two_wishes_hash_differently(one: dict[str, Any], two: dict[str, Any]) -> None:
    """Any field that changes the DELETE or its time changes the payload hash."""
    assert payload_hash(_parsed(**one)) != payload_hash(_parsed(**two))


def test_the_hash_is_the_same_in_every_release() -> None:
    """The payload hash is the same in every release, so that stored rows still recognise duplicates."""
    assert payload_hash(_parsed()) == "25dac431f1e150d16a8823dee24645372844c352d544f84fe1767848f399da45"


def test_a_derived_id_follows_from_parent_and_ids() -> None:
    """A derived id is uuid5 of the parent over job and task in lower case."""
    expected = str(uuid5(UUID(GUID), "render-7/frame_001"))
    assert derived_id(GUID, "Render-7", "Frame_001") == expected
    assert derived_id(GUID.upper(), "RENDER-7", "FRAME_001") == expected


@pytest.mark.parametrize(
    ("value", "partial"),
    [
        (None, PartialRequest()),
        ([], PartialRequest()),
        ({}, PartialRequest()),
        (FULL | {"taskId": ".."}, PartialRequest(GUID, "Render-7", None, OTHER, {"owner": "é"}, dry_run=True)),
        (PLAIN | {"clientRequestId": GUID.upper(), "x": 1}, PartialRequest(GUID, "Render-7", "Frame_001")),
        ({"clientRequestId": 1, "jobId": [], "taskId": None, "batchUrl": "https://evil.example"}, PartialRequest()),
        ({"metadata": {"a": 1}}, PartialRequest()),
        ({"metadata": {"a": "\x00"}}, PartialRequest()),
        ({"metadata": []}, PartialRequest()),
    ],
)
def test_what_could_be_read_of_a_refused_request_is_kept(value: object, partial: PartialRequest) -> None:
    """The valid fields of a refused request are kept for its `rejected` result."""
    assert partial_fields(value, ACCOUNTS) == partial


_IDS = st.text("aBcXyZ059_-", min_size=1, max_size=64)
_ETAGS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=256)
_METADATA_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=7)
_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "batchUrl": st.sampled_from([*ACCOUNTS, f"{DEFAULT}/", OTHER.upper()]),
    "timeout": st.integers(1, 2**31 - 1),
    "returnClientRequestId": st.booleans(),
    "dryRun": st.booleans(),
    "ocpDate": st.just(DATE),
    "ifMatch": _ETAGS,
    "ifNoneMatch": _ETAGS,
    "ifModifiedSince": st.just(DATE),
    "ifUnmodifiedSince": st.just(DATE),
    "deleteAfter": st.sampled_from(["PT1H", "P30D", "2026-12-01T00:00:00+01:00"]),
    "metadata": st.dictionaries(_METADATA_TEXT, _METADATA_TEXT, max_size=16),
}
_REQUESTS = st.fixed_dictionaries(
    {"clientRequestId": st.uuids().map(str), "jobId": _IDS, "taskId": _IDS}, optional=_OPTIONS
)


@given(_REQUESTS)
def test_every_valid_request_survives_the_wire(value: dict[str, Any]) -> None:
    """Any valid request that is written and read again is equal, with the same payload hash."""
    request = parse_request(value, ACCOUNTS, NOW)
    again = parse_request(to_wire(request), ACCOUNTS, NOW)
    assert again == request
    assert payload_hash(again) == payload_hash(request)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=70),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(_JSON | st.dictionaries(st.sampled_from([*FULL, "x"]), _JSON, max_size=8))
def test_no_value_raises_anything_but_invalid_input(value: object) -> None:
    """Any JSON value is a request or a list of problems, and nothing else is raised."""
    told: object = None
    try:
        parse_request(value, ACCOUNTS, NOW)
    except InvalidInput as fault:
        told = fault.problems
    assert told is None or told
    assert isinstance(partial_fields(value, ACCOUNTS), PartialRequest)

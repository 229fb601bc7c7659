"""Job-completion events: bare or in an envelope, their rules, and messages that are something else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cleanup.event import (
    DeleteAfter,
    JobEvent,
    PartialEvent,
    Select,
    SubscriptionValidation,
    closing_id,
    partial_event,
    read_event,
    to_wire,
)
from shared.cleanup.task_record import TaskRecord
from shared.errors import InvalidInput
from shared.parsing.strict_json import read

GUID = "0f0e0d0c-0b0a-0908-0706-050403020100"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
DEFAULT = "https://acct.region.batch.azure.com"
OTHER = "http://127.0.0.1:8101"
ACCOUNTS = (DEFAULT, OTHER)
BARE: dict[str, Any] = {"clientRequestId": GUID, "jobId": "render-7"}
OPTIONS: dict[str, Any] = {
    "batchUrl": OTHER,
    "select": "failed",
    "deleteAfter": {"succeeded": "P3D", "failed": "P7D"},
    "requireJobCompleted": False,
    "dryRun": True,
    "metadata": {"a": "b"},
}
CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "type": "Contoso.Batch.JobCompleted",
    "source": "/batch/acct",
    "time": "2026-11-24T08:00:01Z",
    "traceparent": "00-extension",
    "data": {"jobId": "render-7"},
}
GRID_EVENT: dict[str, Any] = {
    "id": "e-1",
    "topic": "/subscriptions/S/topics/T",
    "subject": "batch/acct/jobs/render-7",
    "eventType": "Contoso.Batch.JobCompleted",
    "eventTime": "2026-11-24T08:00:01Z",
    "dataVersion": "1.0",
    "metadataVersion": "1",
    "data": {"jobId": "render-7"},
}
CLOUD_ID = str(uuid5(NAMESPACE_URL, "/batch/acct|e-1"))
GRID_ID = str(uuid5(NAMESPACE_URL, "/subscriptions/S/topics/T|e-1"))
TASK_COMPLETE: dict[str, Any] = {
    "time": "2026-11-24T08:00:01Z",
    "resourceId": "/SUBSCRIPTIONS/S/PROVIDERS/MICROSOFT.BATCH/BATCHACCOUNTS/ACCT",
    "category": "ServiceLog",
    "operationName": "TaskCompleteEvent",
    "properties": {"jobId": "render-7", "id": "frame-001", "executionInfo": {"exitCode": 0}},
}
VALIDATION: dict[str, Any] = {
    "id": "v-1",
    "topic": "/subscriptions/S/topics/T",
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "data": {"validationCode": "512d38b6", "validationUrl": "https://rp.example/validate"},
}


def _event(value: object) -> JobEvent:
    found = read_event(value, ACCOUNTS, NOW)
    assert isinstance(found, JobEvent)
    return found


def _problems_of(value: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        read_event(value, ACCOUNTS, NOW)
    return [(problem.pointer, problem.text) for problem in caught.value.problems]


def test_two_fields_make_an_event() -> None:
    """An event needs only id and job: it selects all completed tasks of the default account's job, without delay."""
    event = _event(BARE | {"clientRequestId": GUID.upper()})
    assert event == JobEvent(event_id=GUID, job_id="render-7", batch_url=DEFAULT)  # type: ignore[call-arg]
    assert (event.select, event.delete_after, event.require_job_completed) == (Select.COMPLETED, None, True)
    assert (event.dry_run, event.metadata) == (False, {})


def test_every_option_is_taken() -> None:
    """Every option of an event is read into its own field."""
    event = _event(BARE | OPTIONS)
    assert (event.batch_url, event.select) == (OTHER, Select.FAILED)
    assert event.delete_after == DeleteAfter(succeeded="P3D", failed="P7D")
    assert (event.require_job_completed, event.dry_run, event.metadata) == (False, True, {"a": "b"})


@pytest.mark.parametrize(
    ("value", "delete_after"),
    [
        ("P3D", DeleteAfter(succeeded="P3D", failed="P3D")),
        ("2026-12-01T00:00:00Z", DeleteAfter(succeeded="2026-12-01T00:00:00Z", failed="2026-12-01T00:00:00Z")),
        ({"succeeded": "P3D"}, DeleteAfter(succeeded="P3D")),
        ({"failed": "P3D"}, DeleteAfter(failed="P3D")),
    ],
)
def test_one_delay_holds_for_both_classes(value: object, delete_after: DeleteAfter) -> None:
    """A single `deleteAfter` applies to both classes; in the object form, a class left out is kept."""
    assert _event(BARE | {"deleteAfter": value}).delete_after == delete_after


@pytest.mark.parametrize(
    ("select", "delete_after"),
    [("completed", {}), ("succeeded", {"failed": "P1D"}), ("failed", {"succeeded": "P1D"})],
)
def test_an_event_that_would_delete_nothing_is_a_mistake(select: str, delete_after: dict[str, str]) -> None:
    """An event whose selected classes are all kept is refused, because it would delete nothing."""
    (problem,) = _problems_of(BARE | {"select": select, "deleteAfter": delete_after})
    assert problem == ("/deleteAfter", "leaves nothing to delete: a class that it leaves out is kept")


def test_a_wrong_selection_is_the_only_thing_wrong() -> None:
    """An event with an invalid `select` is refused for that alone, not for its delays."""
    assert [pointer for pointer, _ in _problems_of(BARE | {"select": "all", "deleteAfter": "P1D"})] == ["/select"]


def test_a_stored_event_is_read_by_the_rules_of_its_day() -> None:
    """A stored event that an earlier version accepted is still readable, even if new ones must not be like it."""
    stored = {"event_id": GUID, "job_id": "j", "batch_url": DEFAULT, "select": "failed", "delete_after": {}}
    assert JobEvent.model_validate(stored).delete_after == DeleteAfter()


def test_direct_construction_keeps_the_rules_that_need_no_settings() -> None:
    """An event validated without settings and clock normalises its URL and accepts any delay."""
    made = JobEvent.model_validate(
        {"event_id": GUID, "job_id": "j", "batch_url": f"{DEFAULT}/", "delete_after": "P90D", "select": "failed"}
    )
    assert (made.batch_url, made.select) == (DEFAULT, Select.FAILED)
    assert made.delete_after == DeleteAfter(succeeded="P90D", failed="P90D")


@pytest.mark.parametrize(("envelope", "event_id"), [(CLOUD_EVENT, CLOUD_ID), (GRID_EVENT, GRID_ID)])
def test_an_envelope_gives_the_event_its_id(envelope: dict[str, Any], event_id: str) -> None:
    """The id of an event in an envelope derives from source and id; extension attributes do not matter."""
    expected = _event(BARE | OPTIONS | {"clientRequestId": event_id})
    filled = envelope | {"data": {"jobId": "render-7"} | OPTIONS}
    assert _event(filled) == expected
    assert _event([filled]) == expected
    assert _event(filled | {"extension": {"deep": [1]}, "datacontenttype": "application/json"}) == expected


def test_a_list_of_one_bare_event_is_read() -> None:
    """A list of one bare event is accepted, as a transport without an envelope would deliver it."""
    assert _event([BARE]) == _event(BARE)


@pytest.mark.parametrize("value", [None, 1, "x", [], [BARE, BARE], [[BARE]], [1]])
def test_an_event_is_an_object(value: object) -> None:
    """An event must be an object or a list of exactly one object."""
    [(_, text)] = _problems_of(value)
    assert text == "must be an object, or a list of one object"


@pytest.mark.parametrize(
    ("field", "value", "where", "text"),
    [
        ("clientRequestId", "x", "/clientRequestId", "must be a GUID"),
        ("jobId", "..", "/jobId", "must be 1 to 64"),
        ("batchUrl", "https://evil.example", "/batchUrl", "must be one of"),
        ("select", "all", "/select", "must be completed, succeeded, failed"),
        ("select", 1, "/select", "must be completed, succeeded, failed"),
        ("select", None, "/select", "must not be null"),
        ("deleteAfter", None, "/deleteAfter", "must not be null"),
        ("deleteAfter", 5, "/deleteAfter", "must be text, or an object"),
        ("deleteAfter", "P31D", "/deleteAfter", "at most 30 days"),
        ("deleteAfter", {"succeeded": "P1Y"}, "/deleteAfter/succeeded", "duration"),
        ("deleteAfter", {"failed": 1}, "/deleteAfter/failed", "must be text"),
        ("deleteAfter", {"failed": None}, "/deleteAfter/failed", "must not be null"),
        ("deleteAfter", {"completed": "P1D"}, "/deleteAfter/completed", "is not a field"),
        ("deleteAfter", {"Failed": "P1D"}, "/deleteAfter/Failed", "names are case-sensitive: failed"),
        ("requireJobCompleted", "yes", "/requireJobCompleted", "must be true or false"),
        ("dryRun", 1, "/dryRun", "must be true or false"),
        ("metadata", {"a": 1}, "/metadata/a", "must be text"),
        ("taskId", "a", "/taskId", "is not a field"),
        ("ifMatch", "*", "/ifMatch", "is not a field"),
        ("event_id", GUID, "/event_id", "is not a field"),
    ],
)  # fmt: skip
def test_a_field_that_breaks_its_rule_is_pointed_at(field: str, value: object, where: str, text: str) -> None:
    """A field that breaks its rule is reported with its pointer, in a bare event as in an envelope."""
    [(pointed, found)] = _problems_of(BARE | {field: value})
    assert pointed == where
    assert text in found
    if field != "clientRequestId":
        [(pointed, _)] = _problems_of([CLOUD_EVENT | {"data": {"jobId": "render-7", field: value}}])
        assert pointed == f"/0/data{where}"


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({}, ["/clientRequestId", "/jobId"]),
        (CLOUD_EVENT | {"specversion": "0.3"}, ["/specversion"]),
        (CLOUD_EVENT | {"id": ""}, ["/id"]),
        (CLOUD_EVENT | {"id": 1, "source": None}, ["/id", "/source"]),
        (CLOUD_EVENT | {"type": ""}, ["/type"]),
        ({"specversion": "1.0"}, ["/id", "/source", "/type", "/data"]),
        (CLOUD_EVENT | {"data": "x"}, ["/data"]),
        (CLOUD_EVENT | {"data": {}}, ["/data/jobId"]),
        (CLOUD_EVENT | {"data": BARE}, ["/data/clientRequestId"]),
        (CLOUD_EVENT | {"id": "\ud800"}, ["/id"]),
        (GRID_EVENT | {"topic": ""}, ["/topic"]),
        ({"eventType": "x", "data": {"jobId": "a", "account": "b"}}, ["/id", "/topic", "/data/account"]),
        ([GRID_EVENT | {"data": {"jobId": ".."}}], ["/0/data/jobId"]),
    ],
)
def test_a_fault_of_the_envelope_is_pointed_at(value: object, where: list[str]) -> None:
    """Missing or invalid attributes of an envelope are reported with their pointers."""
    assert [pointed for pointed, _ in _problems_of(value)] == where


def test_a_fault_of_the_json_text_refuses_the_event() -> None:
    """A duplicate key in an envelope is refused, even for an attribute that the app does not use."""
    raw = json.dumps(CLOUD_EVENT)[:-1] + ', "time": "x", "time": "y"}'
    assert _problems_of(read(raw, max_bytes=10_000)) == [("/time", "appears more than once")]


@pytest.mark.parametrize("value", [TASK_COMPLETE, [TASK_COMPLETE]])
def test_a_record_of_one_task_is_no_end_of_a_job(value: object) -> None:
    """A Batch diagnostic record about one task is read as such, not as the completion of its job."""
    assert read_event(value, ACCOUNTS, NOW) == TaskRecord(
        "render-7", "frame-001", TASK_COMPLETE["resourceId"], time="2026-11-24T08:00:01Z"
    )


@pytest.mark.parametrize("properties", [None, {}, {"jobId": "..", "id": 1}])
def test_a_record_of_one_task_may_be_unreadable(properties: object) -> None:
    """A diagnostic record with invalid ids is still recognised as one, without those ids."""
    found = read_event(TASK_COMPLETE | {"properties": properties}, ACCOUNTS, NOW)
    assert isinstance(found, TaskRecord)
    assert (found.job_id, found.task_id) == (None, None)


def test_a_validation_of_the_subscription_gives_its_code() -> None:
    """Event Grid's subscription validation is read as such, with its code."""
    assert read_event([VALIDATION], ACCOUNTS, NOW) == SubscriptionValidation("512d38b6")
    assert _problems_of([VALIDATION | {"data": {}}]) == [("/0/data/validationCode", "must be text")]


@pytest.mark.parametrize(
    "value",
    [
        BARE,
        BARE | OPTIONS,
        BARE | {"deleteAfter": "P3D"},
        BARE | {"deleteAfter": {"failed": "P1D"}},
        CLOUD_EVENT,
        [GRID_EVENT],
    ],
)
def test_an_event_survives_the_wire(value: object) -> None:
    """An event that the app writes to its own queue reads back equal."""
    event = _event(value)
    assert _event(json.loads(json.dumps(to_wire(event)))) == event


def test_the_closing_message_has_a_derived_id() -> None:
    """The closing event's id depends only on the event and how it closed, so that repeats are recognised."""
    assert closing_id(GUID, "listed") == str(uuid5(UUID(GUID), "listed"))
    assert closing_id(GUID, "listed") != closing_id(GUID, "done")


@pytest.mark.parametrize(
    ("value", "partial"),
    [
        (None, PartialEvent()),
        ([BARE, BARE], PartialEvent()),
        (BARE | {"x": 1}, PartialEvent(GUID, "render-7")),
        (BARE | {"jobId": "..", "batchUrl": OTHER}, PartialEvent(GUID, None, OTHER)),
        ([CLOUD_EVENT | {"data": {"jobId": "a", "batchUrl": "https://evil.example"}}], PartialEvent(CLOUD_ID, "a")),
        (GRID_EVENT | {"data": 1}, PartialEvent(GRID_ID)),
        (GRID_EVENT | {"id": ""}, PartialEvent(None, "render-7")),
    ],
)
def test_what_could_be_read_of_a_refused_event_is_kept(value: object, partial: PartialEvent) -> None:
    """The valid fields of a refused event, such as its id and job, are kept for the answer."""
    assert partial_event(value, ACCOUNTS) == partial


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
_FIELDS = [*BARE, *OPTIONS, *CLOUD_EVENT, *GRID_EVENT, "operationName", "properties"]


@given(_JSON | st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=8).map(lambda event: [event]))
def test_no_value_raises_anything_but_invalid_input(value: object) -> None:
    """Any JSON value is an event or a list of problems, and nothing else is raised."""
    told: object = None
    try:
        read_event(value, ACCOUNTS, NOW)
    except InvalidInput as fault:
        told = fault.problems
    assert told is None or told
    assert isinstance(partial_event(value, ACCOUNTS), PartialEvent)

"""The app's own messages about clean-ups, which are read as strictly as those of strangers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.cleanup.event import JobEvent
from shared.cleanup.message import Refusal, Step, TaskStep, read_again, read_cleanup_message
from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput
from tests.fakes.app import ACCOUNT

GUID = "0f0e0d0c-0b0a-0908-0706-050403020100"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
ACCOUNTS = (ACCOUNT,)
PAGE: dict[str, Any] = {
    "v": 1,
    "event": {"clientRequestId": GUID, "jobId": "render-7"},
    "acceptedAt": "2026-11-24T07:00:00.000Z",
    "step": 3,
    "continuation": None,
}
RECORD: dict[str, Any] = {
    "time": "2026-11-24T08:00:01Z",
    "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.BATCH/BATCHACCOUNTS/ACCT",
    "operationName": "TaskCompleteEvent",
    "properties": {"jobId": "render-7", "id": "t-1"},
}


def delivery(body: object) -> Delivery:
    """A first delivery of a message."""
    text = json.dumps(body).encode()
    return Delivery("job-completions", "m-1", 1, NOW, NOW + timedelta(minutes=10), text)


def pointers(body: object) -> set[str]:
    """The pointers of a refused message."""
    found = read_cleanup_message(delivery(body), ACCOUNTS, NOW)
    assert isinstance(found, Refusal)
    return {problem.pointer for problem in found.fault.problems}


def test_a_step_reads_back_as_it_was_written() -> None:
    """A step's message reads back equal: event, time of acceptance, number and place in the listing."""
    event = JobEvent(event_id=GUID, job_id="render-7", batch_url=ACCOUNT)  # type: ignore[call-arg]
    step = Step(event, datetime(2026, 11, 24, 7, 0, tzinfo=UTC), 3, f"{ACCOUNT}/jobs/render-7/tasks?$skiptoken=a")
    assert read_cleanup_message(delivery(json.loads(step.text())), ACCOUNTS, NOW) == step


def test_a_look_at_a_task_reads_back_as_it_was_written() -> None:
    """The message about one task reads back equal: record, time of acceptance, failed attempts and generation."""
    first = read_cleanup_message(delivery(RECORD | {"location": "Region"}), ACCOUNTS, NOW)
    assert isinstance(first, TaskStep)
    again = replace(first, attempts=2, generation=1)
    assert read_cleanup_message(delivery(json.loads(again.text())), ACCOUNTS, NOW) == again


@pytest.mark.parametrize(
    ("page", "pointer"),
    [
        ([], "/page"),
        ({}, "/page"),
        (PAGE | {"v": 2}, "/page"),
        (PAGE | {"more": 1}, "/page"),
        (PAGE | {"step": True}, "/page/step"),
        (PAGE | {"step": -1}, "/page/step"),
        (PAGE | {"step": "3"}, "/page/step"),
        (PAGE | {"continuation": 7}, "/page/continuation"),
        (PAGE | {"acceptedAt": "2026-11-25T08:00:00.000Z"}, "/page/acceptedAt"),
        (PAGE | {"event": RECORD}, "/page/event"),
        (PAGE | {"event": {"jobId": "render-7"}}, "/page/event/clientRequestId"),
    ],
)
def test_a_forged_step_is_refused_where_it_is_at_fault(page: object, pointer: str) -> None:
    """A forged step is refused with a pointer to its fault."""
    assert pointers({"page": page}) == {pointer}


def test_a_handshake_belongs_to_http() -> None:
    """Event Grid's subscription validation on the queue is refused, since it belongs to HTTP alone."""
    handshake = {
        "id": "1",
        "topic": "t",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6"},
    }
    assert pointers([handshake]) == {"/eventType"}


@pytest.mark.parametrize("name", ["jobId", "id"])
def test_a_record_that_names_no_task_is_refused(name: str) -> None:
    """A diagnostic record without job or task id is refused, pointing at that field of the record."""
    properties = {key: text for key, text in RECORD["properties"].items() if key != name}
    assert pointers(RECORD | {"properties": properties}) == {f"/properties/{name}"}


TASK: dict[str, Any] = {"v": 1, "record": RECORD, "acceptedAt": PAGE["acceptedAt"], "attempts": 0, "generation": 0}


@pytest.mark.parametrize(
    ("task", "pointer"),
    [
        (TASK | {"v": 2}, "/task"),
        (TASK | {"attempts": -1}, "/task/attempts"),
        (TASK | {"generation": True}, "/task/generation"),
        (TASK | {"acceptedAt": "x"}, "/task/acceptedAt"),
        (TASK | {"record": PAGE["event"]}, "/task/record"),
    ],
)
def test_a_forged_look_is_refused_where_it_is_at_fault(task: object, pointer: str) -> None:
    """A forged message about one task is refused with a pointer to its fault, like a forged step."""
    assert pointers({"task": task}) == {pointer}


def test_a_dead_letters_body_is_read_as_it_was_before() -> None:
    """The body of a dead letter is read again as a step, an event or a record about one task."""
    found = [read_again(json.dumps(body).encode(), ACCOUNTS, NOW) for body in ({"page": PAGE}, PAGE["event"], RECORD)]
    assert [step.number for step in found if isinstance(step, Step)] == [3, 0]
    assert isinstance(found[2], TaskStep)
    with pytest.raises(InvalidInput):
        read_again(b"{}", ACCOUNTS, NOW)

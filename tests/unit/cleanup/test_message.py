"""The app's own steps of a clean-up, read as strictly as what strangers write."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.cleanup.event import JobEvent
from shared.cleanup.message import Refused, Step, read_cleanup_message, read_step, write_step
from shared.cleanup.record import new_cleanup
from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput
from shared.settings import Settings
from tests.world import ACCOUNT, ENVIRONMENT

GUID = "0f0e0d0c-0b0a-0908-0706-050403020100"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SETTINGS = Settings.from_env(ENVIRONMENT)
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
    """A fresh delivery of a message."""
    text = json.dumps(body).encode()
    return Delivery("job-completions", "m-1", 1, NOW, NOW + timedelta(minutes=10), text)


def pointers(body: object) -> set[str]:
    """Where a refused message is at fault."""
    found = read_cleanup_message(delivery(body), SETTINGS, NOW)
    assert isinstance(found, Refused)
    return {problem.pointer for problem in found.fault.problems}


def test_a_step_reads_back_as_it_was_written() -> None:
    """The event, the moment of its acceptance, the number and the place in the listing."""
    event = JobEvent(event_id=GUID, job_id="render-7", batch_url=ACCOUNT)  # type: ignore[call-arg]
    cleanup = new_cleanup(event, datetime(2026, 11, 24, 7, 0, tzinfo=UTC))
    text = write_step(cleanup, f"{ACCOUNT}/jobs/render-7/tasks?$skiptoken=a")
    found = read_cleanup_message(delivery(json.loads(text)), SETTINGS, NOW)
    assert found == Step(cleanup, 0, f"{ACCOUNT}/jobs/render-7/tasks?$skiptoken=a")


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
        (PAGE | {"event": {"jobId": "render-7"}}, "/clientRequestId"),
    ],
)
def test_a_forged_step_is_refused_where_it_is_at_fault(page: object, pointer: str) -> None:
    """Whoever may write to the queue can forge a step, and gets no further than with an event."""
    assert pointers({"page": page}) == {pointer}


def test_a_handshake_belongs_to_http() -> None:
    """Event Grid validates subscriptions over HTTP alone; on the queue its event is a mistake."""
    handshake = {
        "id": "1",
        "topic": "t",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6"},
    }
    assert pointers([handshake]) == {"/eventType"}


@pytest.mark.parametrize("name", ["jobId", "id"])
def test_a_record_that_names_no_task_is_refused(name: str) -> None:
    """The pointer is that of the diagnostic record's own field."""
    properties = {key: text for key, text in RECORD["properties"].items() if key != name}
    assert pointers(RECORD | {"properties": properties}) == {f"/properties/{name}"}


def test_a_dead_letter_of_a_clean_up_holds_a_step_or_an_event() -> None:
    """What was read as one before reads as one again, and a record about one task is neither."""
    assert read_step(json.dumps({"page": PAGE}).encode(), SETTINGS, NOW).number == 3
    assert read_step(json.dumps(PAGE["event"]).encode(), SETTINGS, NOW).number == 0
    with pytest.raises(InvalidInput, match="one task"):
        read_step(json.dumps(RECORD).encode(), SETTINGS, NOW)

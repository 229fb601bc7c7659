"""The result message and the status document, member by member."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from shared.batch.reply import ErrorBody
from shared.ledger.record import Certainty, Conclusion, Origin, Outcome
from shared.request.model import PartialRequest
from shared.results.event import (
    MAX_BYTES,
    cloud_event,
    event_text,
    status_document,
)
from shared.results.result import Result, result_id
from tests.rows import ACCOUNT, NOW, PROBLEM, REQUEST_ID, accepted, after, claimed, done, released, request

NOT_VALID = Conclusion(Outcome.REJECTED, Certainty.CONFIRMED, NOW, error=PROBLEM)
REJECTED = Result("id-1", NOT_VALID, PartialRequest(), ACCOUNT, Origin.QUEUE)


def test_the_event_is_the_one_of_the_contract() -> None:
    """A result's CloudEvent has exactly the documented members and values."""
    row = done(request=request(metadata={"frame": "1"}), parent_id="7c9e6679-7425-40de-944b-e07fc1f90ae7", attempts=2)
    end = Conclusion(Outcome.DELETED, Certainty.INFERRED, after(1.5), 404, None, "batch-9")

    event = cloud_event(Result.of(replace(row, conclusion=end), replayed=True))

    assert event.pop("id") == result_id("deleted", REQUEST_ID, row.payload_hash, 0)
    assert event == {
        "specversion": "1.0",
        "source": "https://acct.region.batch.azure.com",
        "type": "batch.task-deletion.done",
        "subject": "jobs/Render-7/tasks/Frame-001",
        "time": "2026-11-24T07:30:01.500Z",
        "datacontenttype": "application/json",
        "data": {
            "clientRequestId": REQUEST_ID,
            "jobId": "Render-7",
            "taskId": "Frame-001",
            "batchUrl": "https://acct.region.batch.azure.com",
            "outcome": "deleted",
            "certainty": "inferred",
            "attempts": 2,
            "statusCode": 404,
            "batchRequestId": "batch-9",
            "error": None,
            "acceptedAt": "2026-11-24T07:30:00.000Z",
            "completedAt": "2026-11-24T07:30:01.500Z",
            "origin": "http",
            "parentId": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "replayed": True,
            "metadata": {"frame": "1"},
        },
    }


def test_an_error_has_the_shape_of_batch() -> None:
    """A result's error has Batch's shape: code, message with language, and values."""
    row = done(Outcome.FAILED)
    end = Conclusion(Outcome.FAILED, Certainty.CONFIRMED, NOW, 409, PROBLEM)

    data = cloud_event(Result.of(replace(row, conclusion=end)))["data"]

    assert data["error"] == {
        "code": "TooManyRequests",
        "message": {"lang": "en-US", "value": "Slow down."},
        "values": [{"key": "/jobId", "value": "is busy"}],
    }


def test_a_rejected_message_has_no_subject() -> None:
    """A rejected result has no subject, and null for each field that could not be read."""
    event = cloud_event(REJECTED)

    assert "subject" not in event
    assert (event["data"]["clientRequestId"], event["data"]["jobId"], event["data"]["acceptedAt"]) == (None,) * 3


@pytest.mark.parametrize("result", [Result.of(done()), REJECTED], ids=["deleted", "rejected"])
def test_an_independent_reader_takes_the_event(result: Result) -> None:
    """The CloudEvents project's own SDK reads the result and accepts it as valid."""
    text = event_text(cloud_event(result))

    event = JSONFormat().read(CloudEvent, text)

    assert (event.get_id(), event.get_source(), event.get_type()) == (
        result.id,
        result.source,
        "batch.task-deletion.done",
    )
    assert event.get_time() == NOW
    assert event.get_subject() == (None if result is REJECTED else "jobs/Render-7/tasks/Frame-001")
    assert event.get_datacontenttype() == "application/json"
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["outcome"] == result.outcome.value


def test_an_id_is_the_same_for_every_emission_of_one_outcome() -> None:
    """A result's id is a UUID that depends only on the row, whoever publishes it."""
    emitted = {Result.of(replace(done(), claim=None, attempts=n)).id for n in range(3)}

    assert len(emitted) == 1
    assert uuid.UUID(emitted.pop()).version == 5


def test_ids_are_never_shared() -> None:
    """Results of another outcome, generation, request, payload or id space have another id."""
    rows = [
        done(),
        done(Outcome.EXHAUSTED),
        done(generation=1),
        done(request=request(clientRequestId=REQUEST_ID.replace("0f", "1f"))),
        done(request=request(taskId="other")),
        done(request=request(dryRun=True)),
    ]
    assert len({Result.of(row).id for row in rows}) == len(rows)


def test_the_ids_of_a_release_are_those_of_all_others() -> None:
    """Result ids are the same in every release, so that consumers recognise repeats."""
    assert result_id("deleted", REQUEST_ID, "hash", 0) == "3a029e9e-fad1-54ec-b7ad-bcb37458d24e"


def test_a_row_that_is_not_done_has_no_ending() -> None:
    """Making a result of an unfinished row is a defect and raises ValueError."""
    with pytest.raises(ValueError, match="is not done"):
        Result.of(claimed())


def long_error(values: int) -> ErrorBody:
    """A very long error, as a proxy may send it."""
    return ErrorBody("C" * 9_000, "M" * 30_000, tuple(("K" * 900, "V" * 9_000) for _ in range(values)))


def event_with(error: ErrorBody | None, metadata: dict[str, str]) -> dict[str, Any]:
    """A result with this error and metadata."""
    row = done(request=request().model_copy(update={"metadata": metadata}))
    end = Conclusion(Outcome.DELETED, Certainty.CONFIRMED, NOW, error=error)
    return cloud_event(Result.of(replace(row, conclusion=end)))


def test_what_fits_is_sent_whole() -> None:
    """A result that fits into a message is sent unchanged."""
    event = event_with(ErrorBody("C", "M" * 40_000), {"k": "v"})
    assert json.loads(event_text(event)) == event


def test_a_long_error_is_shortened_to_fit() -> None:
    """Code, message and values of a long error are shortened; everything else is kept."""
    event = event_with(long_error(values=20), {"k": "v"})

    text = event_text(event)
    read = json.loads(text)

    assert len(text) <= MAX_BYTES
    error = read["data"].pop("error")
    assert error["code"].startswith("CCC")
    assert error["message"]["value"].startswith("M" * 1_000)
    assert [len(v["value"]) > 256 for v in error["values"]] == [True] * 20
    texts = [error["code"], error["message"]["value"], *(text for v in error["values"] for text in v.values())]
    assert all(text.endswith(" (shortened)") for text in texts)
    assert read["data"]["metadata"] == {"k": "v"}
    assert read["id"] == event["id"]


@pytest.mark.parametrize("character", ["M", "é", "値", "\U0001f600", '"', "\ud800"])
def test_a_shortened_error_fits_whatever_its_characters_are(character: str) -> None:
    """A shortened error fits the message whatever its characters, and metadata is kept."""
    error = ErrorBody(character * 128, character * 50_000, tuple((character * 128, character * 500) for _ in range(21)))
    metadata = {"k": "\U0001f600" * 255}

    text = event_text(event_with(error, metadata))

    assert len(text) <= MAX_BYTES
    assert json.loads(text)["data"]["metadata"] == metadata
    assert json.loads(text)["data"]["error"]["message"]["value"].endswith(" (shortened)")


def test_metadata_goes_last() -> None:
    """Metadata is dropped only if the result is still too long with a shortened error."""
    event = event_with(long_error(values=20), {"k": "€" * 10_000})

    read = json.loads(event_text(event))

    assert read["data"]["metadata"] == {}
    assert read["data"]["outcome"] == "deleted"


def test_metadata_alone_can_be_too_long() -> None:
    """Metadata that alone makes a result too long is dropped."""
    assert json.loads(event_text(event_with(None, {"k": "€" * 10_000})))["data"]["metadata"] == {}


def test_shortening_leaves_the_event_alone() -> None:
    """Shortening the message text does not change the event itself."""
    event = event_with(long_error(values=20), {"k": "€" * 10_000})
    before = json.dumps(event)

    event_text(event)

    assert json.dumps(event) == before


def test_the_text_is_ascii() -> None:
    """A result's text is ASCII, whatever its metadata holds."""
    assert event_text(event_with(None, {"k": "\ufffe😀é"})).isascii()


@pytest.mark.parametrize(
    ("row", "state", "extra"),
    [
        pytest.param(accepted(), "accepted", {}, id="accepted"),
        pytest.param(
            accepted(due_at=after(60)), "scheduled", {"nextAttemptAt": "2026-11-24T07:31:00.000Z"}, id="scheduled"
        ),
        pytest.param(
            accepted(due_at=after(0)), "accepted", {"nextAttemptAt": "2026-11-24T07:30:00.000Z"}, id="due now"
        ),
        pytest.param(claimed(), "running", {}, id="running"),
        pytest.param(
            released(next_attempt=60),
            "retrying",
            {
                "nextAttemptAt": "2026-11-24T07:31:00.000Z",
                "lastError": {
                    "code": "TooManyRequests",
                    "message": {"lang": "en-US", "value": "Slow down."},
                    "values": [{"key": "/jobId", "value": "is busy"}],
                },
            },
            id="retrying",
        ),
        pytest.param(done(), "done", {"result": cloud_event(Result.of(done()))}, id="done"),
        pytest.param(
            done(due_at=after(-9)), "done", {"result": cloud_event(Result.of(done()))}, id="done after a delay"
        ),
    ],
)
def test_the_status_document(row: Any, state: str, extra: dict[str, Any]) -> None:
    """The status document names the row's state and has the fields of that state."""
    assert status_document(row, NOW) == {
        "clientRequestId": REQUEST_ID,
        "jobId": "Render-7",
        "taskId": "Frame-001",
        "batchUrl": "https://acct.region.batch.azure.com",
        "state": state,
        "attempts": row.attempts,
        "acceptedAt": "2026-11-24T07:30:00.000Z",
        **extra,
    }


def test_instants_are_in_utc_with_milliseconds() -> None:
    """Instants in documents are in UTC with milliseconds, whatever their time zone."""
    local = NOW.astimezone(tz=None) + timedelta(microseconds=1_999)
    assert status_document(accepted(accepted_at=local), NOW)["acceptedAt"] == "2026-11-24T07:30:00.001Z"

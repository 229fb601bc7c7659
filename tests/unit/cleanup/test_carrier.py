"""Events in `data_base64`, which some languages' SDKs make of binary data."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.cleanup.event import JobEvent, PartialEvent, partial_event, read_event
from shared.errors import InvalidInput

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
ACCOUNTS = ("https://acct.region.batch.azure.com",)
ENVELOPE: dict[str, Any] = {"specversion": "1.0", "id": "e-1", "type": "Contoso.JobCompleted", "source": "/batch/acct"}


def encoded(data: object) -> str:
    """What an SDK makes of binary data."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.b64encode(raw).decode()


def problems_of(value: object) -> list[tuple[str, str]]:
    """The pointers and texts of an event's problems."""
    with pytest.raises(InvalidInput) as caught:
        read_event(value, ACCOUNTS, NOW)
    return [(problem.pointer, problem.text) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "application/json; charset=utf-8", "text/json", "application/vnd.x+json"]
)
def test_bytes_of_json_are_the_same_event(content_type: str | None) -> None:
    """JSON in `data_base64`, with a JSON content type or none, is the same event as in `data`."""
    plain = read_event(ENVELOPE | {"data": {"jobId": "render-7", "select": "failed"}}, ACCOUNTS, NOW)
    fields = {"data_base64": encoded({"jobId": "render-7", "select": "failed"})}
    fields |= {"datacontenttype": content_type} if content_type else {}
    assert isinstance(plain, JobEvent)
    assert read_event(ENVELOPE | fields, ACCOUNTS, NOW) == plain
    assert read_event([ENVELOPE | fields], ACCOUNTS, NOW) == plain


@pytest.mark.parametrize(
    ("fields", "where", "text"),
    [
        ({"data_base64": encoded({"jobId": "a"}), "datacontenttype": "application/xml"}, "/data_base64", "JSON"),
        ({"data_base64": encoded({"jobId": "a"}), "datacontenttype": 7}, "/data_base64", "JSON"),
        ({"data_base64": encoded({"jobId": "a"}), "data": {"jobId": "a"}}, "/data_base64", "combined with data"),
        ({"data_base64": "{}"}, "/data_base64", "base64"),
        ({"data_base64": {"jobId": "a"}}, "/data_base64", "base64"),
        ({"data_base64": encoded(b"\xff")}, "/data_base64", "UTF-8"),
        ({"data_base64": encoded(b"<job/>")}, "/data_base64", "not JSON"),
        ({"data_base64": encoded(["a"])}, "/data_base64", "object"),
        ({"data_base64": encoded({})}, "/data_base64/jobId", "required"),
        ({"data_base64": encoded({"jobId": "a", "jobid": "b"})}, "/data_base64/jobid", "not a field"),
        ({"data_base64": encoded(b'{"jobId": "a", "jobId": "b"}')}, "/data_base64/jobId", "more than once"),
        ({"data_base64": encoded({"jobId": "a", "clientRequestId": "x"})}, "/data_base64/clientRequestId", "envelope"),
    ],
)
def test_a_fault_of_the_bytes_is_pointed_at(fields: dict[str, object], where: str, text: str) -> None:
    """A fault in decoded `data_base64` is reported by the same rules as in an object, with its pointer."""
    [(pointed, found)] = problems_of(ENVELOPE | fields)
    assert pointed == where
    assert text in found


def test_an_event_grid_event_has_no_such_field() -> None:
    """An Event Grid event must have `data`: `data_base64` does not count."""
    grid = {"id": "e", "topic": "/t", "eventType": "x", "dataVersion": "1", "data_base64": encoded({"jobId": "a"})}
    assert [pointed for pointed, _ in problems_of(grid)] == ["/data"]


def test_a_refused_event_is_told_of_as_far_as_it_can_be_read() -> None:
    """A refused event still gives its id from the envelope and its job from the decoded data, if readable."""
    found = partial_event(ENVELOPE | {"data_base64": encoded({"jobId": "render-7", "x": 1})}, ACCOUNTS)
    assert (found.job_id, found.event_id is not None) == ("render-7", True)
    assert partial_event(ENVELOPE | {"data_base64": 1}, ACCOUNTS) == PartialEvent(found.event_id)

"""The check of answers against the OpenAPI description finds every difference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.api.openapi import document
from tests.description import Description

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
IDS = {"request-id": "1", "client-request-id": ID}
TYPED = IDS | {"content-type": "application/json"}
STATUS = {
    "clientRequestId": ID,
    "jobId": "render-7",
    "taskId": "frame-001",
    "batchUrl": "https://account.region.batch.azure.com",
    "state": "accepted",
    "attempts": 0,
    "acceptedAt": "2026-11-24T08:00:00.000Z",
}
DELETE = "/jobs/render-7/tasks/frame-001"


def found(method: str, path: str, status: int, headers: dict[str, str], body: Any = None) -> list[str]:
    """The faults that the check finds in an answer."""
    raw = b"" if body is None else json.dumps(body).encode()
    return Description(document()).answer_faults(method, path, status, headers, raw)


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "body"),
    [
        ("GET", f"/task-deletions/{ID}", 200, TYPED, STATUS),
        ("POST", "/task-deletions", 202, TYPED | {"Location": f"/api/task-deletions/{ID}"}, STATUS),
        ("DELETE", DELETE, 200, IDS, None),
        ("GET", "/no-such-call", 404, {}, None),
    ],
)
def test_an_answer_as_described_passes(method: str, path: str, status: int, headers: dict[str, str], body: Any) -> None:
    """An answer that matches the description has no faults, and neither has one of an unknown route."""
    assert found(method, path, status, headers, body) == []


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "body"),
    [
        pytest.param("GET", f"/task-deletions/{ID}", 418, TYPED, STATUS, id="status"),
        pytest.param("GET", f"/task-deletions/{ID}", 200, TYPED, STATUS | {"extra": 1}, id="a field too many"),
        pytest.param("GET", f"/task-deletions/{ID}", 200, TYPED, STATUS | {"state": "claimed"}, id="a word"),
        pytest.param("GET", f"/task-deletions/{ID}", 200, TYPED, STATUS | {"lastError": None}, id="a null"),
        pytest.param("GET", f"/task-deletions/{ID}", 200, IDS | {"content-type": "text/plain"}, STATUS, id="type"),
        pytest.param("GET", f"/task-deletions/{ID}", 200, TYPED | {"x-own": "1"}, STATUS, id="a header"),
        pytest.param("POST", "/task-deletions", 202, TYPED, {"items": []}, id="items without counts"),
        pytest.param("DELETE", DELETE, 200, TYPED, None, id="a content type without content"),
        pytest.param("DELETE", DELETE, 200, IDS, {}, id="content"),
        pytest.param("OPTIONS", "/job-completions", 200, IDS, None, id="a header that is missing"),
        pytest.param("GET", "/no-such-call", 200, {}, None, id="a call"),
    ],
)
def test_an_answer_otherwise_is_found(method: str, path: str, status: int, headers: dict[str, str], body: Any) -> None:
    """An answer that differs from the description in one thing has a fault."""
    assert found(method, path, status, headers, body) != []

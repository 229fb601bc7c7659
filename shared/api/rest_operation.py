"""The HTTP face of *Task - Delete*: its query and headers as a request, and an outcome as Batch's own answer.

https://learn.microsoft.com/rest/api/batchservice/task/delete-task
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime

from shared.api.answer import Answer, Call
from shared.api.query import read_query
from shared.errors import InvalidInput, Problem
from shared.ledger.record import Outcome, Record
from shared.request.model import DeletionRequest, parse_request
from shared.results.event import error_wire
from shared.settings import Settings

HEADERS = {
    "/clientRequestId": "client-request-id",
    "/returnClientRequestId": "return-client-request-id",
    "/ocpDate": "ocp-date",
    "/ifMatch": "if-match",
    "/ifNoneMatch": "if-none-match",
    "/ifModifiedSince": "if-modified-since",
    "/ifUnmodifiedSince": "if-unmodified-since",
}
"""Pointers of a request's fields, and the headers that they travel in here."""

_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_BAD_GATEWAY = 502


def read_operation(call: Call, settings: Settings, now: datetime) -> DeletionRequest:
    """The request that a call of the REST operation makes.

    Raises:
        InvalidInput: with pointers that `HEADERS` translates; code `UnsupportedRequestVersion` for another
            `api-version`.
    """
    # Every SDK from 15.0 on sends `timeOut`.
    query = read_query(call.query, "timeout", "api-version")
    if query.get("api-version", settings.batch_api_version) != settings.batch_api_version:
        text = f"must be {settings.batch_api_version} or absent"
        raise InvalidInput([Problem("api-version", text)], "UnsupportedRequestVersion")
    fields: dict[str, object] = {
        pointer.removeprefix("/"): call.headers[header] for pointer, header in HEADERS.items() if header in call.headers
    }
    fields.setdefault("clientRequestId", str(uuid.uuid4()))
    fields |= {"jobId": call.route.get("jobId"), "taskId": call.route.get("taskId")}
    if "timeout" in query:
        fields["timeout"] = int(query["timeout"]) if _DIGITS.fullmatch(query["timeout"]) else query["timeout"]
    if "returnClientRequestId" in fields:
        text = str(fields["returnClientRequestId"])
        fields["returnClientRequestId"] = _BOOLEANS.get(text.lower(), text)
    return parse_request(fields, settings.batch_accounts, now).traced(call.traceparent)


def operation_answer(record: Record) -> Answer:
    """Batch's own status and error body, or what stands for an outcome that has none."""
    end = record.conclusion
    if end is None:
        raise ValueError(f"row {record.key.row} is not done")
    status = _status(end.outcome, end.status)
    content = None if status in {200, 304} else error_wire(end.error)
    return Answer(
        status,
        content,
        client_request_id=record.request.client_request_id,
        batch_request_id=end.batch_request_id,
    )


def _status(outcome: Outcome, batch_status: int | None) -> int:
    if outcome is Outcome.DELETED:
        return 200
    if outcome is Outcome.EXHAUSTED:
        return 503
    if outcome in {Outcome.EXPIRED, Outcome.CANCELLED}:
        return 410
    if batch_status is None:
        return 403
    # A redirect of Batch must not send our caller, key and all, anywhere.
    return _BAD_GATEWAY if 300 <= batch_status < 400 and batch_status != 304 else batch_status

"""The REST operation *Task - Delete*: turns its query and headers into a request, and an outcome into its response.

https://learn.microsoft.com/rest/api/batchservice/task/delete-task
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime

from shared.api.answer import Answer, Call
from shared.api.query import key, read_query
from shared.errors import InvalidInput, Problem
from shared.ledger.record import Outcome, Record
from shared.parsing import grammar
from shared.request.model import DeletionRequest, parse_or_none, parse_request
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
"""Pointers to a request's fields, and the headers that carry them here."""

QUERY = {"/timeout": "query:timeout"}

_BY_POST = "use POST /api/task-deletions for it"
RIGHT_PLACES = {
    **{
        known.lower(): f"send it as the header {name}"
        for field, name in HEADERS.items()
        for known in (name, field.removeprefix("/"))
    },
    "timeout": "send it as query:timeout",
    **dict.fromkeys(("batchurl", "dryrun", "deleteafter", "metadata"), _BY_POST),
}
"""Where this operation takes what was sent elsewhere, or the call that takes it; by the name in lower case."""

COMPATIBLE_VERSIONS = (
    "2017-05-01.5.0",
    "2017-06-01.5.1",
    "2017-09-01.6.0",
    "2018-03-01.6.1",
    "2018-08-01.7.0",
    "2018-12-01.8.0",
    "2019-06-01.9.0",
    "2019-08-01.10.0",
    "2020-03-01.11.0",
    "2020-09-01.12.0",
    "2021-06-01.14.0",
    "2022-01-01.15.0",
    "2022-10-01.16.0",
    "2023-05-01.17.0",
    "2023-11-01.18.0",
    "2024-02-01.19.0",
    "2024-07-01.20.0",
    "2025-06-01",
)
"""Versions in which *Task - Delete* is the same: path, query, headers, and 200 as the only success status.

Compared in the generated clients azure-batch 3.0 to 15.1 on PyPI.
"""

_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_BAD_GATEWAY = 502


def read_operation(call: Call, settings: Settings, now: datetime) -> DeletionRequest:
    """The request made by a call of the REST operation.

    Raises:
        InvalidInput: each problem named by its header or parameter; code `UnsupportedRequestVersion` for an
            `api-version` that is not known to be compatible.
    """
    # Every SDK from 15.0 on sends `timeOut`.
    query = read_query(call, "timeout", "api-version", elsewhere=RIGHT_PLACES)
    _check_version(query.get("api-version"), settings.batch_api_version)
    call.concerns(parse_or_none(call.headers.get("client-request-id"), grammar.guid))
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
    try:
        return parse_request(fields, settings.batch_accounts, now).traced(call.traceparent)
    except InvalidInput as fault:
        raise fault.renamed(HEADERS | QUERY) from None


def _check_version(asked: str | None, own: str) -> None:
    """Raises InvalidInput for a version in which *Task - Delete* may differ from what the app sends."""
    if asked is None or asked in {own, *COMPATIBLE_VERSIONS}:
        return
    known = ", ".join(sorted({own, *COMPATIBLE_VERSIONS}))
    raise InvalidInput([Problem(key("api-version"), f"must be absent or one of {known}")], "UnsupportedRequestVersion")


def operation_answer(record: Record) -> Answer:
    """Batch's status and error body, or the app's equivalents for an outcome without a response of Batch."""
    end = record.conclusion
    if end is None:
        raise ValueError(f"row {record.key.row} is not done")
    status = _status(end.outcome, end.status)
    content = None if status in {200, 304} else error_wire(end.error)
    return Answer(status, content, batch_request_id=end.batch_request_id)


def _status(outcome: Outcome, batch_status: int | None) -> int:
    if outcome is Outcome.DELETED:
        return 200
    if outcome is Outcome.EXHAUSTED:
        return 503
    if outcome in {Outcome.EXPIRED, Outcome.CANCELLED}:
        return 410
    if batch_status is None:
        return 403
    if 200 <= batch_status < 300:
        # Batch answered a GET of the task, which was then kept: no DELETE was sent.
        return 409
    # A redirect from Batch must not be passed on: the caller would send its key there.
    return _BAD_GATEWAY if 300 <= batch_status < 400 and batch_status != 304 else batch_status

"""What is said in the wrong place is refused: dropped, it might have been what keeps a task.

People carry `?dryRun=true` over from the `Location` of a dry run, and the conditions as headers from the REST
operation. The query has its own rules in `query`.
"""

from __future__ import annotations

import json

from shared.api.answer import Call
from shared.api.body import UNSUPPORTED
from shared.api.rest_operation import HEADERS
from shared.errors import InvalidInput, Problem
from shared.parsing.strict_json import few, pointer

CLIENT_REQUEST_ID = "client-request-id"
CONDITIONS = {name: field for field, name in HEADERS.items() if name.startswith("if-")}
"""Conditional headers, and the fields of a request that say the same."""


def refuse_misplaced(call: Call) -> None:
    """Raises InvalidInput with a problem for each thing that this call does not read where it was said."""
    encoding = call.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        # The host passes the bytes on as they are.
        raise InvalidInput(
            [Problem("content-encoding", "must be identity or absent; send the body as it is")], UNSUPPORTED
        )
    problems = _body_of_delete(call) if call.method == "DELETE" else []
    if call.method in {"POST", "DELETE"} and not _is_operation(call):
        problems += _conditions(call)
    if problems:
        raise InvalidInput(few(problems))


def refuse_other_id(call: Call, known: str | None, at: str = "/clientRequestId") -> None:
    """Raises InvalidInput when the header `client-request-id` says another id than the body does at `at`."""
    header = call.headers.get(CLIENT_REQUEST_ID)
    if header is not None and (known is None or header.strip().lower() != known.lower()):
        raise InvalidInput.at(CLIENT_REQUEST_ID, f"must be absent, or the same as {at} in the body")


def refuse_any_id(call: Call) -> None:
    """Raises InvalidInput for the header `client-request-id` beside requests that have ids of their own."""
    if CLIENT_REQUEST_ID in call.headers:
        raise InvalidInput.at(CLIENT_REQUEST_ID, "must be absent here; each request has its clientRequestId")


def refuse_body(call: Call) -> None:
    """Raises InvalidInput for a body that a POST without any does not read; `{}` says nothing."""
    if call.body.strip() not in {b"", b"{}"}:
        raise InvalidInput.at("", "must be empty; this call reads no body")


def _conditions(call: Call) -> list[Problem]:
    return [
        Problem(name, f"is not read here; a request has {field.removeprefix('/')} in its body")
        for name, field in CONDITIONS.items()
        if name in call.headers
    ]


def _body_of_delete(call: Call) -> list[Problem]:
    if not call.body and "transfer-encoding" not in call.headers:
        return []
    try:
        value = json.loads(call.body)
    except (ValueError, RecursionError):
        value = None
    names = list(value) if isinstance(value, dict) else []
    if not names:
        return [Problem("", "must be empty; a DELETE says all in its path, query and headers")]
    return [Problem(pointer("", name), _right_place(name, operation=_is_operation(call))) for name in names]


def _right_place(name: str, *, operation: bool) -> str:
    header = HEADERS.get(f"/{name}")
    if operation and header:
        return f"is not read in a body; send it as the header {header}"
    if operation and name == "timeout":
        return "is not read in a body; send it as query:timeout"
    if operation and name == "dryRun":
        return "is not read in a body; POST /api/task-deletions takes a dry run"
    if name == "dryRun":
        return "is not read in a body; send it as query:dryRun where this call has dry runs"
    return "is not read in a body; a DELETE says all in its path, query and headers"


def _is_operation(call: Call) -> bool:
    """Whether the call is the REST operation, which reads the conditions where Batch does."""
    return "taskId" in call.route

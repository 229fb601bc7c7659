"""Rejects headers and body fields in the wrong place. If ignored, a condition that protects a task would be lost.

People copy `?dryRun=true` from the `Location` of a dry run, and send conditions as headers like those of the REST
operation. `query` has the rules for the query.
"""

from __future__ import annotations

import json

from shared.api.answer import Call
from shared.api.body import UNSUPPORTED
from shared.api.rest_operation import HEADERS, RIGHT_PLACES
from shared.errors import InvalidInput, Problem
from shared.parsing.strict_json import capped, pointer

CLIENT_REQUEST_ID = "client-request-id"
CONDITIONS = {name: field for field, name in HEADERS.items() if name.startswith("if-")}
"""Conditional headers, and the equivalent fields of a request."""

_NOT_IN_BODY = "a DELETE takes its parameters in path, query and headers"


def refuse_misplaced(call: Call) -> None:
    """Raises InvalidInput with a problem for everything that this call does not read where it was put."""
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
        raise InvalidInput(capped(problems))


def refuse_other_id(call: Call, known: str | None, at: str = "/clientRequestId") -> None:
    """Raises InvalidInput if the header `client-request-id` differs from the id in the body at `at`."""
    header = call.headers.get(CLIENT_REQUEST_ID)
    if header is not None and (known is None or header.strip().lower() != known.lower()):
        raise InvalidInput.at(CLIENT_REQUEST_ID, f"must be absent, or the same as {at} in the body")


def refuse_any_id(call: Call) -> None:
    """Raises InvalidInput for the header `client-request-id` if each request in the body has its own id."""
    if CLIENT_REQUEST_ID in call.headers:
        raise InvalidInput.at(CLIENT_REQUEST_ID, "must be absent here; each request has its clientRequestId")


def refuse_body(call: Call) -> None:
    """Raises InvalidInput for the body of a POST that takes none; an empty object is allowed."""
    if call.body.strip() not in {b"", b"{}"}:
        raise InvalidInput.at("", "must be empty; this call takes no body")


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
        return [Problem("", f"must be empty; {_NOT_IN_BODY}")]
    return [Problem(pointer("", name), _right_place(name, operation=_is_operation(call))) for name in names]


def _right_place(name: str, *, operation: bool) -> str:
    right = "send it as query:dryRun if this call supports dry runs" if name == "dryRun" else _NOT_IN_BODY
    return f"is not read in a body; {RIGHT_PLACES.get(name.lower(), right) if operation else right}"


def _is_operation(call: Call) -> bool:
    """Whether the call is the REST operation, which takes conditions as headers, like Batch."""
    return "taskId" in call.route

"""One operation of the published description: its parameters, responses, headers and errors."""

from __future__ import annotations

from typing import Any

from shared.api.letter_pass import MAX_REASON
from shared.api.openapi_dialect import Schema, ref
from shared.cleanup.record import Phase
from shared.ledger.record import DEAD_LETTERED
from shared.parsing import grammar

Document = dict[str, Any]

JSON = "application/json"
_TEXT: Schema = {"type": "string"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_FLAG: Schema = {"type": "string", "enum": ["true", "false"]}
_GUID: Schema = {"type": "string", "format": "uuid"}

_PARAMETERS: dict[str, tuple[str, Schema, str]] = {
    "clientRequestId": ("path", _TEXT, "The request's id."),
    "id": ("path", _TEXT, "The id."),
    "jobId": ("path", {"type": "string", "maxLength": grammar.MAX_JOB_ID}, "The job's id; a colon travels as `%3A`."),
    "taskId": ("path", {"type": "string", "maxLength": 64}, "The task's id."),
    "dryRun": ("query", _FLAG, "`true`: the dry run with this id."),
    "outcome": ("query", {"type": "string", "enum": sorted(DEAD_LETTERED)}, "Only those with this outcome."),
    "reason": ("query", {"type": "string", "minLength": 1, "maxLength": MAX_REASON}, "Only those with this reason."),
    "queue": ("query", _TEXT, "Only those from this queue."),
    "since": ("query", _MOMENT, "Only those first seen at this instant or later."),
    "before": ("query", _MOMENT, "Only those first seen before this instant."),
    "settled": ("query", _FLAG, "`true`: only settled ones."),
    "state": ("query", {"type": "string", "enum": [phase.value for phase in Phase]}, "Only those in this state."),
    "top": ("query", {"type": "integer", "minimum": 1, "maximum": 200}, "The most items on a page."),
    "continuation": ("query", _TEXT, "The continuation from the previous page."),
    "timeout": (
        "query",
        {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
        "Seconds that Batch may spend on the call; values above 30 count as 30.",
    ),
    "api-version": ("query", _TEXT, "A version whose *Task - Delete* is the same; the app sends its own."),
    "client-request-id": ("header", _GUID, "The request's id; absent: generated."),
    "return-client-request-id": ("header", _FLAG, "Sent to Batch unchanged."),
    "ocp-date": ("header", _TEXT, "An RFC 1123 date, sent to Batch unchanged; absent: the time of sending."),
    "if-match": ("header", _TEXT, "Delete only if the task still has this ETag."),
    "if-none-match": ("header", _TEXT, "Delete only if the task has another ETag."),
    "if-modified-since": ("header", _TEXT, "Delete only if the task has been modified since this RFC 1123 date."),
    "if-unmodified-since": ("header", _TEXT, "Delete only if the task has not been modified since this RFC 1123 date."),
    "prefer": ("header", _TEXT, "If `respond-async` is among its values, the response is an immediate 202."),
    "webhook-request-origin": (
        "header",
        {"type": "string", "minLength": 1, "maxLength": 256},
        "The sender; repeated in the response.",
    ),
}
_REQUIRED = frozenset({"webhook-request-origin"})
_FILTER = {"jobIdFilter": "jobId"}
"""Query parameters that share their name with a path parameter."""

HEADERS: Document = {
    "request-id": {
        "description": "The id of this call, or Batch's id if its response is passed on.",
        "schema": _TEXT,
        "example": "5b0f4a8e-0d0f-4d0e-8a53-3f6b1c1d7a11",
    },
    "client-request-id": {
        "description": "The id of the request or event that the call is about, if it is known.",
        "schema": _GUID,
        "example": "0f8fad5b-d9cb-469f-a165-70867728950e",
    },
    "location": {
        "description": "Where to get the status.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/task-deletions/0f8fad5b-d9cb-469f-a165-70867728950e",
    },
    "idempotency-replayed": {
        "description": "`true` if this answers a repeat; otherwise absent.",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "retry-after": {
        "description": "Seconds to wait before repeating the call.",
        "schema": {"type": "string"},
        "example": "10",
    },
}
_ALWAYS = ("request-id", "client-request-id")

_MEANINGS = {
    200: "Done.",
    202: "Accepted.",
    204: "Done.",
    304: "A condition was not met.",
    400: "The call is not valid; `values` points at what is wrong.",
    403: "Nothing is deleted from this job.",
    404: "Not found.",
    409: "Too late.",
    410: "The request expired or was cancelled.",
    412: "A condition was not met.",
    413: "The body is too large.",
    415: "The body must be JSON in UTF-8, without compression or another encoding.",
    422: "The id is already used for another payload, or a redrive cannot succeed.",
    500: "A defect of the app; see its log.",
    502: "Batch answered with something that is not passed on.",
    503: "Storage is down, or the settings are not valid. The call may still have taken effect: repeat it unchanged.",
}


def operation(
    name: str,
    tag: str,
    words: tuple[str, str],
    answers: dict[int, str | None],
    refusals: str = "400",
    *,
    parameters: str = "",
    body: Document | None = None,
    headers: str = "",
) -> Document:
    """One operation.

    `words` are a summary and a description. `answers` names a schema for each status, None for no content; `refusals`
    lists the statuses whose body is a BatchError. `headers` names headers that successful responses may have in addition.
    """
    bodies: dict[int, str | None] = dict.fromkeys([*map(int, refusals.split()), 415, 500, 503], "BatchError")
    bodies |= answers
    found: Document = {
        "operationId": name,
        "tags": [tag],
        "summary": words[0],
        "description": words[1],
        "parameters": [_parameter(name) for name in parameters.split()],
        "responses": {str(status): _response(status, schema, headers) for status, schema in sorted(bodies.items())},
    }
    if not found["parameters"]:
        del found["parameters"]
    return found | ({"requestBody": body} if body else {})


def body_of(schemas: dict[str, Schema], examples: Document) -> Document:
    """A request body by content type; the examples are for JSON."""
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    content[JSON]["examples"] = examples
    return {"required": True, "content": content}


def any_of(*names: str) -> Schema:
    """A value of one of these schemas."""
    return {"anyOf": [ref(name) for name in names]}


def header_refs(*names: str) -> Document:
    """Headers of a response, by reference."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _response(status: int, schema: str | None, headers: str) -> Document:
    own = ("retry-after",) if status == 503 else tuple(headers.split()) if status < 400 else ()
    if "location" in own and status != 202:
        own = tuple(name for name in own if name != "location")
    found: Document = {"description": _MEANINGS[status], "headers": header_refs(*_ALWAYS, *own)}
    if schema is None or status == 304:
        return found
    return found | {"content": {JSON: {"schema": ref(schema)}}}


def _parameter(name: str) -> Document:
    place, schema, description = ("query", _TEXT, "Only those of this job.") if name in _FILTER else _PARAMETERS[name]
    return {
        "name": _FILTER.get(name, name),
        "in": place,
        "required": place == "path" or name in _REQUIRED,
        "description": description,
        "schema": schema,
    }

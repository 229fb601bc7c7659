"""One operation of the published description: its parameters, its answers with their headers, its refusals."""

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
    "dryRun": ("query", _FLAG, "`true`: of the dry run with this id."),
    "outcome": ("query", {"type": "string", "enum": sorted(DEAD_LETTERED)}, "Only those with this outcome."),
    "reason": ("query", {"type": "string", "minLength": 1, "maxLength": MAX_REASON}, "Only those with this reason."),
    "queue": ("query", _TEXT, "Only those from this queue."),
    "since": ("query", _MOMENT, "Only what was first seen at this instant or later."),
    "before": ("query", _MOMENT, "Only what was first seen before this instant."),
    "settled": ("query", _FLAG, "`true`: those that are settled, and no others."),
    "state": ("query", {"type": "string", "enum": [phase.value for phase in Phase]}, "Only those in this state."),
    "top": ("query", {"type": "integer", "minimum": 1, "maximum": 200}, "The most that a page has."),
    "continuation": ("query", _TEXT, "Where the page before ended, from its answer."),
    "timeout": (
        "query",
        {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
        "Seconds that Batch may spend; above 30 counts as 30.",
    ),
    "api-version": ("query", _TEXT, "A version whose *Task - Delete* is the same; the app sends its own."),
    "client-request-id": ("header", _GUID, "The request's id; absent: made up."),
    "return-client-request-id": ("header", _FLAG, "Sent to Batch as it is."),
    "ocp-date": ("header", _TEXT, "Sent to Batch as it is, an RFC 1123 date; absent: the time of sending."),
    "if-match": ("header", _TEXT, "Delete only if the task still has this ETag."),
    "if-none-match": ("header", _TEXT, "Delete only if the task has another ETag."),
    "if-modified-since": ("header", _TEXT, "Delete only if the task was changed since this RFC 1123 date."),
    "if-unmodified-since": ("header", _TEXT, "Delete only if the task was not changed since this RFC 1123 date."),
    "prefer": ("header", _TEXT, "With `respond-async` among its values the answer is 202 at once."),
    "webhook-request-origin": (
        "header",
        {"type": "string", "minLength": 1, "maxLength": 256},
        "Who asks; repeated in the answer.",
    ),
}
_REQUIRED = frozenset({"webhook-request-origin"})
_FILTER = {"jobIdFilter": "jobId"}
"""Parameters of the query whose names are those of others in the path."""

HEADERS: Document = {
    "request-id": {
        "description": "The id of this call; of Batch's answer where that is passed on.",
        "schema": _TEXT,
        "example": "5b0f4a8e-0d0f-4d0e-8a53-3f6b1c1d7a11",
    },
    "client-request-id": {
        "description": "The id of the request or the event that the call is about, once it is known.",
        "schema": _GUID,
        "example": "0f8fad5b-d9cb-469f-a165-70867728950e",
    },
    "location": {
        "description": "Where to ask how it goes.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/task-deletions/0f8fad5b-d9cb-469f-a165-70867728950e",
    },
    "idempotency-replayed": {
        "description": "Only there, and `true`, where the answer repeats what was answered before.",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "retry-after": {
        "description": "Seconds to wait before the same call is made again.",
        "schema": {"type": "string"},
        "example": "10",
    },
}
_ALWAYS = ("request-id", "client-request-id")

_MEANINGS = {
    200: "Done.",
    202: "Accepted.",
    204: "Done.",
    304: "A condition does not hold.",
    400: "The call is not valid; `values` points at what is wrong.",
    403: "Nothing is deleted from this job.",
    404: "Not there.",
    409: "Too late for that.",
    410: "The request expired or was cancelled.",
    412: "A condition does not hold.",
    413: "The body is too large.",
    415: "The body must be JSON in UTF-8, and neither compressed nor encoded otherwise.",
    422: "The id was used before with another payload, or another try cannot succeed.",
    500: "A defect of the app; its log says more.",
    502: "Batch answered with something that is not passed on.",
    503: "Storage is down, or the settings are wrong. It may have been carried out all the same: repeat the same call.",
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
    lists those whose body is a BatchError. `headers` may come with what is no error, beside those of every answer.
    """
    told: dict[int, str | None] = dict.fromkeys([*map(int, refusals.split()), 415, 500, 503], "BatchError")
    told |= answers
    found: Document = {
        "operationId": name,
        "tags": [tag],
        "summary": words[0],
        "description": words[1],
        "parameters": [_parameter(name) for name in parameters.split()],
        "responses": {str(status): _response(status, schema, headers) for status, schema in sorted(told.items())},
    }
    if not found["parameters"]:
        del found["parameters"]
    return found | ({"requestBody": body} if body else {})


def body_of(schemas: dict[str, Schema], examples: Document) -> Document:
    """A body, by content type; the examples are those of JSON."""
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    content[JSON]["examples"] = examples
    return {"required": True, "content": content}


def any_of(*names: str) -> Schema:
    """A value of one of these schemas."""
    return {"anyOf": [ref(name) for name in names]}


def header_refs(*names: str) -> Document:
    """Headers of an answer, by reference."""
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

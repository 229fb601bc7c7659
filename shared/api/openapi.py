"""The published description of the HTTP interface, OpenAPI 3.1, at `/api/openapi.json`."""

from __future__ import annotations

from functools import cache
from typing import Any

from shared.api.letter_pass import MAX_REASON
from shared.api.openapi_events import event_schemas
from shared.api.openapi_letters import operator_schemas
from shared.api.openapi_retention import retention_paths, retention_schemas
from shared.api.openapi_schemas import MOMENT, TEXT, Schema, ref, schemas
from shared.ledger.record import DEAD_LETTERED

Document = dict[str, Any]

_PARAMETERS = {
    "clientRequestId": ("path", {"type": "string"}),
    "id": ("path", {"type": "string"}),
    "jobId": ("path", {"type": "string"}),
    "taskId": ("path", {"type": "string"}),
    "dryRun": ("query", {"enum": ["true", "false"]}),
    "outcome": ("query", {"type": "string", "enum": sorted(DEAD_LETTERED)}),
    "reason": ("query", {"type": "string", "minLength": 1, "maxLength": MAX_REASON}),
    "queue": ("query", TEXT),
    "since": ("query", MOMENT),
    "before": ("query", MOMENT),
    "settled": ("query", {"type": "string", "enum": ["true", "false"]}),
    "state": ("query", {"type": "string", "enum": ["waiting", "listing", "listed", "failed", "cancelled"]}),
    "top": ("query", {"type": "integer", "minimum": 1, "maximum": 200}),
    "continuation": ("query", TEXT),
    "timeout": ("query", {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}),
    "api-version": ("query", TEXT),
    "client-request-id": ("header", {"type": "string", "format": "uuid"}),
    "return-client-request-id": ("header", {"enum": ["true", "false"]}),
    "ocp-date": ("header", TEXT),
    "if-match": ("header", TEXT),
    "if-none-match": ("header", TEXT),
    "if-modified-since": ("header", TEXT),
    "if-unmodified-since": ("header", TEXT),
    "prefer": ("header", {"enum": ["respond-async"]}),
    "webhook-request-origin": ("header", {"type": "string", "minLength": 1, "maxLength": 256}),
}
_MEANINGS = {
    200: "Done.",
    202: "Accepted.",
    204: "Done.",
    304: "A condition does not hold.",
    400: "The request is not valid; `values` points at what is wrong.",
    401: "The function key is missing or wrong.",
    403: "Nothing is deleted from this job.",
    404: "Not there.",
    409: "Too late for that.",
    410: "The request expired or was taken back.",
    412: "A condition does not hold.",
    413: "The body is too large.",
    415: "The body must be JSON.",
    422: "The id was used before with another payload, or another try cannot succeed.",
    502: "Batch answered with something that is not passed on.",
    500: "A defect of the app; its log says more.",
    503: "Storage is down, or the settings are wrong; nothing is promised.",
}
# What Batch itself may answer to Task - Delete is passed on.
_PASSED_ON = (304, 400, 404, 409, 412)


@cache
def document() -> Document:
    """The whole description; the same object at every call."""
    named = schemas()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Batch task deletion", "version": "1", "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": "/api"}],
        "security": [{"key": []}],
        "paths": _paths(),
        "components": {
            "schemas": named | event_schemas(named["JobEvent"]) | operator_schemas() | retention_schemas(),
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-functions-key"}},
        },
    }


def _paths() -> Document:
    return _request_paths() | _job_paths() | retention_paths(_operation) | _dead_letter_paths() | _service_paths()


def _request_paths() -> Document:
    request: Schema = {"oneOf": [ref("DeletionRequest"), ref("ManyRequests"), ref("ManyTasks")]}
    status, accepted = ref("Status"), {"oneOf": [ref("Status"), ref("Bulk")]}
    operation = "timeout api-version client-request-id return-client-request-id ocp-date if-match if-none-match "
    operation += "if-modified-since if-unmodified-since prefer"
    return {
        "/task-deletions": {
            "post": _operation(
                "Accept one request, or many",
                {200: status, 202: accepted},
                (400, 403, 413, 415, 422),
                body=request,
                others={400: {"oneOf": [ref("BatchError"), ref("InvalidBulk")]}},
            ),
        },
        "/task-deletions/{clientRequestId}": {
            "get": _operation("How a request stands", {200: status}, (400, 404), "clientRequestId dryRun"),
            "delete": _operation("Take a request back", {200: status}, (400, 404, 409), "clientRequestId dryRun"),
        },
        "/jobs/{jobId}/tasks/{taskId}": {
            "delete": _operation(
                "Task - Delete",
                {200: None, 202: status},
                (*_PASSED_ON, 403, 410, 422, 502),
                f"jobId taskId {operation}",
            ),
        },
    }


def _job_paths() -> Document:
    progress = ref("Progress")
    accepted: Schema = {"oneOf": [progress, ref("Status"), ref("EventsAccepted")]}
    post = _operation(
        "Clean up jobs",
        {200: ref("SubscriptionValidated"), 202: accepted},
        (400, 403, 413, 415, 422),
        others={400: {"oneOf": [ref("BatchError"), ref("EventsRefused")]}},
    )
    return {
        "/job-completions": {
            "post": post | {"requestBody": _events()},
            "get": _operation("List clean-ups, newest first", {200: ref("Cleanups")}, (400,), "state top continuation"),
            "options": _handshake(),
        },
        "/job-completions/{id}": {
            "get": _operation("How a clean-up goes", {200: progress}, (400, 404), "id dryRun"),
            "delete": _operation("Cancel a clean-up", {200: progress, 202: progress}, (400, 404, 409), "id dryRun"),
        },
    }


def _events() -> Document:
    """What may be posted, by content type; in binary mode of CloudEvents (`ce-*` headers) the body is the data alone."""
    carried = [ref("CloudEvent"), ref("EventGridEvent"), ref("SubscriptionValidation"), ref("DiagnosticRecord")]
    event: Schema = {"oneOf": [ref("JobEvent"), ref("JobEventData"), *carried]}
    several: Schema = {
        "type": "array",
        "items": {"oneOf": [ref("JobEvent"), *carried]},
        "minItems": 1,
        "maxItems": 1000,
    }
    batch: Schema = {"type": "array", "items": ref("CloudEvent"), "minItems": 1, "maxItems": 1000}
    bodies: dict[str, Schema] = {
        "application/json": {"anyOf": [event, several]},
        "application/cloudevents+json": ref("CloudEvent"),
        "application/cloudevents-batch+json": batch,
    }
    return {"required": True, "content": {name: {"schema": schema} for name, schema in bodies.items()}}


def _handshake() -> Document:
    """What a sender of CloudEvents asks first; the answer is in its headers."""
    found = _operation("May CloudEvents be delivered here", {}, (400,), "webhook-request-origin")
    found["parameters"][0]["required"] = True
    headers = {name: {"required": True, "schema": TEXT} for name in ("webhook-allowed-origin", "webhook-allowed-rate")}
    found["responses"]["200"] = {"description": _MEANINGS[200], "headers": headers}
    return found


def _dead_letter_paths() -> Document:
    redriven, settled = ref("RedrivenMany"), ref("SettledMany")
    filters = "outcome reason jobIdFilter queue since before settled top continuation"
    return {
        "/dead-letters": {
            "get": _operation("What could not be done", {200: ref("DeadLetters")}, (400,), filters),
        },
        "/dead-letters/{id}": {
            "get": _operation("Get a dead letter", {200: ref("DeadLetter")}, (400, 404), "id"),
            "delete": _operation("Settle a dead letter", {204: None}, (400, 404), "id"),
        },
        "/dead-letters/{id}/redrive": {
            "post": _operation("Redrive a dead letter", {202: ref("Redriven")}, (400, 404, 409, 422), "id"),
        },
        "/dead-letters/redrive": {
            "post": _operation(
                "Redrive several", {200: redriven, 202: redriven}, (400, 413, 415), body=ref("BulkRedrive")
            ),
        },
        "/dead-letters/settle": {
            "post": _operation("Settle several", {200: settled, 202: settled}, (400, 413, 415), body=ref("BulkSettle")),
        },
    }


def _service_paths() -> Document:
    """What tells of the app itself."""
    health = _operation("Whether the app could work now", {200: ref("Health"), 503: ref("Health")})
    page = _operation("The operator's page", {}, (400,))
    page["responses"]["200"] = {"description": _MEANINGS[200], "content": {"text/html": {"schema": TEXT}}}
    return {
        "/health": {"get": health | {"security": []}},
        "/operations": {"get": page | {"security": []}},
        "/operations/summary": {
            "get": _operation("Get the state of the app in numbers", {200: ref("Summary")}, (400,))
        },
        "/openapi.json": {"get": _operation("This description", {200: {"type": "object"}})},
    }


def _operation(
    summary: str,
    answers: dict[int, Schema | None],
    refusals: tuple[int, ...] = (),
    parameters: str = "",
    *,
    body: Schema | None = None,
    others: dict[int, Schema | None] | None = None,
) -> Document:
    """One operation: its answers, and the refusals, whose body is a BatchError."""
    told: dict[int, Schema | None] = dict.fromkeys((*refusals, 500, 503), ref("BatchError"))
    told |= answers | (others or {})
    found: Document = {
        "summary": summary,
        "responses": {str(status): _response(status, schema) for status, schema in sorted(told.items())},
    }
    found["responses"]["401"] = {"description": _MEANINGS[401]}
    if parameters:
        found["parameters"] = [_parameter(name) for name in parameters.split()]
    if body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return found


def _response(status: int, schema: Schema | None) -> Document:
    if status == 304 or schema is None:
        return {"description": _MEANINGS[status]}
    return {"description": _MEANINGS[status], "content": {"application/json": {"schema": schema}}}


def _parameter(name: str) -> Document:
    if name == "jobIdFilter":
        return {"name": "jobId", "in": "query", "required": False, "schema": TEXT}
    place, schema = _PARAMETERS[name]
    return {"name": name, "in": place, "required": place == "path", "schema": schema}

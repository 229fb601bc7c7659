"""The published description of the HTTP interface and of the queues' messages, OpenAPI 3.1, at `/api/openapi.json`."""

from __future__ import annotations

from functools import cache

from shared import VERSION
from shared.api.openapi_operations import HEADERS, Document
from shared.api.openapi_operator_paths import APP, LETTERS, letter_paths, service_paths
from shared.api.openapi_paths import CLEANUPS, REQUESTS, cleanup_paths, request_paths
from shared.api.openapi_retention import RETENTION, retention_paths
from shared.api.openapi_schemas import schemas
from shared.api.openapi_webhooks import MESSAGES, webhooks

_ABOUT = """Deletes Azure Batch tasks on request: each `clientRequestId` takes effect once, failures are tried again from
the queue, and each request has one result.

Names in JSON are case-sensitive, unknown fields are refused, and a field that has no value is left out: null is refused.
Every error but those of `health` has the shape of the Batch service's own; `key` of its `values` is a JSON pointer into
the body, `query:<name>`, or the name of a header or of an app setting. An answer may get new fields in time."""

# No operation lists the 401: it is the platform's, has no body, and would take the type from all other errors of a
# client that hey-api generates.
_KEY = """A function key or a host key of the app; the query parameter `code` may hold it too. Without a right one the
platform answers 401, without a body."""

_TAGS = {
    REQUESTS: "Ask for the deletion of tasks, see how a request stands, take it back.",
    CLEANUPS: "Delete the completed tasks of a job once it is completed.",
    RETENTION: "Policies by which the app finds finished work itself, and its sweeps through the accounts.",
    LETTERS: "What could not be done: look, try again, settle.",
    APP: "How the app itself is.",
    MESSAGES: "What lies on the queues.",
}


@cache
def document() -> Document:
    """The whole description; the same object at every call."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Batch task deletion",
            "version": VERSION,
            "summary": "Deletes Azure Batch tasks on request.",
            "description": _ABOUT,
            "contact": {"name": "Whoever runs this app"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api", "description": "The app that this description comes from."}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": request_paths() | cleanup_paths() | retention_paths() | letter_paths() | service_paths(),
        "webhooks": webhooks(),
        "components": {
            "schemas": schemas(),
            "headers": HEADERS,
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-functions-key",
                    "description": _KEY,
                }
            },
        },
    }

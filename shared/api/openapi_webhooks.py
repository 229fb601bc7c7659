"""The queue messages in the published description, as webhooks: OpenAPI has no other place for them."""

from __future__ import annotations

from shared.api import openapi_examples as examples
from shared.api.openapi_dialect import Schema, ref
from shared.api.openapi_operations import JSON, Document, any_of

MESSAGES = "Queue messages"
RESULTS = {
    "batch.task-deletion.done": "Result",
    "batch.job-cleanup.listed": "CleanupListed",
    "batch.job-cleanup.done": "CleanupDone",
    "batch.retention-sweep.done": "SweepDone",
}
"""The schemas of the events on the result queue, by type."""


def webhooks() -> Document:
    """The messages of each queue. They are not sent by HTTP."""
    mapping = {kind: ref(name)["$ref"] for kind, name in RESULTS.items()}
    result: Schema = {
        "oneOf": [ref(name) for name in RESULTS.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    return {
        "taskDeleteRequest": _message(
            "takeTaskDeleteRequest",
            "A message on the request queue",
            "You put it on `REQUEST_QUEUE_NAME`, as JSON or base64 of it, 64 KiB at most.",
            any_of("DeletionRequest", "ManyRequests", "ManyTasks"),
            examples.REQUESTS,
        ),
        "jobCompletion": _message(
            "takeJobCompletion",
            "A message on the job-completion queue",
            "You, Event Grid or a diagnostic setting put it on `JOB_COMPLETION_QUEUE_NAME`, as JSON or base64 of it, "
            "64 KiB at most; a list of one event is accepted too.",
            any_of("JobEvent", "CloudEvent", "EventGridEvent", "DiagnosticRecord"),
            {name: examples.EVENTS[name] for name in ("bare", "cloudEvent", "record")},
        ),
        "result": _message(
            "giveResult",
            "A message on the result queue",
            "The app puts it on `RESULT_QUEUE_NAME`, in base64 unless `RESULT_MESSAGE_ENCODING` is `none`. A message may "
            "be sent more than once: use `id` to drop repeats.",
            result,
            {},
        ),
    }


def _message(name: str, summary: str, description: str, schema: Schema, shown: Document) -> Document:
    content: Document = {"schema": schema} | ({"examples": shown} if shown else {})
    return {
        "post": {
            "operationId": name,
            "tags": [MESSAGES],
            "summary": summary,
            "description": description,
            "requestBody": {"required": True, "content": {JSON: content}},
            "responses": {"200": {"description": "Taken off the queue."}},
        }
    }

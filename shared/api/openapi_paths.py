"""The calls about requests and about clean-ups, for the published description."""

from __future__ import annotations

from shared.api import openapi_examples as examples
from shared.api.openapi_dialect import Schema, ref
from shared.api.openapi_operations import JSON, Document, any_of, body_of, header_refs, operation

REQUESTS = "Task deletions"
CLEANUPS = "Job clean-ups"
# Batch's statuses for Task - Delete are passed on.
_OF_BATCH = "304 400 403 404 409 410 412 422 502"
_OPERATION = (
    "jobId taskId timeout api-version client-request-id return-client-request-id ocp-date if-match if-none-match "
    "if-modified-since if-unmodified-since prefer"
)
_MAX_EVENTS = 1_000


def request_paths() -> Document:
    """The calls about single requests."""
    own = "clientRequestId dryRun"
    return {
        "/task-deletions": {"post": _submit()},
        "/task-deletions/{clientRequestId}": {
            "get": operation(
                "getTaskDeletion",
                REQUESTS,
                (
                    "Get a request",
                    "The status of one request, and its result. A clean-up's request may be unknown until it has begun.",
                ),
                {200: "Status"},
                "400 404",
                parameters=own,
            ),
            "delete": operation(
                "cancelTaskDeletion",
                REQUESTS,
                ("Cancel a request", "Cancels a request that has not begun; may be repeated."),
                {200: "Status"},
                "400 404 409",
                parameters=own,
            ),
        },
        "/jobs/{jobId}/tasks/{taskId}": {"delete": _delete()},
    }


def _submit() -> Document:
    words = (
        "Request deletions",
        (
            "Accepts one request, or many in one body, for the queue. A repeat with the same id and payload takes no second "
            "effect: 202 while the request is open, 200 once it is done. Send a body with `Content-Length`: a chunked "
            "body arrives empty."
        ),
    )
    kinds = any_of("DeletionRequest", "ManyRequests", "ManyTasks")
    return operation(
        "submitTaskDeletion",
        REQUESTS,
        words,
        {200: "Status", 202: "TaskDeletionsAccepted", 400: "TaskDeletionsRefused"},
        "403 413 422",
        body=body_of({JSON: kinds}, examples.REQUESTS),
        headers="location idempotency-replayed",
    )


def _delete() -> Document:
    words = (
        "Delete a task now",
        (
            "The operation *Task - Delete* of the Batch service, with its query and headers, in the default account. It "
            "returns Batch's status and error body: 200 without content once the task is deleted. After a temporary "
            "failure it returns 202, and the app continues from the queue."
        ),
    )
    found = operation(
        "deleteTask",
        REQUESTS,
        words,
        {200: None, 202: "Status"},
        _OF_BATCH,
        parameters=_OPERATION,
        headers="location idempotency-replayed",
    )
    for response in found["responses"].values():
        response["headers"] |= header_refs("idempotency-replayed")
    return found


def cleanup_paths() -> Document:
    """The calls about clean-ups."""
    own = "id dryRun"
    return {
        "/job-completions": {
            "post": _submit_events(),
            "get": operation(
                "listJobCompletions",
                CLEANUPS,
                ("List clean-ups", "The clean-ups, newest first."),
                {200: "CleanupPage"},
                parameters="state top continuation",
            ),
            "options": _handshake(),
        },
        "/job-completions/{id}": {
            "get": operation(
                "getJobCompletion",
                CLEANUPS,
                ("Get a clean-up", "The progress of the clean-up for one event."),
                {200: "Progress"},
                "400 404",
                parameters=own,
            ),
            "delete": operation(
                "cancelJobCompletion",
                CLEANUPS,
                (
                    "Cancel a clean-up",
                    (
                        "Nothing more is listed, and its requests that have not begun end as `cancelled`: 202, and 200 when "
                        "repeated."
                    ),
                ),
                {200: "Progress", 202: "Progress"},
                "400 404 409",
                parameters=own,
            ),
        },
    }


def _submit_events() -> Document:
    words = (
        "Submit job-completion events",
        (
            "A bare event, CloudEvents 1.0 (structured, batched, or in binary mode, in which `ce-` headers hold the "
            "attributes and the body the data), Event Grid events one by one or as a list, or a diagnostic record of Batch "
            "about one task. Each of several events is accepted or refused separately. Event Grid's validation of a subscription is "
            "answered with 200 and its code."
        ),
    )
    carried = ("CloudEvent", "EventGridEvent", "SubscriptionValidation", "DiagnosticRecord")
    alone = any_of("JobEvent", "JobEventData", *carried)
    several: Schema = {
        "type": "array",
        "items": any_of("JobEvent", *carried),
        "minItems": 1,
        "maxItems": _MAX_EVENTS,
    }
    batch: Schema = {"type": "array", "items": ref("CloudEvent"), "minItems": 1, "maxItems": _MAX_EVENTS}
    kinds: dict[str, Schema] = {
        JSON: {"anyOf": [*alone["anyOf"], several]},
        "application/cloudevents+json": ref("CloudEvent"),
        "application/cloudevents-batch+json": batch,
    }
    found = operation(
        "submitJobCompletion",
        CLEANUPS,
        words,
        {200: "SubscriptionValidated", 202: "EventsTaken", 400: "JobCompletionsRefused"},
        "403 413 422",
        body=body_of(kinds, examples.EVENTS),
        headers="location",
    )
    found["responses"]["200"]["description"] = "The response to Event Grid's validation of a subscription."
    return found


def _handshake() -> Document:
    words = (
        "Ask whether CloudEvents may be delivered",
        (
            "The handshake of CloudEvents webhooks: any sender with the key may deliver, at any rate. The answer is in the "
            "response's headers."
        ),
    )
    found = operation("allowJobCompletions", CLEANUPS, words, {200: None}, parameters="webhook-request-origin")
    found["responses"]["200"]["headers"] |= {
        "webhook-allowed-origin": {"description": "The sender.", "required": True, "schema": {"type": "string"}},
        "webhook-allowed-rate": {"description": "Any rate.", "required": True, "schema": {"type": "string"}},
        "allow": {"description": "The methods.", "required": True, "schema": {"type": "string"}},
    }
    return found

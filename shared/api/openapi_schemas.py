"""The named schemas of the published description, made from the models and types that the app uses."""

from __future__ import annotations

from shared.api.letter_pass import BulkFilters, BulkRedrive
from shared.api.openapi_answers import ANSWERS
from shared.api.openapi_dialect import Schema, answered_schemas, asked_schemas, merged, ref
from shared.api.openapi_events import EVENT_ANSWERS, carriers
from shared.api.openapi_letters import LETTER_ANSWERS
from shared.api.openapi_retention import RETENTION_ANSWERS
from shared.api.openapi_words import described
from shared.api.retention import SweepRequest
from shared.cleanup.event import JobEvent
from shared.ledger.record import DEAD_LETTERED
from shared.parsing.strict_model import StrictModel
from shared.request.envelope import LIMITS
from shared.request.model import DeletionRequest

_ASKED: dict[str, type[StrictModel]] = {
    "DeletionRequest": DeletionRequest,
    "JobEvent": JobEvent,
    "BulkRedrive": BulkRedrive,
    "BulkSettle": BulkFilters,
    "SweepWish": SweepRequest,
}
_PARTS = {"Bulk", "InvalidBulk", "EventsAccepted", "EventsRefused"}
"""Schemas that are only published as part of others."""


def schemas() -> dict[str, Schema]:
    """All named schemas with their descriptions."""
    found = asked_schemas(_ASKED)
    # Required in the models, which the app fills in: without an account, the default one is used.
    for name in ("DeletionRequest", "JobEvent"):
        found[name]["required"].remove("batchUrl")
    for name in ("BulkRedrive", "BulkSettle"):
        found[name]["properties"]["outcome"] = {"type": "string", "enum": sorted(DEAD_LETTERED)}
    for name in ("policy", "batchUrl"):
        found["SweepWish"]["properties"][name]["minLength"] = 1
    found["JobEvent"]["properties"]["deleteAfter"] = {"oneOf": [{"type": "string"}, ref("DeleteAfter")]}
    found |= _envelopes(found["DeletionRequest"]) | carriers(found["JobEvent"])
    found |= answered_schemas(*ANSWERS, *EVENT_ANSWERS, *LETTER_ANSWERS, *RETENTION_ANSWERS)
    found |= _unions(found)
    return {name: described(name, found[name]) for name in sorted(found.keys() - _PARTS)}


def _envelopes(request: Schema) -> dict[str, Schema]:
    many = {"type": "array", "items": ref("DeletionRequest"), "minItems": 1, "maxItems": LIMITS.requests}
    ids = {"type": "array", "items": request["properties"]["taskId"], "minItems": 1, "maxItems": LIMITS.task_ids}
    fields = {name: field for name, field in request["properties"].items() if name != "taskId"}
    closed = {"type": "object", "additionalProperties": False}
    return {
        "ManyRequests": {**closed, "properties": {"requests": many}, "required": ["requests"]},
        "ManyTasks": {
            **closed,
            "properties": fields | {"taskIds": ids},
            "required": ["clientRequestId", "jobId", "taskIds"],
        },
    }


def _unions(found: dict[str, Schema]) -> dict[str, Schema]:
    """Schemas for statuses with several kinds of responses."""
    return {
        "Description": {"type": "object", "description": "An OpenAPI document.", "additionalProperties": True},
        "TaskDeletionsAccepted": merged(
            "For one request its status document, for many `items` and `counts`.",
            found["Status"],
            found["Bulk"],
        ),
        "TaskDeletionsRefused": _with_items(
            found["InvalidBulk"], "Nothing was accepted; for many requests, `items` and `counts` have the details."
        ),
        "EventsTaken": merged(
            "For a job-completion event the progress of its clean-up, for a diagnostic record the status of its request, "
            "for several events `items`.",
            found["Progress"],
            found["Status"],
            found["EventsAccepted"],
        ),
        "JobCompletionsRefused": _with_items(
            found["EventsRefused"], "Nothing was accepted; for several events, `items` have the details."
        ),
    }


def _with_items(schema: Schema, description: str) -> Schema:
    """An error that may also have items."""
    required = [name for name in schema["required"] if name not in {"items", "counts"}]
    return schema | {"description": description, "required": required}

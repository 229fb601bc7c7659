"""The named schemas of the published description: all from the models that check or type them, and what follows."""

from __future__ import annotations

from shared.api.letter_pass import BulkRedrive, BulkWishes
from shared.api.openapi_answers import ANSWERS
from shared.api.openapi_dialect import Schema, answered_schemas, asked_schemas, merged, ref
from shared.api.openapi_events import EVENT_ANSWERS, carriers
from shared.api.openapi_letters import LETTER_ANSWERS
from shared.api.openapi_retention import RETENTION_ANSWERS
from shared.api.openapi_words import described
from shared.api.retention import Wish
from shared.cleanup.event import JobEvent
from shared.ledger.record import DEAD_LETTERED
from shared.parsing.strict_model import StrictModel
from shared.request.envelope import LIMITS
from shared.request.model import DeletionRequest

_ASKED: dict[str, type[StrictModel]] = {
    "DeletionRequest": DeletionRequest,
    "JobEvent": JobEvent,
    "BulkRedrive": BulkRedrive,
    "BulkSettle": BulkWishes,
    "SweepWish": Wish,
}
_PARTS = {"Bulk", "InvalidBulk", "EventsAccepted", "EventsRefused"}
"""Kinds of answers that are described together with others."""


def schemas() -> dict[str, Schema]:
    """All named schemas, each with its words."""
    found = asked_schemas(_ASKED)
    # Checked by the app itself: the default account is filled in where none is named.
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
    """Where one status has answers of several kinds."""
    return {
        "Description": {"type": "object", "description": "An OpenAPI document.", "additionalProperties": True},
        "TaskDeletionsAccepted": merged(
            "What was accepted: of one request its status document, of many `items` and `counts`.",
            found["Status"],
            found["Bulk"],
        ),
        "TaskDeletionsRefused": _with_items(
            found["InvalidBulk"], "Nothing was accepted; of many requests `items` and `counts` tell of each."
        ),
        "EventsTaken": merged(
            "What was accepted: of a job-completion event the progress of its clean-up, of a diagnostic record the status "
            "of the one request, of several events `items`.",
            found["Progress"],
            found["Status"],
            found["EventsAccepted"],
        ),
        "JobCompletionsRefused": _with_items(
            found["EventsRefused"], "Nothing was accepted; of several events `items` tell of each."
        ),
    }


def _with_items(schema: Schema, description: str) -> Schema:
    """An error that may have items beside it."""
    required = [name for name in schema["required"] if name not in {"items", "counts"}]
    return schema | {"description": description, "required": required}

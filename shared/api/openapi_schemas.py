"""The schemas of the published description: requests from the models that check them, answers written out."""

from __future__ import annotations

from typing import Any

from shared.api.letter_pass import BulkRedrive, BulkWishes
from shared.cleanup.event import JobEvent
from shared.ledger.record import Certainty, Origin, Outcome
from shared.parsing.strict_model import StrictModel
from shared.request.envelope import LIMITS
from shared.request.model import DeletionRequest

Schema = dict[str, Any]

_REF = "#/components/schemas/"
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
DRY_RUN: Schema = {"const": True}
"""Only there where a dry run is told of."""
MOMENT: Schema = {"type": "string", "format": "date-time"}


def ref(name: str) -> Schema:
    """A reference to a named schema."""
    return {"$ref": _REF + name}


ERROR = ref("BatchError")
_MODELS: dict[type[StrictModel], str] = {
    DeletionRequest: "DeletionRequest",
    JobEvent: "JobEvent",
    BulkRedrive: "BulkRedrive",
    BulkWishes: "BulkSettle",
}


def record(required: str, optional: str = "", **special: Schema) -> Schema:
    """An object whose fields are named in two texts; text unless `special` says otherwise."""
    names = [*required.split(), *optional.split()]
    return {
        "type": "object",
        "properties": {name: special.get(name, TEXT) for name in names},
        "required": required.split(),
    }


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def schemas() -> dict[str, Schema]:
    """All named schemas."""
    found: dict[str, Schema] = {}
    for model, name in _MODELS.items():
        schema = model.model_json_schema(by_alias=True, ref_template=_REF + "{model}")
        found |= schema.pop("$defs", {})
        found[name] = _without_null(schema)
    # Checked by the app itself: the default account is filled in where none is named.
    for name in ("DeletionRequest", "JobEvent"):
        found[name]["required"].remove("batchUrl")
    found["DeletionRequest"]["properties"]["timeout"] |= {"minimum": 1, "maximum": 2**31 - 1}
    found["JobEvent"]["properties"]["deleteAfter"] = {"oneOf": [TEXT, ref("DeleteAfter")]}
    return found | _envelopes(found["DeletionRequest"]) | _answers()


def _without_null(schema: Schema) -> Schema:
    """Optional fields may be left out but not be null."""
    for name, field in schema.get("properties", {}).items():
        options = [option for option in field.get("anyOf", []) if option != {"type": "null"}]
        if len(options) == 1:
            rest = {key: value for key, value in field.items() if key not in {"anyOf", "default"}}
            schema["properties"][name] = options[0] | rest
    return schema


def _envelopes(request: Schema) -> dict[str, Schema]:
    many = {"type": "array", "items": ref("DeletionRequest"), "minItems": 1, "maxItems": LIMITS.requests}
    ids = {"type": "array", "items": request["properties"]["taskId"], "minItems": 1, "maxItems": LIMITS.task_ids}
    fields = {name: field for name, field in request["properties"].items() if name != "taskId"}
    return {
        "ManyRequests": {
            "type": "object",
            "properties": {"requests": many},
            "required": ["requests"],
            "additionalProperties": False,
        },
        "ManyTasks": {
            "type": "object",
            "properties": fields | {"taskIds": ids},
            "required": ["clientRequestId", "jobId", "taskIds"],
            "additionalProperties": False,
        },
    }


def _answers() -> dict[str, Schema]:
    counts = record("accepted replayed conflict invalid", accepted=COUNT, replayed=COUNT, conflict=COUNT, invalid=COUNT)
    values = {"type": "array", "items": record("key value")}
    return {
        "BatchError": record("code message values", message=record("lang value"), values=values),
        "InvalidBulk": record(
            "code message values items counts",
            message=record("lang value"),
            values=values,
            items={"type": "array", "items": _bulk_item()},
            counts=counts,
        ),
        "Result": record(
            "specversion id source type time datacontenttype data", "subject traceparent", time=MOMENT, data=_result()
        ),
        "Status": record(
            "clientRequestId jobId taskId batchUrl state attempts acceptedAt",
            "nextAttemptAt lastError result dryRun",
            state={"enum": ["accepted", "scheduled", "running", "retrying", "done"]},
            attempts=COUNT,
            acceptedAt=MOMENT,
            nextAttemptAt=MOMENT,
            lastError=ERROR,
            result=ref("Result"),
            dryRun=DRY_RUN,
        ),
        "Bulk": record("items counts", items={"type": "array", "items": _bulk_item()}, counts=counts),
        "Progress": record(
            "eventId jobId batchUrl state listed requested skipped done open",
            "error jobState dryRun",
            state={"type": "string", "enum": ["waiting", "listing", "listed", "failed", "cancelled"]},
            listed=COUNT,
            requested=COUNT,
            skipped=COUNT,
            done={"type": "object", "additionalProperties": {"type": "integer"}},
            open=COUNT,
            error=ERROR,
            dryRun=DRY_RUN,
        ),
        "Health": record(
            "status checks", status={"enum": ["ok", "failing"]}, checks=record("storage identity settings timers")
        ),
    }


def _result() -> Schema:
    return record(
        "clientRequestId jobId taskId batchUrl outcome certainty attempts statusCode batchRequestId error "
        "acceptedAt completedAt origin parentId replayed metadata",
        "dryRun messageId",
        outcome={"enum": [outcome.value for outcome in Outcome]},
        certainty={"enum": [certainty.value for certainty in Certainty]},
        origin={"enum": [origin.value for origin in Origin]},
        attempts=COUNT,
        statusCode=nullable({"type": "integer"}),
        batchRequestId=nullable(TEXT),
        error=nullable(ERROR),
        acceptedAt=nullable(MOMENT),
        completedAt=MOMENT,
        parentId=nullable(TEXT),
        replayed={"type": "boolean"},
        metadata={"type": "object", "additionalProperties": TEXT},
        dryRun=DRY_RUN,
    )


def _bulk_item() -> Schema:
    return record(
        "clientRequestId jobId taskId status",
        "location error",
        clientRequestId=nullable(TEXT),
        jobId=nullable(TEXT),
        taskId=nullable(TEXT),
        status={"enum": ["accepted", "replayed", "conflict", "invalid"]},
        error=ERROR,
    )

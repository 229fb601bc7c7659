"""The schemas of job-completion events in the envelopes of their carriers, and of the answers to several of them."""

from __future__ import annotations

from shared.api.openapi_schemas import ERROR, TEXT, Schema, nullable, record, ref


def event_schemas(event: Schema) -> dict[str, Schema]:
    """The named schemas; `event` is that of the bare event."""
    return _carriers(event) | _taken_events()


def _carriers(event: Schema) -> dict[str, Schema]:
    """An event in the envelope of its carrier, which may say more than is read here."""
    bare = {name: field for name, field in event["properties"].items() if name != "clientRequestId"}
    data = {"type": "object", "properties": bare, "required": ["jobId"], "additionalProperties": False}
    word: Schema = {"type": "string", "minLength": 1}
    cloud = record(
        "specversion id source type",
        "datacontenttype traceparent data data_base64",
        specversion={"type": "string", "const": "1.0"},
        id=word,
        source=word,
        type=word,
        data=ref("JobEventData"),
        data_base64={"type": "string", "contentEncoding": "base64", "contentMediaType": "application/json"},
    ) | {"oneOf": [{"required": ["data"]}, {"required": ["data_base64"]}]}
    grid = record(
        "id topic eventType data",
        "subject eventTime dataVersion metadataVersion",
        id=word,
        topic=word,
        eventType=word,
        data=ref("JobEventData"),
    )
    validation = record(
        "id topic eventType data",
        eventType={"type": "string", "const": "Microsoft.EventGrid.SubscriptionValidationEvent"},
        data=record("validationCode", "validationUrl"),
    )
    diagnostic = record(
        "resourceId operationName properties",
        "time location traceparent",
        operationName={"type": "string", "const": "TaskCompleteEvent"},
        properties=record("jobId id"),
    )
    return {
        "JobEventData": data,
        "CloudEvent": cloud,
        "EventGridEvent": grid,
        "SubscriptionValidation": validation,
        "SubscriptionValidated": record("validationResponse"),
        "DiagnosticRecord": diagnostic,
    }


def _taken_events() -> dict[str, Schema]:
    """The answers to several events in one body."""
    status = {"type": "string", "enum": ["accepted", "replayed", "conflict", "invalid"]}
    item = record(
        "clientRequestId status", "location error", clientRequestId=nullable(TEXT), status=status, error=ERROR
    )
    items = {"type": "array", "items": item}
    values = {"type": "array", "items": record("key value")}
    return {
        "EventsAccepted": record("items", items=items),
        "EventsRefused": record("code message values items", message=record("lang value"), values=values, items=items),
        "Cleanups": record(
            "value continuation", value={"type": "array", "items": ref("Progress")}, continuation=nullable(TEXT)
        ),
    }

"""Schemas of job-completion events and their envelopes, the responses to them, and the events that close a clean-up."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from shared.api.openapi_answers import WIRE, BatchError, Count, Id, Moment, OnlyTrue, Url
from shared.api.openapi_dialect import Schema, ref
from shared.cleanup.task_record import TASK_COMPLETE

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_WORD: Schema = {"type": "string", "minLength": 1}
_TEXT: Schema = {"type": "string"}


class Progress(TypedDict):
    """The progress of one job's clean-up."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    event_id: Id
    job_id: str
    batch_url: Url
    state: Literal["waiting", "listing", "listed", "failed", "cancelled"]
    listed: Count
    requested: Count
    skipped: Count
    open: Count
    done: dict[str, Count]
    job_state: NotRequired[str]
    error: NotRequired[BatchError]
    dry_run: NotRequired[OnlyTrue]


class CleanupPage(TypedDict):
    """A page of clean-ups."""

    value: list[Progress]
    continuation: str | None


class EventItem(TypedDict):
    """The status of one of several events."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    client_request_id: Id | None
    status: Literal["accepted", "replayed", "conflict", "invalid"]
    location: NotRequired[str]
    error: NotRequired[BatchError]


class EventsAccepted(TypedDict):
    """The response to several events."""

    items: list[EventItem]


class EventsRefused(BatchError):
    """The response to several events, none of which was accepted."""

    items: list[EventItem]


class SubscriptionValidated(TypedDict):
    """The response to Event Grid's validation of a subscription."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    validation_response: str


class CleanupListedData(TypedDict):
    """The result of listing the job's tasks."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    event_id: Id
    job_id: str
    batch_url: Url
    job_state: str | None
    listed: Count
    requested: Count
    skipped: Count
    dry_run: NotRequired[OnlyTrue]


class CleanupDoneData(TypedDict):
    """Why the clean-up was not carried out."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    event_id: Id | None
    job_id: str | None
    batch_url: Url | None
    outcome: Literal["rejected", "failed", "exhausted", "expired", "cancelled", "conflict"]
    error: BatchError | None
    dry_run: NotRequired[OnlyTrue]


class _Closing(TypedDict):
    specversion: Literal["1.0"]
    id: Id
    source: Url
    subject: NotRequired[str]
    time: Moment
    datacontenttype: Literal["application/json"]
    traceparent: NotRequired[str]


class CleanupListed(_Closing):
    """The job's tasks were listed and their deletions requested, a CloudEvent."""

    type: Literal["batch.job-cleanup.listed"]
    data: CleanupListedData


class CleanupDone(_Closing):
    """The clean-up could not be carried out, a CloudEvent."""

    type: Literal["batch.job-cleanup.done"]
    data: CleanupDoneData


EVENT_ANSWERS = (
    Progress,
    CleanupPage,
    EventsAccepted,
    EventsRefused,
    SubscriptionValidated,
    CleanupListed,
    CleanupDone,
)


def carriers(event: Schema) -> dict[str, Schema]:
    """The schemas of enveloped events, which may have further fields; `event` is the schema of a bare one."""
    bare = {name: field for name, field in event["properties"].items() if name != "clientRequestId"}
    data: Schema = {"type": "object", "properties": bare, "required": ["jobId"], "additionalProperties": False}
    return {"JobEventData": data, "CloudEvent": _cloud_event(), **_event_grid(), **_diagnostics()}


def _cloud_event() -> Schema:
    return _envelope(
        "specversion id source type",
        specversion={"type": "string", "const": "1.0"},
        id=_WORD,
        source=_WORD,
        type=_WORD,
        subject=_TEXT,
        time=_TEXT,
        datacontenttype=_TEXT,
        traceparent=_TEXT,
        data=ref("JobEventData"),
        data_base64={"type": "string", "contentEncoding": "base64", "contentMediaType": "application/json"},
    )


def _event_grid() -> dict[str, Schema]:
    """Its events, and how it validates a subscription."""
    return {
        "EventGridEvent": _envelope(
            "id topic eventType data",
            id=_WORD,
            topic=_WORD,
            eventType=_WORD,
            subject=_TEXT,
            eventTime=_TEXT,
            dataVersion=_TEXT,
            metadataVersion=_TEXT,
            data=ref("JobEventData"),
        ),
        "SubscriptionValidation": _envelope(
            "eventType data",
            id=_TEXT,
            topic=_TEXT,
            eventType={"type": "string", "const": VALIDATION},
            data=ref("SubscriptionValidationData"),
        ),
        "SubscriptionValidationData": _envelope("validationCode", validationCode=_TEXT, validationUrl=_TEXT),
    }


def _diagnostics() -> dict[str, Schema]:
    """A diagnostic record of Batch about one task."""
    return {
        "DiagnosticRecord": _envelope(
            "resourceId operationName properties",
            time=_TEXT,
            resourceId=_TEXT,
            location=_TEXT,
            operationName={"type": "string", "const": TASK_COMPLETE},
            traceparent=_TEXT,
            properties=ref("DiagnosticTask"),
        ),
        "DiagnosticTask": _envelope("jobId id", jobId=_TEXT, id=_TEXT),
    }


def _envelope(required: str, **properties: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": True,
    }

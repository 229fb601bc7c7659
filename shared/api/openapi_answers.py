"""The responses of the calls about requests, and the result message. Types for the description only."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from shared.ledger.record import Certainty, Origin, Outcome

WIRE = ConfigDict(alias_generator=to_camel)
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Id = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
Url = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]
Count = Annotated[int, Field(ge=0)]
OnlyTrue = Annotated[bool, WithJsonSchema({"type": "boolean", "const": True})]
"""Present only if the document is about a dry run."""


class ErrorMessage(TypedDict):
    """An error's text for people."""

    lang: str
    value: str


class ErrorValue(TypedDict):
    """One problem."""

    key: str
    value: str


class BatchError(TypedDict):
    """An error, in the format of the Batch service."""

    code: str
    message: ErrorMessage
    values: list[ErrorValue]


class ResultData(TypedDict):
    """How the request ended."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    client_request_id: Id | None
    job_id: str | None
    task_id: str | None
    batch_url: Url | None
    outcome: Outcome
    certainty: Certainty
    attempts: Count
    status_code: int | None
    batch_request_id: str | None
    error: BatchError | None
    accepted_at: Moment | None
    completed_at: Moment
    origin: Origin
    parent_id: Id | None
    replayed: bool
    metadata: dict[str, str]
    dry_run: NotRequired[OnlyTrue]
    message_id: NotRequired[str]


class Result(TypedDict):
    """The result of one request, a CloudEvent. Deduplicate results by `id`."""

    specversion: Literal["1.0"]
    id: Id
    source: Url
    type: Literal["batch.task-deletion.done"]
    subject: NotRequired[str]
    time: Moment
    datacontenttype: Literal["application/json"]
    traceparent: NotRequired[str]
    data: ResultData


class Status(TypedDict):
    """The status of one request."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    client_request_id: Id
    job_id: str
    task_id: str
    batch_url: Url
    state: Literal["accepted", "scheduled", "running", "retrying", "done"]
    attempts: Count
    accepted_at: Moment
    next_attempt_at: NotRequired[Moment]
    last_error: NotRequired[BatchError]
    result: NotRequired[Result]
    dry_run: NotRequired[OnlyTrue]


class BulkItem(TypedDict):
    """The status of one request in a bulk call."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    client_request_id: Id | None
    job_id: str | None
    task_id: str | None
    status: Literal["accepted", "replayed", "conflict", "invalid"]
    location: NotRequired[str]
    error: NotRequired[BatchError]


class BulkCounts(TypedDict):
    """The number of items of a bulk call with each status."""

    accepted: Count
    replayed: Count
    conflict: Count
    invalid: Count


class Bulk(TypedDict):
    """The response to a bulk call."""

    items: list[BulkItem]
    counts: BulkCounts


class InvalidBulk(BatchError):
    """The response to a bulk call in which every item is invalid."""

    items: list[BulkItem]
    counts: BulkCounts


class HealthChecks(TypedDict):
    """The result of each check."""

    storage: str
    identity: str
    settings: str
    timers: str


class Health(TypedDict):
    """Whether the app is able to work now."""

    status: Literal["ok", "failing"]
    checks: HealthChecks


ANSWERS = (BatchError, Status, Bulk, InvalidBulk, Result, Health)

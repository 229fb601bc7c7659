"""A job-completion event: a bare object, or the same in a CloudEvents or Event Grid envelope.

Azure Batch does not send such events; pipelines do, each in the envelope of its transport.
Batch's own diagnostic records are about single tasks, and must not be mistaken for the end of a job.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from shared.cleanup.carrier import Carried, is_envelope, opened
from shared.cleanup.task_record import TaskRecord, is_task_record, read_task_record
from shared.errors import InvalidInput, Problem
from shared.parsing import account_url, grammar
from shared.parsing.strict_json import refuse_faults
from shared.parsing.strict_model import StrictModel, Surroundings, parse_model
from shared.request.model import Account, Delay, Guid, JobId, Metadata, TracedModel, parse_or_none

_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_ANY_ID = str(UUID(int=1))
"""A placeholder if the envelope has no valid id, so that the rest is still checked."""


class Select(StrEnum):
    """Which of a job's completed tasks to delete."""

    COMPLETED = "completed"
    SUCCEEDED = "succeeded"
    """Batch's `result` is success, or, without a result, the exit code is 0."""
    FAILED = "failed"
    """Completed, but not succeeded."""


def _select(value: object) -> Select:
    for select in Select:
        if value == select:
            return select
    raise ValueError(f"must be {', '.join(Select)}")


class DeleteAfter(StrictModel):
    """How long tasks are kept, counted from each one's end; None keeps that class forever."""

    succeeded: Delay | None = None
    failed: Delay | None = None


class JobEvent(TracedModel):
    """A request to clean up one job, validated and in canonical form."""

    event_id: Guid = Field(alias="clientRequestId")
    job_id: JobId
    batch_url: Account
    select: Annotated[Select, BeforeValidator(_select)] = Select.COMPLETED
    delete_after: DeleteAfter | None = None
    """None: immediately. A single value is stored as the same value for both classes."""
    require_job_completed: bool = True
    dry_run: bool = False
    metadata: Metadata = Field(default_factory=dict)

    @field_validator("delete_after", mode="before")
    @classmethod
    def _for_both_classes(cls, value: object, info: ValidationInfo) -> object:
        if value is None or isinstance(value, dict | DeleteAfter):
            return value
        if not isinstance(value, str):
            raise ValueError("must be text, or an object of succeeded and failed")  # noqa: TRY004 -- pydantic expects ValueError
        if info.context:
            grammar.check_delay(value, info.context.now)
        return {"succeeded": value, "failed": value}

    @field_validator("delete_after")
    @classmethod
    def _deletes_something(cls, value: DeleteAfter | None, info: ValidationInfo) -> DeleteAfter | None:
        """Rejects an event that would delete nothing, because every class that `select` chooses is left out.

        Stored events are not checked again: they were accepted by the rules of their time.
        """
        # Without `select` in the data, `select` itself is invalid, and has been reported.
        if value is None or not info.context or "select" not in info.data:
            return value
        delays = {Select.SUCCEEDED: [value.succeeded], Select.FAILED: [value.failed]}
        if not any(delays.get(info.data["select"], [value.succeeded, value.failed])):
            raise ValueError("leaves nothing to delete: a class that it leaves out is kept")
        return value


@dataclass(frozen=True)
class SubscriptionValidation:
    """Event Grid's check that this endpoint accepts its events; the response repeats the code."""

    code: str


@dataclass(frozen=True)
class PartialEvent:
    """The valid fields of a refused event; None for the others."""

    event_id: str | None = None
    job_id: str | None = None
    batch_url: str | None = None
    dry_run: bool = False


def read_event(
    value: object, accounts: tuple[str, ...], now: datetime, at: str = ""
) -> JobEvent | TaskRecord | SubscriptionValidation:
    """The event in a JSON value, which may be a list of one. Raises InvalidInput with a problem for each fault."""
    refuse_faults(value, at)
    event, at = _only(value, at)
    if is_task_record(event):
        return read_task_record(event)
    if event.get("eventType") == _VALIDATION:
        return _validation(event, at)
    around = Surroundings(accounts, now)
    if not is_envelope(event):
        return parse_model(JobEvent, event, around, at)
    return _from_envelope(opened(event, at), around)


def to_wire(event: JobEvent) -> dict[str, object]:
    """The event as a bare JSON object without absent fields, which reads back to an equal event."""
    return event.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def partial_event(value: object, accounts: tuple[str, ...]) -> PartialEvent:
    """The valid fields of an event that was refused."""
    try:
        event, at = _only(value, "")
    except InvalidInput:
        return PartialEvent()
    if is_task_record(event):
        return PartialEvent(job_id=read_task_record(event).job_id)
    event_id, body = parse_or_none(event.get("clientRequestId"), grammar.guid), event
    if is_envelope(event):
        carried = opened(event, at)
        event_id, body = carried.event_id, _object(carried.data)
    return PartialEvent(
        event_id,
        parse_or_none(body.get("jobId"), grammar.job_id),
        parse_or_none(body.get("batchUrl"), lambda text: account_url.select(text, accounts)),
        body.get("dryRun") is True,
    )


def closing_id(event_id: str, name: str) -> str:
    """The id of a closing event, such as `listed` or `done`: the same however often it is published."""
    return str(uuid5(UUID(event_id), name))


def _only(value: object, at: str) -> tuple[dict[str, object], str]:
    """The event and its pointer. Event Grid delivers a list of one."""
    event, at = (value[0], f"{at}/0") if isinstance(value, list) and len(value) == 1 else (value, at)
    if not isinstance(event, dict):
        raise InvalidInput([Problem(at, "must be an object, or a list of one object")])
    return event, at


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _from_envelope(carried: Carried, around: Surroundings) -> JobEvent:
    if any(problem.pointer.startswith(carried.at) for problem in carried.problems) and carried.data is None:
        raise InvalidInput(carried.problems)
    data = carried.data
    if isinstance(data, dict):
        data = data | {"clientRequestId": carried.event_id or _ANY_ID}
    try:
        found = parse_model(JobEvent, data, around, carried.at)
    except InvalidInput as fault:
        raise InvalidInput([*carried.problems, *fault.problems]) from None
    if carried.problems:
        raise InvalidInput(carried.problems)
    return found.traced(carried.traceparent)


def _validation(event: dict[str, object], at: str) -> SubscriptionValidation:
    code = _object(event.get("data")).get("validationCode")
    if not isinstance(code, str):
        raise InvalidInput([Problem(f"{at}/data/validationCode", "must be text")])
    return SubscriptionValidation(code)

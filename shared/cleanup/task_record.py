"""A diagnostic record of Batch about one task, which must not be mistaken for the end of a job. Pure.

The outer fields are those of Azure Monitor:
https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs-schema#top-level-common-schema
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from shared.errors import InvalidInput
from shared.parsing import grammar
from shared.request.model import DeletionRequest, derived_id, parse_or_none

TASK_COMPLETE = "TaskCompleteEvent"


@dataclass(frozen=True)
class TaskRecord:
    """The contents of a record; invalid ids are None."""

    job_id: str | None
    task_id: str | None
    resource_id: str | None
    location: str | None = None
    """The account's region, as its name (`westeurope`) or display name (`West Europe`); not always present."""
    time: str | None = None
    traceparent: str | None = None

    @property
    def identity(self) -> str:
        """Identifies a record, so that a second delivery of it is recognised."""
        return f"{self.resource_id}|{self.time}"

    @property
    def account(self) -> str:
        """The Batch account's name, in lower case."""
        return (self.resource_id or "").rpartition("/")[2].lower()

    @property
    def region(self) -> str | None:
        """The region's name, in lower case and without spaces."""
        return "".join(self.location.split()).lower() if self.location else None


def is_task_record(event: dict[str, object]) -> bool:
    """Whether an object is a diagnostic record about one task."""
    return event.get("operationName") == TASK_COMPLETE


def read_task_record(event: dict[str, object]) -> TaskRecord:
    """Parses an object for which `is_task_record` holds."""
    properties = event.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    return TaskRecord(
        parse_or_none(properties.get("jobId"), grammar.job_id),
        parse_or_none(properties.get("id"), grammar.task_id),
        _text(event.get("resourceId")),
        _text(event.get("location")),
        _text(event.get("time")),
        parse_or_none(event.get("traceparent"), grammar.traceparent),
    )


def record_wire(record: TaskRecord) -> dict[str, object]:
    """The record as JSON, with only the fields that are used; parsing it gives an equal record."""
    fields = {
        "operationName": TASK_COMPLETE,
        "resourceId": record.resource_id,
        "location": record.location,
        "time": record.time,
        "traceparent": record.traceparent,
        "properties": {"jobId": record.job_id, "id": record.task_id},
    }
    return {name: value for name, value in fields.items() if value is not None}


def task_request(record: TaskRecord, accounts: tuple[str, ...]) -> DeletionRequest:
    """The deletion of the task that a record is about (never of its job), without the task's version so far.

    Raises InvalidInput unless the record identifies a task and exactly one account of the allow list.
    """
    account = _account_of(record, accounts)
    if record.job_id is None or record.task_id is None:
        name = "jobId" if record.job_id is None else "id"
        raise InvalidInput.at(f"/properties/{name}", "must be a valid id")
    parent = str(uuid5(NAMESPACE_URL, record.identity))
    return DeletionRequest(
        client_request_id=derived_id(parent, record.job_id, record.task_id),
        job_id=record.job_id,
        task_id=record.task_id,
        batch_url=account,
    ).traced(record.traceparent)


def _account_of(record: TaskRecord, accounts: tuple[str, ...]) -> str:
    """The record's account. Account names are unique only within a region, so two listed accounts may match."""
    named = [url for url in accounts if _labels(url)[0] == record.account]
    if not named:
        raise InvalidInput.at("/resourceId", "must end in the name of an account in BATCH_ACCOUNT_URLS")
    fitting = [url for url in named if record.region in {None, _labels(url)[1]}]
    if not fitting:
        raise InvalidInput.at("/location", "must be the region of the account with this name in BATCH_ACCOUNT_URLS")
    if len(fitting) > 1:
        raise InvalidInput.at("/location", "must identify one of the accounts with this name in BATCH_ACCOUNT_URLS")
    return fitting[0]


def _labels(url: str) -> tuple[str, str]:
    """Name and region in an account's URL: `https://<name>.<region>.batch.azure.com`."""
    name, _, rest = url.partition("://")[2].partition(".")
    return name, rest.partition(".")[0]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

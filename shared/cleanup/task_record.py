"""A diagnostic record of Batch about one task, which must not be taken for a job's end. Pure.

The outer fields are Azure Monitor's:
https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs-schema#top-level-common-schema
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from shared.errors import InvalidInput
from shared.parsing import grammar
from shared.request.model import DeletionRequest, derived_id, readable

TASK_COMPLETE = "TaskCompleteEvent"


@dataclass(frozen=True)
class TaskRecord:
    """What a record says; ids that are not valid are None."""

    job_id: str | None
    task_id: str | None
    resource_id: str | None
    location: str | None = None
    """The account's region, by its name (`westeurope`) or as people write it (`West Europe`); not always told."""
    time: str | None = None
    traceparent: str | None = None

    @property
    def identity(self) -> str:
        """What tells one record from another, as the delivery repeats it."""
        return f"{self.resource_id}|{self.time}"

    @property
    def account(self) -> str:
        """The Batch account's name, in lower case."""
        return (self.resource_id or "").rpartition("/")[2].lower()

    @property
    def region(self) -> str | None:
        """The region's name, in lower case and without blanks."""
        return "".join(self.location.split()).lower() if self.location else None


def is_task_record(event: dict[str, object]) -> bool:
    """Whether an object is such a record."""
    return event.get("operationName") == TASK_COMPLETE


def read_task_record(event: dict[str, object]) -> TaskRecord:
    """The record in an object that is one."""
    properties = event.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    return TaskRecord(
        readable(properties.get("jobId"), grammar.job_id),
        readable(properties.get("id"), grammar.task_id),
        _text(event.get("resourceId")),
        _text(event.get("location")),
        _text(event.get("time")),
        readable(event.get("traceparent"), grammar.traceparent),
    )


def record_wire(record: TaskRecord) -> dict[str, object]:
    """The record with those fields alone that are read here; it reads back to an equal one."""
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
    """The deletion of the one task that a record is about, never of its job, as yet without the task's version.

    Raises InvalidInput when the record names no task, or not exactly one account of the allow list.
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
    """Names of accounts are unique within a region only, so two of the list may have the record's name."""
    named = [url for url in accounts if _labels(url)[0] == record.account]
    if not named:
        raise InvalidInput.at("/resourceId", "must end in the name of an account that BATCH_ACCOUNT_URLS lists")
    fitting = [url for url in named if record.region in {None, _labels(url)[1]}]
    if not fitting:
        raise InvalidInput.at(
            "/location", "must be the region of the account that BATCH_ACCOUNT_URLS lists by this name"
        )
    if len(fitting) > 1:
        raise InvalidInput.at(
            "/location", "must tell which account of this name is meant: BATCH_ACCOUNT_URLS lists more"
        )
    return fitting[0]


def _labels(url: str) -> tuple[str, str]:
    """Name and region in an account's URL: `https://<name>.<region>.batch.azure.com`."""
    name, _, rest = url.partition("://")[2].partition(".")
    return name, rest.partition(".")[0]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

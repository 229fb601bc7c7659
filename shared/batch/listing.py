"""A job's state and pages of its tasks, which clean-ups read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.batch.answer import items_in, parsed_object, unreadable
from shared.batch.reply import ErrorBody, Kind, Reply

MOST_TASKS: Final = 1_000
"""The service's own maximum for one page."""
MOST_PAGE_BYTES: Final = 16 * 1_048_576
"""A thousand tasks with long failure texts stay far below this."""

LEADS_BACK: Final = ErrorBody("ContinuationLeadsBack", "The link to the next page has been followed before.")

COMPLETED: Final = "completed"
PAGE_QUERY: Final[Mapping[str, str | int]] = {
    "$filter": f"state eq '{COMPLETED}'",
    "$select": "id,state,eTag,executionInfo",
    "maxresults": MOST_TASKS,
}


def mark_of(text: str) -> str:
    """A short digest of a link, or of an id: what a row remembers it by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def page_query(ended_by: datetime | None = None) -> dict[str, str | int]:
    """The query for the first page; with an instant, only for tasks that had ended by then.

    The instant is rounded up to whole seconds: the filter only saves work, and the answer is checked again.
    """
    if ended_by is None:
        return dict(PAGE_QUERY)
    # https://learn.microsoft.com/rest/api/batchservice/odata-filters-in-batch
    moment = (ended_by + timedelta(microseconds=999_999)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**PAGE_QUERY, "$filter": f"{PAGE_QUERY['$filter']} and executionInfo/endTime le DateTime'{moment}'"}


@dataclass(frozen=True)
class CompletedTask:
    """One task of a page: the fields that a selection needs."""

    id: str
    exit_code: int | None
    """None when the task never ran its command."""
    result: str | None
    """`success` or `failure`, in lower case."""
    end_time: str | None
    """ISO 8601 as the service wrote it."""
    etag: str | None = None
    """The version of the completed task; reactivating the task changes it."""


@dataclass(frozen=True)
class TaskPage:
    """A page of completed tasks, empty unless `reply` is a 2xx."""

    reply: Reply
    tasks: tuple[CompletedTask, ...] = ()
    continuation: str | None = None
    """The service's link to the next page; None on the last one."""

    @classmethod
    def of(cls, reply: Reply) -> TaskPage:
        """The page in a reply; a 2xx without a readable page counts as unanswered."""
        reply, items, link = items_in(reply, "list of tasks")
        return cls(reply, tuple(task for task in map(_task, items) if task is not None), link)


@dataclass(frozen=True)
class TaskState:
    """What reading one task shows."""

    state: str
    """In lower case."""
    etag: str | None = None


def job_state_of(reply: Reply) -> tuple[Reply, str | None]:
    """The reply and the job's state in lower case; None unless `reply` is a 2xx."""
    if reply.kind is not Kind.SUCCESS:
        return reply, None
    state = (parsed_object(reply.body) or {}).get("state")
    if not isinstance(state, str):
        return unreadable("job"), None
    return reply, state.lower()


def task_state_of(reply: Reply) -> tuple[Reply, TaskState | None]:
    """The reply and the task's state; None unless `reply` is a 2xx."""
    if reply.kind is not Kind.SUCCESS:
        return reply, None
    fields = parsed_object(reply.body) or {}
    state, etag = fields.get("state"), fields.get("eTag")
    if not isinstance(state, str):
        return unreadable("task"), None
    return reply, TaskState(state.lower(), etag if isinstance(etag, str) else None)


def _task(item: object) -> CompletedTask | None:
    """None unless the task is completed: the service promises the filter, but the app does the deleting."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or item.get("state") != COMPLETED:
        return None
    info = item.get("executionInfo")
    info = info if isinstance(info, dict) else {}
    exit_code, result, end_time = info.get("exitCode"), info.get("result"), info.get("endTime")
    etag = item.get("eTag")
    return CompletedTask(
        item["id"],
        exit_code if isinstance(exit_code, int) and not isinstance(exit_code, bool) else None,
        result.lower() if isinstance(result, str) else None,
        end_time if isinstance(end_time, str) else None,
        etag if isinstance(etag, str) else None,
    )

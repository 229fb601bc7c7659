"""Which tasks of a page a clean-up asks to delete, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from shared.batch.listing import CompletedTask
from shared.cleanup.event import JobEvent, Select
from shared.clock import to_text
from shared.parsing import grammar
from shared.request.model import DeletionRequest, derived_id, readable

AT_ONCE = ""
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)


def requests_of(
    event: JobEvent, tasks: Iterable[CompletedTask], accepted_at: datetime, *, ended_before: datetime | None = None
) -> list[DeletionRequest]:
    """One request for each task that the event selects, its id derived, so that a repeat makes the same ones.

    With `ended_before`, tasks that ended later are left alone: they are not those that an earlier listing found.
    """
    found = (
        _request(event, task, accepted_at)
        for task in tasks
        if ended_before is None or _ended_at(task, accepted_at) < ended_before
    )
    return [request for request in found if request is not None]


def has_succeeded(task: CompletedTask) -> bool:
    """Batch's own `result`; where it tells none, exit code 0.

    A command may end with 0 and its outputs not be uploaded: `result` is failure then, and the node has the only copy.
    """
    return task.result == "success" if task.result is not None else task.exit_code == 0


def rounded_up(due: datetime, delay: timedelta) -> datetime:
    """A due time on the grid: whole minutes for a delay below a day, else quarters of an hour.

    So tasks that ended one after another fall due together, and their rows share a message.
    """
    step = MINUTE if delay < DAY else QUARTER
    past = (due - datetime(1970, 1, 1, tzinfo=UTC)) % step
    return due + step - past if past else due


def _request(event: JobEvent, task: CompletedTask, accepted_at: datetime) -> DeletionRequest | None:
    """None for a task that is left alone.

    The version goes along, however soon the deletion is due: it may be reactivated, or made anew under its id, while
    the message waits. So a task that was listed without a version is left alone.
    """
    delay = _delay(event, succeeded=has_succeeded(task))
    # As the list shows it: clients send it back without quotes.
    version = readable(task.etag, grammar.etag)
    task_id = readable(task.id, grammar.task_id)
    if delay is None or version is None or task_id is None:
        return None
    request = DeletionRequest(
        client_request_id=derived_id(event.event_id, event.job_id, task_id),
        job_id=event.job_id,
        task_id=task_id,
        batch_url=event.batch_url,
        dry_run=event.dry_run,
        if_match=version,
        metadata=event.metadata,
    ).traced(event.traceparent)
    if delay == AT_ONCE:
        return request
    return request.model_copy(update={"delete_after": _due_text(delay, _ended_at(task, accepted_at))})


def _delay(event: JobEvent, *, succeeded: bool) -> str | None:
    """How long a task of this class is kept: AT_ONCE, a delay or an instant, or None for good."""
    if event.select is not Select.COMPLETED and succeeded is not (event.select is Select.SUCCEEDED):
        return None
    if event.delete_after is None:
        return AT_ONCE
    return event.delete_after.succeeded if succeeded else event.delete_after.failed


def _due_text(delay: str, ended_at: datetime) -> str:
    """An instant, whether it has passed or not: a repeat makes the same request."""
    due = grammar.due_at(delay, ended_at)
    return to_text(rounded_up(due, due - ended_at))


def _ended_at(task: CompletedTask, accepted_at: datetime) -> datetime:
    """When a task's time begins to count; without a readable end time, when the event was accepted."""
    try:
        return grammar.instant(task.end_time or "")
    except ValueError:
        return accepted_at

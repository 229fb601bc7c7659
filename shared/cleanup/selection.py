"""Selects the tasks of a page to delete, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from shared.batch.listing import CompletedTask
from shared.cleanup.event import JobEvent, Select
from shared.clock import to_text
from shared.parsing import grammar
from shared.request.model import DeletionRequest, derived_id, parse_or_none

AT_ONCE = ""
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)


def requests_of(
    event: JobEvent, tasks: Iterable[CompletedTask], accepted_at: datetime, *, ended_before: datetime | None = None
) -> list[DeletionRequest]:
    """One request for each selected task. Ids are derived, so a repeat makes the same requests.

    With `ended_before`, tasks that ended later are kept: an earlier listing cannot have found them.
    """
    found = (
        _request(event, task, accepted_at)
        for task in tasks
        if ended_before is None or _ended_at(task, accepted_at) < ended_before
    )
    return [request for request in found if request is not None]


def has_succeeded(task: CompletedTask) -> bool:
    """Whether Batch's `result` is success, or, without a result, the exit code is 0.

    If a command exits with 0 but its outputs could not be uploaded, `result` is failure, and the node has the only copy.
    """
    return task.result == "success" if task.result is not None else task.exit_code == 0


def rounded_up(due: datetime, delay: timedelta) -> datetime:
    """A due time rounded up: to the minute for delays below a day, else to the quarter of an hour.

    Tasks that ended shortly after one another then fall due together, and share a message.
    """
    step = MINUTE if delay < DAY else QUARTER
    past = (due - datetime(1970, 1, 1, tzinfo=UTC)) % step
    return due + step - past if past else due


def _request(event: JobEvent, task: CompletedTask, accepted_at: datetime) -> DeletionRequest | None:
    """The request for one task, or None if the task is kept.

    The request includes the task's version, however soon it is due: while the message waits, the task may be
    reactivated, or another one created under its id. A task listed without a version is therefore kept.
    """
    delay = _delay(event, succeeded=has_succeeded(task))
    # As listed, that is without quotes, which is also how clients send it.
    version = parse_or_none(task.etag, grammar.etag)
    task_id = parse_or_none(task.id, grammar.task_id)
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
    """How long a task of this class is kept: AT_ONCE, a delay or an instant, or None for forever."""
    if event.select is not Select.COMPLETED and succeeded is not (event.select is Select.SUCCEEDED):
        return None
    if event.delete_after is None:
        return AT_ONCE
    return event.delete_after.succeeded if succeeded else event.delete_after.failed


def _due_text(delay: str, ended_at: datetime) -> str:
    """Always an instant, even if it has passed, so that a repeat makes the same request."""
    due = grammar.due_at(delay, ended_at)
    return to_text(rounded_up(due, due - ended_at))


def _ended_at(task: CompletedTask, accepted_at: datetime) -> datetime:
    """The start of a task's retention: its end, or, without a valid end time, the acceptance of the event."""
    try:
        return grammar.instant(task.end_time or "")
    except ValueError:
        return accepted_at

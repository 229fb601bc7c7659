"""Which tasks of a page a clean-up asks to delete, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from shared.batch.listing import CompletedTask
from shared.cleanup.event import JobEvent, Select
from shared.clock import to_text
from shared.parsing import grammar
from shared.request.model import DeletionRequest, derived_id, readable

AT_ONCE = ""


def requests_of(event: JobEvent, tasks: Iterable[CompletedTask], accepted_at: datetime) -> list[DeletionRequest]:
    """One request for each task that the event selects, its id derived, so that a repeat makes the same ones."""
    found = ((task, _delay(event, succeeded=has_succeeded(task))) for task in tasks)
    return [_request(event, task, delay, accepted_at) for task, delay in found if delay is not None]


def has_succeeded(task: CompletedTask) -> bool:
    """Exit code 0; where none is told, the service's own `result`."""
    return task.exit_code == 0 if task.exit_code is not None else task.result == "success"


def _delay(event: JobEvent, *, succeeded: bool) -> str | None:
    """How long a task of this class is kept: AT_ONCE, a delay or an instant, or None for good."""
    if event.select is not Select.COMPLETED and succeeded is not (event.select is Select.SUCCEEDED):
        return None
    if event.delete_after is None:
        return AT_ONCE
    return event.delete_after.succeeded if succeeded else event.delete_after.failed


def _request(event: JobEvent, task: CompletedTask, delay: str, accepted_at: datetime) -> DeletionRequest:
    request = DeletionRequest(
        client_request_id=derived_id(event.event_id, event.job_id, task.id),
        job_id=event.job_id,
        task_id=task.id,
        batch_url=event.batch_url,
        dry_run=event.dry_run,
        metadata=event.metadata,
    ).traced(event.traceparent)
    if delay == AT_ONCE:
        return request
    due = grammar.due_at(delay, _ended(task, accepted_at))
    # By then it may have been reactivated. Whenever there is a delay, passed or not: a repeat makes the same request.
    # As the list shows it: clients send it back without quotes.
    unchanged = readable(task.etag, grammar.etag)
    return request.model_copy(update={"delete_after": to_text(due), "if_match": unchanged})


def _ended(task: CompletedTask, accepted_at: datetime) -> datetime:
    """When a task's time begins to count; without a readable end time, when the event was accepted."""
    try:
        return grammar.instant(task.end_time or "")
    except ValueError:
        return accepted_at

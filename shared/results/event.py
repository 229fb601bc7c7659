"""What callers receive: the result message (CloudEvents 1.0) and the status document. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from shared.batch.reply import ErrorBody
from shared.batch.short_error import shortened
from shared.clock import to_text
from shared.ledger.record import Outcome, Record, State
from shared.results.result import Result

EVENT_TYPE = "batch.task-deletion.done"
MAX_BYTES = 48 * 1024
"""What fits a 64 KiB queue message in base64."""
ERROR_ROOM = 16 * 1024
"""The part of it for an error that has to be shortened."""

Event = dict[str, Any]


def cloud_event(result: Result) -> Event:
    """The result as a structured CloudEvent, with the distributed tracing extension if its trace is known.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and `extensions/distributed-tracing.md` there
    """
    event: Event = {
        "specversion": "1.0",
        "id": result.id,
        "source": result.source,
        "type": EVENT_TYPE,
        "time": to_text(result.end.completed_at),
        "datacontenttype": "application/json",
        "data": {
            "clientRequestId": result.about.client_request_id,
            "jobId": result.about.job_id,
            "taskId": result.about.task_id,
            "batchUrl": result.about.batch_url,
            "outcome": result.outcome.value,
            "certainty": result.end.certainty.value,
            "attempts": result.attempts,
            "statusCode": result.end.status,
            "batchRequestId": result.end.batch_request_id,
            "error": error_wire(result.end.error),
            "acceptedAt": to_text(result.accepted_at) if result.accepted_at else None,
            "completedAt": to_text(result.end.completed_at),
            "origin": result.origin.value,
            "parentId": result.parent_id,
            "replayed": result.replayed,
            "metadata": dict(result.about.metadata or {}),
            **dry_run_mark(dry_run=result.about.dry_run),
        },
    }
    if result.outcome is Outcome.REJECTED:
        event["data"]["messageId"] = result.message_id
    else:
        event["subject"] = f"jobs/{result.about.job_id}/tasks/{result.about.task_id}"
    if result.about.traceparent:
        event["traceparent"] = result.about.traceparent
    return event


def dry_run_mark(*, dry_run: bool) -> dict[str, bool]:
    """The field that marks everything about a dry run; a real run does not have it."""
    return {"dryRun": True} if dry_run else {}


def event_text(event: Event) -> str:
    """The message's text: ASCII, hence legal XML, with `error` and `metadata` shortened until it fits."""
    text = _dump(event)
    if len(text) <= MAX_BYTES:
        return text
    slim = dict(event, data=dict(event["data"]))
    if error := slim["data"].get("error"):
        values = tuple((value["key"], value["value"]) for value in error["values"])
        known = ErrorBody(error["code"], error["message"]["value"], values)
        slim["data"]["error"] = error_wire(shortened(known, ERROR_ROOM))
    text = _dump(slim)
    if len(text) > MAX_BYTES and "metadata" in slim["data"]:
        slim["data"]["metadata"] = {}
        text = _dump(slim)
    return text


def _dump(event: Event) -> str:
    return json.dumps(event, separators=(",", ":"))


def error_wire(error: ErrorBody | None) -> dict[str, Any] | None:
    """An error in the shape of the REST operation's BatchError, or None."""
    return None if error is None else error_body(error)


def error_body(error: ErrorBody) -> dict[str, Any]:
    """An error in the shape of the REST operation's BatchError."""
    return {
        "code": error.code,
        "message": {"lang": "en-US", "value": error.message},
        "values": [{"key": key, "value": value} for key, value in error.values],
    }


def status_document(record: Record, now: datetime) -> dict[str, Any]:
    """The answer to `GET /api/task-deletions/{id}`."""
    document: dict[str, Any] = {
        "clientRequestId": record.request.client_request_id,
        "jobId": record.request.job_id,
        "taskId": record.request.task_id,
        "batchUrl": record.request.batch_url,
        "state": _state_name(record, now),
        "attempts": record.attempts,
        "acceptedAt": to_text(record.accepted_at),
        **dry_run_mark(dry_run=record.request.dry_run),
    }
    next_at = record.next_attempt_at or (record.due_at if record.state is State.ACCEPTED else None)
    if record.state is not State.DONE and next_at is not None:
        document["nextAttemptAt"] = to_text(next_at)
    if record.last_error is not None:
        document["lastError"] = error_wire(record.last_error)
    if record.state is State.DONE:
        document["result"] = cloud_event(Result.of(record))
    return document


def _state_name(record: Record, now: datetime) -> str:
    """The state shown to people: `scheduled` is accepted but not yet due, `retrying` is a released claim."""
    if record.state is State.ACCEPTED:
        return "scheduled" if record.due_at is not None and now < record.due_at else "accepted"
    if record.state is State.CLAIMED:
        return "retrying" if record.next_attempt_at is not None else "running"
    return "done"

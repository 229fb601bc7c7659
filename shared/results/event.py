"""What callers are told: the result message (CloudEvents 1.0) and the status document. Pure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.batch.reply import BatchError
from shared.batch.short_error import shortened
from shared.clock import to_text
from shared.ledger.record import Certainty, Origin, Outcome, Record, State

NAMESPACE = uuid.UUID("6f1d8a52-3c0e-5b7a-9d46-2e8c41b7f903")
"""Of all ids that the app derives for results and dead letters. Changing it breaks every consumer's deduplication."""

EVENT_TYPE = "batch.task-deletion.done"
MAX_BYTES = 48 * 1024
"""What fits a 64 KiB queue message in base64."""
ERROR_ROOM = 16 * 1024
"""Of it, for an error that has to be shortened."""

Event = dict[str, Any]


def result_id(kind: str, *parts: object) -> str:
    """A result's id: the same for every emission of one outcome, another for another outcome or generation."""
    return str(uuid.uuid5(NAMESPACE, "|".join([kind, *map(str, parts)])))


@dataclass(frozen=True)
class Ending:
    """All that a result message says, whether a row stands behind it (deleted ...) or not (rejected, conflict)."""

    id: str
    outcome: Outcome
    certainty: Certainty
    source: str
    completed_at: datetime
    origin: Origin
    client_request_id: str | None = None
    job_id: str | None = None
    task_id: str | None = None
    batch_url: str | None = None
    parent_id: str | None = None
    attempts: int = 0
    status: int | None = None
    batch_request_id: str | None = None
    error: BatchError | None = None
    accepted_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    traceparent: str | None = None
    dry_run: bool = False

    @property
    def latency_seconds(self) -> float | None:
        """From acceptance to the end; None for what was never accepted."""
        return (self.completed_at - self.accepted_at).total_seconds() if self.accepted_at else None


def ending_of(record: Record) -> Ending:
    """The ending of a row that is done."""
    end, request = record.conclusion, record.request
    if end is None:
        raise ValueError(f"row {record.key.row} is not done")
    return Ending(
        id=result_id(end.outcome.value, record.key.row, record.payload_hash, record.generation),
        outcome=end.outcome,
        certainty=end.certainty,
        source=request.batch_url,
        completed_at=end.completed_at,
        origin=record.origin,
        client_request_id=request.client_request_id,
        job_id=request.job_id,
        task_id=request.task_id,
        batch_url=request.batch_url,
        parent_id=record.parent_id,
        attempts=record.attempts,
        status=end.status,
        batch_request_id=end.batch_request_id,
        error=end.error,
        accepted_at=record.accepted_at,
        metadata=request.metadata,
        traceparent=request.traceparent,
        dry_run=request.dry_run,
    )


def cloud_event(ending: Ending, *, replayed: bool = False) -> Event:
    """The result as a structured CloudEvent, with the distributed tracing extension where a trace is known.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and `extensions/distributed-tracing.md` there
    """
    event: Event = {
        "specversion": "1.0",
        "id": ending.id,
        "source": ending.source,
        "type": EVENT_TYPE,
        "time": to_text(ending.completed_at),
        "datacontenttype": "application/json",
        "data": {
            "clientRequestId": ending.client_request_id,
            "jobId": ending.job_id,
            "taskId": ending.task_id,
            "batchUrl": ending.batch_url,
            "outcome": ending.outcome.value,
            "certainty": ending.certainty.value,
            "attempts": ending.attempts,
            "statusCode": ending.status,
            "batchRequestId": ending.batch_request_id,
            "error": error_wire(ending.error),
            "acceptedAt": to_text(ending.accepted_at) if ending.accepted_at else None,
            "completedAt": to_text(ending.completed_at),
            "origin": ending.origin.value,
            "parentId": ending.parent_id,
            "replayed": replayed,
            "metadata": dict(ending.metadata),
            **dry_run_mark(dry_run=ending.dry_run),
        },
    }
    if ending.outcome is not Outcome.REJECTED:
        event["subject"] = f"jobs/{ending.job_id}/tasks/{ending.task_id}"
    if ending.traceparent:
        event["traceparent"] = ending.traceparent
    return event


def dry_run_mark(*, dry_run: bool) -> dict[str, bool]:
    """The field by which whatever is told of a dry run is told from the real thing; the real thing has none."""
    return {"dryRun": True} if dry_run else {}


def event_text(event: Event) -> str:
    """The message's text, ASCII (so legal XML) and shortened in `error` and `metadata` until it fits."""
    text = _dump(event)
    if len(text) <= MAX_BYTES:
        return text
    slim = dict(event, data=dict(event["data"]))
    if error := slim["data"].get("error"):
        values = tuple((value["key"], value["value"]) for value in error["values"])
        known = BatchError(error["code"], error["message"]["value"], values)
        slim["data"]["error"] = error_wire(shortened(known, ERROR_ROOM))
    text = _dump(slim)
    if len(text) > MAX_BYTES and "metadata" in slim["data"]:
        slim["data"]["metadata"] = {}
        text = _dump(slim)
    return text


def _dump(event: Event) -> str:
    return json.dumps(event, separators=(",", ":"))


def error_wire(error: BatchError | None) -> dict[str, Any] | None:
    """An error in the shape of the REST operation's BatchError."""
    if error is None:
        return None
    return {
        "code": error.code,
        "message": {"lang": "en-US", "value": error.message},
        "values": [{"key": key, "value": value} for key, value in error.values],
    }


def status_document(record: Record, now: datetime) -> dict[str, Any]:
    """What `GET /api/task-deletions/{id}` answers."""
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
        document["result"] = cloud_event(ending_of(record))
    return document


def _state_name(record: Record, now: datetime) -> str:
    """The word for people: `scheduled` is accepted and not yet due, `retrying` a claim that was given back."""
    if record.state is State.ACCEPTED:
        return "scheduled" if record.due_at is not None and now < record.due_at else "accepted"
    if record.state is State.CLAIMED:
        return "retrying" if record.next_attempt_at is not None else "running"
    return "done"

"""One dead letter, and its columns in the table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.batch.reply import ErrorBody
from shared.clock import from_text, moment_in, moment_text, to_text
from shared.ledger.entity import error_from, error_text
from shared.storage.table import StoredRow

MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True)
class DeadLetter:
    """One request or event that was not carried out."""

    id: str
    """The result id, so that a repeat of the same outcome is the same dead letter; or a task's id, see `result_id`."""
    reason: str
    outcome: str
    queue: str
    first_seen_at: datetime
    last_seen_at: datetime
    client_request_id: str | None = None
    job_id: str | None = None
    task_id: str | None = None
    batch_url: str | None = None
    """The account that was meant: the body may name none. None in letters of before it was kept."""
    dry_run: bool = False
    attempts: int = 0
    generation: int = 0
    redriven_at: datetime | None = None
    redriven_by: str | None = None
    """The caller's name from the platform's sign-in; personal data."""
    settled_at: datetime | None = None
    settled_by: str | None = None
    error: ErrorBody | None = None
    batch_request_id: str | None = None
    status: int | None = None
    body: bytes = b""
    result_id: str | None = None
    """For a letter shared by many requests for one task: the result that it describes."""
    ended_at: datetime | None = None
    """For such a letter: when that result's request ended."""
    policy: str | None = None
    """For such a letter: digest of the retention policy behind that request."""


def entity_of(letter: DeadLetter, partition: str, row: str, *, with_body: bool) -> dict[str, Any]:
    """One of the two rows of a letter."""
    return {
        "PartitionKey": partition,
        "RowKey": row,
        **columns_of(letter),
        "body": letter.body[:MAX_BODY_BYTES] if with_body else b"",
    }


def columns_of(letter: DeadLetter) -> dict[str, Any]:
    """The columns that both rows have."""
    return {
        "id": letter.id,
        "result_id": letter.result_id or "",
        "ended_at": moment_text(letter.ended_at),
        "policy": letter.policy or "",
        "reason": letter.reason,
        "outcome": letter.outcome,
        "queue": letter.queue,
        "client_request_id": letter.client_request_id or "",
        "job_id": letter.job_id or "",
        "job_key": (letter.job_id or "").lower(),
        "task_id": letter.task_id or "",
        "batch_url": letter.batch_url or "",
        "dry_run": letter.dry_run,
        "attempts": letter.attempts,
        "generation": letter.generation,
        "first_seen_at": to_text(letter.first_seen_at),
        "last_seen_at": to_text(letter.last_seen_at),
        "redriven_at": moment_text(letter.redriven_at),
        "redriven_by": letter.redriven_by or "",
        "settled_at": moment_text(letter.settled_at),
        "settled_by": letter.settled_by or "",
        "error": error_text(letter.error),
        "batch_request_id": letter.batch_request_id or "",
        "status_code": letter.status or 0,
    }


def letter_of(found: StoredRow) -> DeadLetter:
    """The letter in a row of either kind; columns of later versions may be missing."""
    entity: Mapping[str, Any] = found.entity
    return DeadLetter(
        id=entity["id"],
        reason=entity["reason"],
        outcome=entity["outcome"],
        queue=entity["queue"],
        first_seen_at=from_text(entity["first_seen_at"]),
        last_seen_at=from_text(entity["last_seen_at"]),
        client_request_id=entity["client_request_id"] or None,
        job_id=entity["job_id"] or None,
        task_id=entity["task_id"] or None,
        batch_url=entity.get("batch_url") or None,
        dry_run=entity["dry_run"],
        attempts=entity["attempts"],
        generation=entity["generation"],
        redriven_at=moment_in(entity["redriven_at"]),
        redriven_by=entity.get("redriven_by") or None,
        settled_at=moment_in(entity.get("settled_at")),
        settled_by=entity.get("settled_by") or None,
        error=error_from(entity["error"]),
        batch_request_id=entity["batch_request_id"] or None,
        status=entity["status_code"] or None,
        body=bytes(entity["body"]),
        result_id=entity.get("result_id") or None,
        ended_at=moment_in(entity.get("ended_at")),
        policy=entity.get("policy") or None,
    )

"""Dead letters: what could not be done, kept with its reason until it is past its retention.

Each has two rows in one partition, written in one transaction: `id:<result id>` holds everything and is found by id;
`at:<inverted time>:<result id>` holds the summary, sorted with the newest first. The id determines the partition, so a
stopped app can end a large backlog faster than one partition allows. Older letters remain in `OLD_PARTITION`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.batch.reply import BatchError
from shared.clock import from_text, to_text
from shared.errors import StorageUnavailable
from shared.ledger.entity import error_from, error_text
from shared.results.letter_rows import OLD_PARTITION, PARTITIONS, id_row, partition_of, time_row
from shared.storage.table import Found, Refused, Table, Write

MAX_BODY_BYTES = 64 * 1024
MAX_TRIES = 20
"""Tries of a contended write."""
DELETED_AT_ONCE = 100


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
    """The request's account, which the body may not name. None in letters of earlier versions."""
    dry_run: bool = False
    attempts: int = 0
    generation: int = 0
    redriven_at: datetime | None = None
    redriven_by: str | None = None
    """The caller's name from the platform's sign-in; personal data."""
    settled_at: datetime | None = None
    settled_by: str | None = None
    error: BatchError | None = None
    batch_request_id: str | None = None
    status: int | None = None
    body: bytes = b""
    result_id: str | None = None
    """For a letter shared by many requests for one task: the result that it describes."""
    ended_at: datetime | None = None
    """For such a letter: when that result's request ended."""
    policy: str | None = None
    """For such a letter: digest of the retention policy behind that request."""


class DeadLetterStore:
    """Dead letters by id and newest first. Every method may raise StorageUnavailable."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._has_old: bool | None = None

    def keep(self, letter: DeadLetter) -> None:
        """Keeps a dead letter; keeping the same one again moves its `last_seen_at`, see `_seen_again`."""
        for number in range(MAX_TRIES):
            # Most are new, so the insert comes before any read.
            found = self._found(letter.id) if number or self._old_ones_are_left() else None
            if found is None:
                partition = partition_of(letter.id)
                writes = [
                    Write(_entity(letter, partition, id_row(letter.id), with_body=True)),
                    Write(_entity(letter, partition, time_row(letter), with_body=False)),
                ]
            else:
                kept = letter_of(found)
                writes = self._changes(found, kept, _seen_again(kept, letter))
            if not isinstance(self.table.write_group(writes), Refused):
                return
        raise StorageUnavailable(f"dead letter {letter.id} changed under {MAX_TRIES} reads")

    def read(self, letter_id: str) -> DeadLetter | None:
        """The dead letter with its body, or None."""
        found = self._found(letter_id)
        return letter_of(found) if found else None

    def mark_redriven(self, letter_id: str, moment: datetime, by: str | None = None) -> bool:
        """Marks it as redriven; False when it was marked before (or is gone)."""
        return self._mark(letter_id, "redriven", moment, by) is True

    def settle(self, letter_id: str, moment: datetime, by: str | None = None) -> bool:
        """Marks it as settled, unless it is already; False when there is no such letter."""
        return self._mark(letter_id, "settled", moment, by) is not None

    def forget(self, partition: str, before: datetime) -> int:
        """Deletes a page of a partition's letters last seen before an instant; returns the number of rows deleted."""
        over = f"PartitionKey eq '{partition}' and last_seen_at lt '{to_text(before)}'"
        rows = self.table.query(over, ["PartitionKey", "RowKey"], 1_000).rows
        gone = 0
        for start in range(0, len(rows), DELETED_AT_ONCE):
            group = rows[start : start + DELETED_AT_ONCE]
            # A letter that has just been seen again saves its whole group; the next round deletes the others.
            gone += len(group) if self.table.delete_group(group) else 0
        return gone

    def partitions(self) -> tuple[str, ...]:
        """The partitions that may hold letters."""
        return (*PARTITIONS, OLD_PARTITION) if self._old_ones_are_left() else PARTITIONS

    def _mark(self, letter_id: str, what: str, moment: datetime, by: str | None) -> bool | None:
        """True when marked by this call, False when marked before, None when there is no such letter."""
        mark = to_text(moment)
        for number in range(MAX_TRIES):
            found = self._found(letter_id)
            if found is None:
                return None
            if found.entity.get(f"{what}_at"):
                # After a refusal the mark may be this call's own: the client library had repeated the write.
                return number > 0 and found.entity[f"{what}_at"] == mark
            writes = self._changes(found, letter_of(found), {f"{what}_at": mark, f"{what}_by": by or ""})
            if not isinstance(self.table.write_group(writes), Refused):
                return True
        raise StorageUnavailable(f"dead letter {letter_id} changed under {MAX_TRIES} reads")

    def _found(self, letter_id: str) -> Found | None:
        found = self.table.read(partition_of(letter_id), id_row(letter_id))
        if found is None and self._old_ones_are_left():
            return self.table.read(OLD_PARTITION, id_row(letter_id))
        return found

    def _old_ones_are_left(self) -> bool:
        """Whether the old partition holds any. Asked once, because nothing is added there any more."""
        if self._has_old is None:
            self._has_old = bool(self.table.query(f"PartitionKey eq '{OLD_PARTITION}'", ["RowKey"], 1).rows)
        return self._has_old

    def _changes(self, found: Found, kept: DeadLetter, columns: dict[str, Any]) -> list[Write]:
        partition = str(found.entity["PartitionKey"])
        row = self.table.read(partition, time_row(kept))
        writes = [Write({"PartitionKey": partition, "RowKey": id_row(kept.id), **columns}, found.etag)]
        if row is not None:
            summary = columns | {"body": b""} if "body" in columns else columns
            writes.append(Write({"PartitionKey": partition, "RowKey": time_row(kept), **summary}, row.etag))
        return writes


def _seen_again(kept: DeadLetter, letter: DeadLetter) -> dict[str, Any]:
    """The columns that change when the same dead letter is kept again.

    A shared letter takes over the newest result, and stays settled until the reason changes. Any other id can fail again
    after its row was purged and the request resubmitted. That newer failure undoes the redrive or the settling.
    """
    columns: dict[str, Any] = {"last_seen_at": to_text(letter.last_seen_at)}
    if letter.result_id and letter.result_id != kept.result_id:
        if letter.ended_at and kept.ended_at and letter.ended_at < kept.ended_at:
            return columns  # A late copy of a request before the newest.
        first, body = to_text(kept.first_seen_at), letter.body[:MAX_BODY_BYTES]
        columns |= _columns(letter) | {"first_seen_at": first, "body": body}
        if kept.settled_at and letter.reason == kept.reason:
            del columns["settled_at"], columns["settled_by"]
        return columns
    ended_at = from_text(to_text(letter.first_seen_at))
    for what, marked_at in (("redriven", kept.redriven_at), ("settled", kept.settled_at)):
        if marked_at and ended_at > marked_at:
            columns |= {f"{what}_at": "", f"{what}_by": ""}
    return columns


def _entity(letter: DeadLetter, partition: str, row: str, *, with_body: bool) -> dict[str, Any]:
    return {
        "PartitionKey": partition,
        "RowKey": row,
        **_columns(letter),
        "body": letter.body[:MAX_BODY_BYTES] if with_body else b"",
    }


def _columns(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "result_id": letter.result_id or "",
        "ended_at": _text(letter.ended_at),
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
        "redriven_at": _text(letter.redriven_at),
        "redriven_by": letter.redriven_by or "",
        "settled_at": _text(letter.settled_at),
        "settled_by": letter.settled_by or "",
        "error": error_text(letter.error),
        "batch_request_id": letter.batch_request_id or "",
        "status_code": letter.status or 0,
    }


def letter_of(found: Found) -> DeadLetter:
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
        redriven_at=_moment(entity["redriven_at"]),
        redriven_by=entity.get("redriven_by") or None,
        settled_at=_moment(entity.get("settled_at")),
        settled_by=entity.get("settled_by") or None,
        error=error_from(entity["error"]),
        batch_request_id=entity["batch_request_id"] or None,
        status=entity["status_code"] or None,
        body=bytes(entity["body"]),
        result_id=entity.get("result_id") or None,
        ended_at=_moment(entity.get("ended_at")),
        policy=entity.get("policy") or None,
    )


def _text(moment: datetime | None) -> str:
    return to_text(moment) if moment else ""


def _moment(text: str | None) -> datetime | None:
    return from_text(text) if text else None

"""What could not be done, kept with its reason until somebody redrives it.

Two rows per dead letter in one partition, written in one transaction: `id:<result id>` holds everything and is found
by id; `at:<inverted time>:<result id>` holds the summary, in an order that lists the newest first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.batch.reply import BatchError
from shared.clock import from_text, to_text
from shared.errors import StorageUnavailable
from shared.ledger.entity import error_from, error_text
from shared.storage.table import Found, Refused, Table, Write

PARTITION = "dead-letters"
_END_OF_TIME = 253_402_300_799_999
"""Milliseconds to the year 9999: what is left of them sorts the newest first."""
_PLACE = re.compile(r"[0-9]{15}:[0-9a-f-]{36}")
MAX_BODY_BYTES = 64 * 1024
MAX_TRIES = 20
"""Of a write that others keep getting in the way of."""


@dataclass(frozen=True)
class DeadLetter:
    """One request or event that ended without being carried out."""

    id: str
    """The result id, so that a repeat of the same end is the same dead letter."""
    reason: str
    outcome: str
    queue: str
    first_seen_at: datetime
    last_seen_at: datetime
    client_request_id: str | None = None
    job_id: str | None = None
    task_id: str | None = None
    dry_run: bool = False
    attempts: int = 0
    generation: int = 0
    redriven_at: datetime | None = None
    error: BatchError | None = None
    batch_request_id: str | None = None
    status: int | None = None
    body: bytes = b""


class DeadLetterStore:
    """Dead letters by id and newest first. Every method may raise StorageUnavailable."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def keep(self, letter: DeadLetter) -> None:
        """Keeps a dead letter; a repeat of one that is kept moves its `last_seen_at` alone.

        The same id ends anew when its row was purged and the request came again. Such an end is later than the
        redrive, which then counts no more: the letter can be put back again.
        """
        for _ in range(MAX_TRIES):
            found = self.table.read(PARTITION, _id_row(letter.id))
            if found is None:
                writes = [
                    Write(_entity(letter, _id_row(letter.id), with_body=True)),
                    Write(_entity(letter, _time_row(letter), with_body=False)),
                ]
            else:
                kept = _letter(found)
                columns = {"last_seen_at": to_text(letter.last_seen_at)}
                if kept.redriven_at and from_text(to_text(letter.first_seen_at)) > kept.redriven_at:
                    columns["redriven_at"] = ""
                writes = self._changes(found, kept, columns)
            if not isinstance(self.table.write_group(writes), Refused):
                return
        raise StorageUnavailable(f"dead letter {letter.id} changed under {MAX_TRIES} reads")

    def read(self, letter_id: str) -> DeadLetter | None:
        """The dead letter with its body, or None."""
        found = self.table.read(PARTITION, _id_row(letter_id))
        return _letter(found) if found else None

    def mark_redriven(self, letter_id: str, moment: datetime) -> bool:
        """Marks it as put back; False when it was marked before (or is gone)."""
        mark = to_text(moment)
        for number in range(MAX_TRIES):
            found = self.table.read(PARTITION, _id_row(letter_id))
            if found is None or found.entity["redriven_at"]:
                # After a refusal the mark may be this call's own: the client library had repeated the write.
                return found is not None and number > 0 and found.entity["redriven_at"] == mark
            writes = self._changes(found, _letter(found), {"redriven_at": mark})
            if not isinstance(self.table.write_group(writes), Refused):
                return True
        raise StorageUnavailable(f"dead letter {letter_id} changed under {MAX_TRIES} reads")

    def newest(self, top: int, after: str = "") -> tuple[list[DeadLetter], str | None]:
        """A page, newest first by `first_seen_at`, without bodies, and the place after it (None at the end).

        Raises ValueError when `after` is no such place.
        """
        if after and not _PLACE.fullmatch(after):
            raise ValueError("must be the text that an earlier answer gave")
        filter_text = f"PartitionKey eq '{PARTITION}' and RowKey gt 'at:{after}' and RowKey lt 'at;'"
        page = self.table.query(filter_text, None, top)
        rows = page.rows
        # The service may end a page early, an empty one too, wherever its rows lie:
        # https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination
        while page.continuation and len(rows) < top:
            page = self.table.query(filter_text, None, top - len(rows), page.continuation)
            rows += page.rows
        letters = [_letter(found) for found in rows]
        return letters, _place(letters[-1]) if letters and page.continuation else None

    def _changes(self, found: Found, kept: DeadLetter, columns: dict[str, Any]) -> list[Write]:
        row = self.table.read(PARTITION, _time_row(kept))
        writes = [Write({"PartitionKey": PARTITION, "RowKey": _id_row(kept.id), **columns}, found.etag)]
        if row is not None:
            writes.append(Write({"PartitionKey": PARTITION, "RowKey": _time_row(kept), **columns}, row.etag))
        return writes


def _id_row(letter_id: str) -> str:
    return f"id:{letter_id}"


def _time_row(letter: DeadLetter) -> str:
    return f"at:{_place(letter)}"


def _place(letter: DeadLetter) -> str:
    # From the stored text: milliseconds of a float would not always be the same ones again.
    since = round(from_text(to_text(letter.first_seen_at)).timestamp() * 1000)
    return f"{_END_OF_TIME - since:015d}:{letter.id}"


def _entity(letter: DeadLetter, row: str, *, with_body: bool) -> dict[str, Any]:
    return {
        "PartitionKey": PARTITION,
        "RowKey": row,
        "id": letter.id,
        "reason": letter.reason,
        "outcome": letter.outcome,
        "queue": letter.queue,
        "client_request_id": letter.client_request_id or "",
        "job_id": letter.job_id or "",
        "task_id": letter.task_id or "",
        "dry_run": letter.dry_run,
        "attempts": letter.attempts,
        "generation": letter.generation,
        "first_seen_at": to_text(letter.first_seen_at),
        "last_seen_at": to_text(letter.last_seen_at),
        "redriven_at": to_text(letter.redriven_at) if letter.redriven_at else "",
        "error": error_text(letter.error),
        "batch_request_id": letter.batch_request_id or "",
        "status_code": letter.status or 0,
        "body": letter.body[:MAX_BODY_BYTES] if with_body else b"",
    }


def _letter(found: Found) -> DeadLetter:
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
        dry_run=entity["dry_run"],
        attempts=entity["attempts"],
        generation=entity["generation"],
        redriven_at=from_text(entity["redriven_at"]) if entity["redriven_at"] else None,
        error=error_from(entity["error"]),
        batch_request_id=entity["batch_request_id"] or None,
        status=entity["status_code"] or None,
        body=bytes(entity["body"]),
    )

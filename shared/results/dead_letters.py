"""Dead letters: what could not be done, kept with its reason until it is past its retention.

Each has two rows in one partition, written in one transaction: `id:<result id>` holds everything and is found by id;
`at:<inverted time>:<result id>` holds the summary, sorted with the newest first. The id determines the partition, so a
stopped app can end a large backlog faster than one partition allows. Older letters remain in `OLD_PARTITION`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.clock import from_text, to_text
from shared.errors import StorageUnavailable
from shared.results.dead_letter import MAX_BODY_BYTES, DeadLetter, columns_of, entity_of, letter_of
from shared.results.letter_rows import OLD_PARTITION, PARTITIONS, id_row, partition_of, time_row
from shared.storage.query import Query
from shared.storage.table import Refused, RowWrite, StoredRow, Table

MAX_TRIES = 20
"""Tries of a contended write."""
DELETED_AT_ONCE = 100


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
                    RowWrite(entity_of(letter, partition, id_row(letter.id), with_body=True)),
                    RowWrite(entity_of(letter, partition, time_row(letter), with_body=False)),
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
        over = Query(partition).where("last_seen_at", "lt", to_text(before))
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

    def _found(self, letter_id: str) -> StoredRow | None:
        found = self.table.read(partition_of(letter_id), id_row(letter_id))
        if found is None and self._old_ones_are_left():
            return self.table.read(OLD_PARTITION, id_row(letter_id))
        return found

    def _old_ones_are_left(self) -> bool:
        """Whether the old partition holds any. Asked once, because nothing is added there any more."""
        if self._has_old is None:
            self._has_old = bool(self.table.query(Query(OLD_PARTITION), ["RowKey"], 1).rows)
        return self._has_old

    def _changes(self, found: StoredRow, kept: DeadLetter, columns: dict[str, Any]) -> list[RowWrite]:
        partition = str(found.entity["PartitionKey"])
        row = self.table.read(partition, time_row(kept))
        writes = [RowWrite({"PartitionKey": partition, "RowKey": id_row(kept.id), **columns}, found.etag)]
        if row is not None:
            summary = columns | {"body": b""} if "body" in columns else columns
            writes.append(RowWrite({"PartitionKey": partition, "RowKey": time_row(kept), **summary}, row.etag))
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
        columns |= columns_of(letter) | {
            "first_seen_at": to_text(kept.first_seen_at),
            "body": letter.body[:MAX_BODY_BYTES],
        }
        if kept.settled_at and letter.reason == kept.reason:
            del columns["settled_at"], columns["settled_by"]
        return columns
    ended_at = from_text(to_text(letter.first_seen_at))
    for what, marked_at in (("redriven", kept.redriven_at), ("settled", kept.settled_at)):
        if marked_at and ended_at > marked_at:
            columns |= {f"{what}_at": "", f"{what}_by": ""}
    return columns

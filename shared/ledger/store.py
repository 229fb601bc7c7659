"""Reads and writes the rows of the request table: conditional writes only, and one loop that carries out decisions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from shared.batch.reply import ErrorBody
from shared.errors import CorruptRecord, StorageUnavailable
from shared.ledger import state
from shared.ledger.count_rows import CountRows
from shared.ledger.decisions import Leave, Write
from shared.ledger.entity import changed, from_entity, to_entity
from shared.ledger.pauses import Pauses
from shared.ledger.record import Certainty, Conclusion, Key, Outcome, Record
from shared.ledger.tally import RowChange, deltas
from shared.storage.ranges import read_rows
from shared.storage.table import MAX_OPERATIONS, Refused, RowWrite, StoredRow, Table

log = logging.getLogger(__name__)

SETTLE_SECONDS = 10.0
"""How long a write is retried while other writers interfere, unless the caller sets a time limit."""
CORRUPT = ErrorBody("CorruptRecord", "The app's own row of this request, or of its clean-up, cannot be read.")

T = TypeVar("T")

Decide = Callable[[Record | None], Write | Leave]


class RecordStore:
    """Reads and conditionally writes records. Every method may raise StorageUnavailable."""

    def __init__(self, table: Table, pauses: Pauses) -> None:
        self.table = table
        self._pauses = pauses
        self._counts = CountRows(table, pauses.random)

    def read(self, key: Key) -> Record | None:
        """The record, or None when the id is unknown. Raises CorruptRecord."""
        found = self.table.read(key.bucket, key.row)
        return from_entity(found.entity, found.etag) if found else None

    def read_all(self, keys: Sequence[Key]) -> dict[Key, Record]:
        """The records for keys of one bucket; unknown and unreadable ones are left out."""
        rows = read_rows(self.table, keys[0].bucket, [key.row for key in keys]) if keys else {}
        records: dict[Key, Record] = {}
        for key in keys:
            if found := rows.get(key.row):
                with suppress(CorruptRecord):
                    records[key] = from_entity(found.entity, found.etag)
        return records

    def look(self, asked: Record) -> Record | None:
        """A request's row. An unreadable one is ended first, so that it does not hold up the rows beside it."""
        try:
            return self.read(asked.key)
        except CorruptRecord as fault:
            log.exception("corrupt_record row=%s", asked.key.row)
            return self._end(asked, fault)

    def settle(
        self, key: Key, decide: Decide, until: float | None = None, *, asked: Record | None = None, is_new: bool = False
    ) -> Write | Leave:
        """Decides about a row and writes the decision, repeatedly until no other writer interferes.

        Returns the decision with the row as it is now. `until` is a monotonic time. With `asked`, an unreadable row is
        ended as in `look`. `is_new` assumes that there is no row, and skips the first read.

        Raises:
            StorageUnavailable: the row changed under every read.
        """
        before: Record | None = None
        if is_new and isinstance(decision := decide(None), Write):
            written = self.write(None, decision.row, until)
            if written is not None:
                return replace(decision, row=written)
        for _ in self._pauses.tries(self._deadline(until)):
            found = self.look(asked) if asked else self.read(key)
            decision = decide(found)
            if isinstance(decision, Leave):
                return replace(decision, row=found, before=before)
            before = found
            written = self.write(found, decision.row, until)
            if written is not None:
                return replace(decision, row=written, before=found)
        raise StorageUnavailable(f"row {key.row} changed under every read")

    def write(self, before: Record | None, after: Record, until: float | None = None) -> Record | None:
        """Inserts the row (`before` is None) or merges what changed; None when the condition did not hold."""
        written = self.write_group([(before, after)], until)
        return None if isinstance(written, Refused) else written[0]

    def write_group(self, changes: Sequence[RowChange], until: float | None = None) -> list[Record] | Refused:
        """Writes changes to rows of one bucket in one transaction; if refused, returns the index of the refused one.

        When rows and counters exceed one transaction, they are split by parent into several; each is atomic. If a later
        one is refused, the earlier ones stand, so a caller that writes rows of many parents must recognise its writes.
        """
        written: dict[int, Record] = {}
        for part in _parts(changes):
            records = self._write_part([changes[index] for index in part], self._deadline(until))
            if isinstance(records, Refused):
                return Refused(part[records.index])
            written.update(zip(part, records, strict=True))
        return [written[index] for index in range(len(changes))]

    def _write_part(self, changes: Sequence[RowChange], until: float) -> list[Record] | Refused:
        etags = self._write_counted([_write(before, after) for before, after in changes], changes, until)
        if isinstance(etags, Refused):
            return etags
        return [replace(after, etag=etag) for (_, after), etag in zip(changes, etags, strict=True)]

    def _write_counted(self, writes: list[RowWrite], changes: Sequence[RowChange], until: float) -> list[str] | Refused:
        """The new ETags of the writes, made together with those that count the changes."""
        for _ in self._pauses.tries(until):
            counts = self._counts.take(changes)
            etags = self.table.write_group(writes + counts)
            if not isinstance(etags, Refused):
                self._counts.written(counts, etags[len(writes) :])
                return etags[: len(writes)]
            if etags.index < len(writes):
                return etags
            self._counts.refused(counts[etags.index - len(writes)])
        raise StorageUnavailable("too many writers are updating one parent's counts")

    def _end(self, asked: Record, fault: CorruptRecord) -> Record | None:
        """Ends a request whose row cannot be read, and overwrites whatever the row holds."""
        now = self._pauses.clock.now()
        end = Conclusion(Outcome.EXHAUSTED, Certainty.UNKNOWN, now, error=CORRUPT)
        before = replace(asked, etag=fault.etag)
        after = state.conclude(replace(before, maybe_effect=not asked.request.dry_run), end, emit_pending=True)
        write = RowWrite(to_entity(after), fault.etag)
        written = self._write_counted([write], [(before, after)], self._deadline(None))
        return self.read(asked.key) if isinstance(written, Refused) else replace(after, etag=written[0])

    def _deadline(self, until: float | None) -> float:
        return self._pauses.clock.monotonic() + SETTLE_SECONDS if until is None else until


def readable_rows(rows: Iterable[StoredRow], read: Callable[[Mapping[str, Any], str], T]) -> Iterator[T]:
    """Parses rows; one that cannot be read is logged and left out."""
    for found in rows:
        try:
            yield read(found.entity, found.etag)
        except CorruptRecord:
            log.exception("corrupt_record row=%s", found.entity.get("RowKey"))


def _parts(changes: Sequence[RowChange]) -> list[list[int]]:
    """The changes' indexes, grouped by transaction: all in one if they fit with their counters, else by parent."""
    if len(changes) + len(deltas(changes)) <= MAX_OPERATIONS:
        return [list(range(len(changes)))]
    parts: list[list[int]] = []
    parents: set[tuple[str, bool]] = set()
    for index in sorted(range(len(changes)), key=lambda index: _parent(changes[index])):
        parent = _parent(changes[index])
        if not parts or len(parts[-1]) + len(parents | {parent}) >= MAX_OPERATIONS:
            parts.append([])
            parents = set()
        parents.add(parent)
        parts[-1].append(index)
    return parts


def _parent(change: RowChange) -> tuple[str, bool]:
    _, after = change
    return after.parent_id or "", after.request.dry_run


def _write(before: Record | None, after: Record) -> RowWrite:
    if before is None:
        return RowWrite(to_entity(after))
    return RowWrite(changed(before, after), before.etag)

"""The rows of the request table: records in, records out, one conditional write each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.errors import StorageUnavailable
from shared.ledger.entity import changed, from_entity, to_entity
from shared.ledger.record import Key, Record
from shared.ledger.tally import Change, deltas, tally_writes
from shared.storage.table import MAX_OPERATIONS, Refused, Table, Write

MAX_COUNTS = 20
"""Tries to count beside others that count for the same parent; they take turns, so each try is somebody's success."""


class RecordStore:
    """Reads and conditionally writes records. Every method may raise StorageUnavailable."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def read(self, key: Key) -> Record | None:
        """The record, or None when the id is unknown."""
        found = self.table.read(key.bucket, key.row)
        return from_entity(found.entity, found.etag) if found else None

    def write(self, before: Record | None, after: Record) -> Record | None:
        """Inserts (`before` is None) or merges what changed; None when the condition did not hold."""
        written = self.write_group([(before, after)])
        return None if isinstance(written, Refused) else written[0]

    def write_group(self, changes: Sequence[Change]) -> list[Record] | Refused:
        """All of the changes, rows of one bucket, in one transaction; or none and the index that was refused.

        Rows of so many parents that they and their counts are more than a transaction takes are written in several,
        each whole or not at all. When a later one is refused, the earlier ones stand: whoever writes rows of many
        parents has to know their own writes again.
        """
        written: dict[int, Record] = {}
        for part in _parts(changes):
            records = self._write_part([changes[index] for index in part])
            if isinstance(records, Refused):
                return Refused(part[records.index])
            written.update(zip(part, records, strict=True))
        return [written[index] for index in range(len(changes))]

    def _write_part(self, changes: Sequence[Change]) -> list[Record] | Refused:
        writes = [_write(before, after) for before, after in changes]
        for _ in range(MAX_COUNTS):
            counts = tally_writes(self.table, changes)
            etags = self.table.write_group(writes + counts)
            if not isinstance(etags, Refused):
                return [replace(after, etag=etag) for (_, after), etag in zip(changes, etags, strict=False)]
            if etags.index < len(writes):
                return etags
        raise StorageUnavailable("the count of a parent's requests is fought over")


def _parts(changes: Sequence[Change]) -> list[list[int]]:
    """Indexes of the changes that go together: all of them where they fit with their counts, else parent by parent."""
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


def _parent(change: Change) -> tuple[str, bool]:
    _, after = change
    return after.parent_id or "", after.request.dry_run


def _write(before: Record | None, after: Record) -> Write:
    if before is None:
        return Write(to_entity(after))
    return Write(changed(before, after), before.etag)

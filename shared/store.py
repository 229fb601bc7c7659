"""The rows of the request table: records in, records out, one conditional write each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.entity import changed, from_entity, to_entity
from shared.errors import StorageUnavailable
from shared.record import Key, Record
from shared.table import Refused, Table, Write
from shared.tally import Change, tally_writes

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
        """All of the changes, rows of one bucket, in one transaction; or none and the index that was refused."""
        writes = [_write(before, after) for before, after in changes]
        for _ in range(MAX_COUNTS):
            counts = tally_writes(self.table, changes)
            etags = self.table.write_group(writes + counts)
            if not isinstance(etags, Refused):
                return [replace(after, etag=etag) for (_, after), etag in zip(changes, etags, strict=False)]
            if etags.index < len(writes):
                return etags
        raise StorageUnavailable("the count of a parent's requests is fought over")


def _write(before: Record | None, after: Record) -> Write:
    if before is None:
        return Write(to_entity(after))
    return Write(changed(before, after), before.etag)

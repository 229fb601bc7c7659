"""The rows of the request table: records in, records out, one conditional write each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.entity import changed, from_entity, to_entity
from shared.record import Key, Record
from shared.table import Refused, Table, Write


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
        etag = self.table.write(_write(before, after))
        return replace(after, etag=etag) if etag else None

    def write_group(self, changes: Sequence[tuple[Record | None, Record]]) -> list[Record] | Refused:
        """All of the changes, rows of one bucket, in one transaction; or none and the index that was refused."""
        etags = self.table.write_group([_write(before, after) for before, after in changes])
        if isinstance(etags, Refused):
            return etags
        return [replace(after, etag=etag) for (_, after), etag in zip(changes, etags, strict=True)]


def _write(before: Record | None, after: Record) -> Write:
    if before is None:
        return Write(to_entity(after))
    return Write(changed(before, after), before.etag)

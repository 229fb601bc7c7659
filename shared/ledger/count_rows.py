"""Writes a parent's counts, and remembers the rows that this process wrote last, so that most writes need no read.

A remembered row is used until a write with its version is refused; then the row is read again. Only one thread uses a
row at a time, so the threads of one process do not get in each other's way.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from shared.clock import to_text
from shared.ledger.tally import NAMES, RowChange, deltas
from shared.storage.table import RowWrite, StoredRow, Table

SPREAD = 16
"""How many rows hold one parent's counts in each bucket."""
MOST_PARENTS = 1_024
"""How many parents' rows are remembered, counted once per bucket; the least recently used is forgotten."""
MOST_REFUSALS = 3
"""After this many, other processes count for the parent as often as this one: its rows are read before each write."""


@dataclass
class _Parent:
    """What this process knows of one parent's rows in one bucket."""

    free: list[StoredRow] = field(default_factory=list)
    """Rows as last written that no thread is using."""
    seen: set[str] = field(default_factory=set)
    """Keys of rows that exist or may exist."""
    refusals: int = 0


class CountRows:
    """The rows of counts. Safe to call from many threads; may raise StorageUnavailable."""

    def __init__(self, table: Table, random: Callable[[], float]) -> None:
        self._table = table
        self._random = random
        self._parents: OrderedDict[tuple[str, str], _Parent] = OrderedDict()
        self._lock = Lock()

    def take(self, changes: Sequence[RowChange]) -> list[RowWrite]:
        """The writes that count these changes to rows of one bucket, for the transaction that makes the changes."""
        found = deltas(changes)
        if not found:
            return []
        bucket = changes[0][1].key.bucket
        # For the purge: the last time at which anything of this parent was accepted, due or done.
        moments = (m for _, r in changes for m in (r.accepted_at, r.due_at, r.conclusion and r.conclusion.completed_at))
        touched = to_text(max(moment for moment in moments if moment))
        return [self._write(bucket, parent, delta, touched) for parent, delta in found.items()]

    def written(self, writes: Sequence[RowWrite], etags: Sequence[str]) -> None:
        """Remembers rows by the versions that their writes gave them."""
        with self._lock:
            for write, etag in zip(writes, etags, strict=True):
                parent = self._parent(*_place(write))
                if parent.refusals < MOST_REFUSALS:
                    parent.free.append(StoredRow(write.entity, etag))

    def refused(self, write: RowWrite) -> None:
        """Notes that another process wrote a row first."""
        with self._lock:
            self._parent(*_place(write)).refusals += 1

    def _write(self, bucket: str, parent: str, delta: Counter[str], touched: str) -> RowWrite:
        row, found = self._row(bucket, parent)
        before = found.entity if found else {}
        counts = {name: int(before.get(name) or 0) + delta[name] for name in NAMES if name in before or name in delta}
        touched = max(touched, str(before.get("touched_at", "")))
        entity = {"PartitionKey": bucket, "RowKey": row, **counts, "touched_at": touched}
        return RowWrite(entity, found.etag if found else None)

    def _row(self, bucket: str, parent: str) -> tuple[str, StoredRow | None]:
        """A row's key and the row; None for one that is to be inserted."""
        with self._lock:
            known = self._parent(bucket, parent)
            if known.free:
                found = known.free.pop()
                return str(found.entity["RowKey"]), found
            row = f"{parent}:{int(self._random() * SPREAD):x}"
            is_new = not known.refusals and row not in known.seen
            known.seen.add(row)
        return row, None if is_new else self._table.read(bucket, row)

    def _parent(self, bucket: str, parent: str) -> _Parent:
        key = bucket, parent
        known = self._parents.setdefault(key, _Parent())
        self._parents.move_to_end(key)
        if len(self._parents) > MOST_PARENTS:
            self._parents.popitem(last=False)
        return known


def _place(write: RowWrite) -> tuple[str, str]:
    """The bucket and the parent of a row of counts."""
    return str(write.entity["PartitionKey"]), str(write.entity["RowKey"]).rpartition(":")[0]

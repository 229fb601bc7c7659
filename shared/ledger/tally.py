"""Counts a parent's requests, and how they ended. A parent is an event, a `taskIds` envelope or a sweep.

The transaction that writes the rows also counts them, so no count is lost or doubled, and reading the counts needs no
request rows. A row that its claim inserts is counted with what comes of that claim. Each bucket spreads a parent's
counts over several rows, and each write picks one at random: forty instances that end requests of one parent would
otherwise queue for a single row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shared.ledger.record import DRY_RUN_SUFFIX, Outcome, Record, State
from shared.storage.query import Query
from shared.storage.ranges import all_rows
from shared.storage.table import StoredRow, Table

RowChange = tuple[Record | None, Record]
BUCKETS = "0123456789abcdef"
REQUESTED = "requested"
NAMES = (REQUESTED, *map(str, Outcome))
"""The columns of a row of counts."""
PAGE = 100


def tally_row(parent_id: str, *, dry_run: bool) -> str:
    """The prefix of the row keys of a parent's counts; alone, the key that earlier versions used."""
    return f"tally:{parent_id}{DRY_RUN_SUFFIX if dry_run else ''}"


def deltas(changes: Sequence[RowChange]) -> dict[str, Counter[str]]:
    """What the changes add to the counts, by parent: an outcome adds one, a redrive takes it back."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for before, after in changes:
        if after.parent_id is None:
            continue
        row = tally_row(after.parent_id, dry_run=after.request.dry_run)
        if after.is_counted and not (before and before.is_counted):
            found[row][REQUESTED] += 1
        if after.state is State.DONE and after.conclusion and (before is None or before.state is not State.DONE):
            found[row][after.conclusion.outcome.value] += 1
        elif before is not None and before.conclusion and after.state is not State.DONE:
            found[row][before.conclusion.outcome.value] -= 1
    return dict(found)


@dataclass(frozen=True)
class Totals:
    """A parent's requests: how many there are, and how many are done, by outcome."""

    requested: int
    done: dict[str, int]
    touched_at: str = ""
    """When the counts last changed, as text; empty when there are none."""

    @property
    def open(self) -> int:
        """How many are not done."""
        return self.requested - sum(self.done.values())


def totals(table: Table, parent_id: str, *, dry_run: bool) -> Totals:
    """A parent's counts over all buckets: sixteen queries, however many requests there are."""
    total: Counter[str] = Counter()
    touched_at = ""
    for bucket in BUCKETS:
        for found in _rows(table, bucket, tally_row(parent_id, dry_run=dry_run)):
            total.update({name: int(found.entity.get(name) or 0) for name in NAMES})
            touched_at = max(touched_at, str(found.entity.get("touched_at", "")))
    requested = total.pop(REQUESTED, 0)
    return Totals(requested, {name: count for name, count in total.items() if count}, touched_at)


def forgettable(
    table: Table, rows: Sequence[StoredRow], before: str, is_needed: Callable[[str], bool] = lambda _: False
) -> list[StoredRow]:
    """Of some rows of counts of one bucket, those that may be purged.

    A parent's rows in a bucket are purged together, once all of them were last touched before the instant `before` (as
    text) and none of their requests is open; otherwise the remaining counts would be too low. `is_needed` says, by a
    parent's id, whether its counts are still shown somewhere.
    """
    by_parent: dict[tuple[str, str], list[StoredRow]] = {}
    for row in rows:
        bucket, prefix = str(row.entity["PartitionKey"]), ":".join(str(row.entity["RowKey"]).split(":")[:2])
        by_parent.setdefault((bucket, prefix), []).append(row)
    return [
        row
        for (bucket, prefix), own in by_parent.items()
        if _is_over(list(_rows(table, bucket, prefix)), before) and not is_needed(prefix.partition(":")[2])
        for row in own
    ]


def is_long_over(table: Table, parent_id: str, before: str) -> bool:
    """Whether all requests of a parent, dry runs apart, were done before that instant: sixteen queries."""
    prefix = tally_row(parent_id, dry_run=False)
    return all(_is_over(list(_rows(table, bucket, prefix)), before) for bucket in BUCKETS)


def _is_over(rows: Sequence[StoredRow], before: str) -> bool:
    requested = sum(int(row.entity.get(REQUESTED) or 0) for row in rows)
    done = sum(int(row.entity.get(str(outcome)) or 0) for row in rows for outcome in Outcome)
    return requested <= done and all(str(row.entity["touched_at"]) < before for row in rows)


def _rows(table: Table, bucket: str, prefix: str) -> Iterator[StoredRow]:
    """A parent's count rows, that of earlier versions included; those of its dry run sort between and are left out."""
    for row in all_rows(table, Query(bucket).from_row(prefix, f"{prefix};"), page=PAGE):
        if str(row.entity["RowKey"]).partition(prefix)[2].partition(":")[0] == "":
            yield row

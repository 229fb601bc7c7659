"""How many requests of one parent (an event, a `taskIds` envelope) ended how, counted in the same transaction.

A count that is written beside the rows it counts can be neither lost nor counted twice, and is read without reading them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from shared.clock import to_text
from shared.record import DRY_RUN_SUFFIX, Outcome, Record, State
from shared.table import Table, Write

Change = tuple[Record | None, Record]
BUCKETS = "0123456789abcdef"


def tally_row(parent_id: str, *, dry_run: bool) -> str:
    """The row key of a parent's count in each bucket."""
    return f"tally:{parent_id}{DRY_RUN_SUFFIX if dry_run else ''}"


def deltas(changes: Sequence[Change]) -> dict[str, Counter[str]]:
    """By row key, what the changes add to the counts: an end adds one, a redrive takes it back."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for before, after in changes:
        if after.parent_id is None:
            continue
        row = tally_row(after.parent_id, dry_run=after.request.dry_run)
        if after.state is State.DONE and after.conclusion and (before is None or before.state is not State.DONE):
            found[row][after.conclusion.outcome.value] += 1
        elif before is not None and before.conclusion and after.state is not State.DONE:
            found[row][before.conclusion.outcome.value] -= 1
    return dict(found)


def tally_writes(table: Table, changes: Sequence[Change]) -> list[Write]:
    """The writes that count the changes, for the transaction that makes them."""
    if not changes:
        return []
    bucket = changes[0][1].key.bucket
    return [_write(table, bucket, row, delta, changes) for row, delta in deltas(changes).items()]


def _write(table: Table, bucket: str, row: str, delta: Counter[str], changes: Sequence[Change]) -> Write:
    found = table.read(bucket, row)
    counts = {name: (int(found.entity.get(name, 0)) if found else 0) + count for name, count in delta.items()}
    ends = [after.conclusion.completed_at for _, after in changes if after.conclusion]
    touched = {"touched_at": to_text(max(ends))} if ends else {}
    entity = {"PartitionKey": bucket, "RowKey": row, **counts, **touched}
    return Write(entity, found.etag if found else None)


def totals(table: Table, parent_id: str, *, dry_run: bool) -> dict[str, int]:
    """A parent's requests that are done, by outcome: sixteen reads, however many they are."""
    total: Counter[str] = Counter()
    for bucket in BUCKETS:
        found = table.read(bucket, tally_row(parent_id, dry_run=dry_run))
        if found is not None:
            total.update({o.value: int(found.entity.get(o.value, 0)) for o in Outcome})
    return {name: count for name, count in total.items() if count}

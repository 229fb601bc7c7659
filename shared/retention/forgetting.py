"""How long a sweep is remembered: until it and the last of its requests are past retention, and its counts with it."""

from __future__ import annotations

from collections.abc import Sequence

from shared.ledger.tally import forgettable, is_long_over
from shared.retention.record import sweep_key
from shared.storage.table import Found, Table


def forgettable_sweeps(table: Table, rows: Sequence[Found], before: str) -> list[Found]:
    """Of the rows of sweeps that were last touched before an instant (as text), those whose requests are all as old."""
    return [row for row in rows if is_long_over(table, str(row.entity["RowKey"]).partition(":")[2], before)]


def forgettable_counts(table: Table, rows: Sequence[Found], before: str) -> list[Found]:
    """Of the rows of counts of one bucket, those that no sweep needs either: without them its requests look open."""
    return forgettable(table, rows, before, lambda parent: table.read(*sweep_key(parent)) is not None)

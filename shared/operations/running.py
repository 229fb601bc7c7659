"""Counts the clean-ups in progress."""

from __future__ import annotations

from shared.cleanup.entity import cleanup_rows
from shared.cleanup.record import Phase
from shared.ledger.tally import BUCKETS
from shared.storage.ranges import all_rows
from shared.storage.table import Table


def running_clean_ups(table: Table) -> int:
    """How many clean-ups wait for their job or list its tasks. Raises StorageUnavailable."""
    # Of the phases, only `listing` and `waiting` sort after `listed`.
    running = (cleanup_rows(bucket).where("phase", "gt", Phase.LISTED.value) for bucket in BUCKETS)
    return sum(1 for query in running for _ in all_rows(table, query, ["RowKey"]))

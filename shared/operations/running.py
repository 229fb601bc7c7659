"""Counts the clean-ups in progress."""

from __future__ import annotations

from shared.ledger.tally import BUCKETS
from shared.storage.table import Table

_PAGE = 1_000


def running_clean_ups(table: Table) -> int:
    """How many clean-ups wait for their job or list its tasks. Raises StorageUnavailable."""
    return sum(_in_bucket(table, bucket) for bucket in BUCKETS)


def _in_bucket(table: Table, bucket: str) -> int:
    # Of the phases, only `listing` and `waiting` sort after `listed`.
    here = f"PartitionKey eq '{bucket}' and RowKey ge 'cleanup:0' and RowKey lt 'cleanup:g' and phase gt 'listed'"
    page = table.query(here, ["RowKey"], _PAGE)
    count = len(page.rows)
    while page.continuation:
        page = table.query(here, ["RowKey"], _PAGE, page.continuation)
        count += len(page.rows)
    return count

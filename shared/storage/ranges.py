"""Reads many rows of one partition: all that a query finds, or those of some keys.

The latter in ranges where the keys are close together, else one by one. A filter of many keys joined by `or` would scan
the whole partition:
https://learn.microsoft.com/azure/storage/tables/table-storage-design-for-query
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.storage.query import Query
from shared.storage.table import StoredRow, Table

PAGE = 1_000
ROWS_FOR_A_READ = 30
"""Reading this many rows as part of a page costs about as much as reading one row alone."""


def all_rows(table: Table, query: Query, columns: Sequence[str] | None = None, page: int = PAGE) -> Iterator[StoredRow]:
    """All rows of a query, fetched page by page; the service may end a page early, even an empty one.

    https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination
    """
    found = table.query(query, columns, page)
    yield from found.rows
    while found.continuation is not None:
        found = table.query(query, columns, page, found.continuation)
        yield from found.rows


def read_rows(table: Table, partition: str, rows: Sequence[str]) -> dict[str, StoredRow]:
    """The rows that exist, by key. Raises StorageUnavailable."""
    left = sorted(set(rows))
    found: dict[str, StoredRow] = {}
    continuation = None
    while len(left) > 1:
        between = Query(partition).where("RowKey", "ge", left[0]).where("RowKey", "le", left[-1])
        page = table.query(between, None, PAGE, continuation)
        there = {str(row.entity["RowKey"]): row for row in page.rows}
        found.update((row, there[row]) for row in left if row in there)
        if page.continuation is None:
            return found
        last = max(there, default="")
        still_left = [row for row in left if row > last]
        passed = len(left) - len(still_left)
        if len(page.rows) > passed * ROWS_FOR_A_READ:
            left = still_left
            break
        # Continue from the next wanted row, or from where the service stopped if it returned none.
        left, continuation = still_left, None if there else page.continuation
    found.update((row, read) for row in left if (read := table.read(partition, row)))
    return found

"""Reading many rows of a partition with few queries."""

from __future__ import annotations

import pytest

from shared.storage import ranges
from shared.storage.query import Query
from shared.storage.ranges import read_rows
from shared.storage.table import Page, RowWrite, StoredRow
from tests.fakes.table import MemoryTable


def filled(*rows: str) -> MemoryTable:
    """A table with these rows in one partition, and no operations counted yet."""
    table = MemoryTable()
    for row in rows:
        table.write(RowWrite({"PartitionKey": "a", "RowKey": row}))
    table.operations = 0
    return table


def numbered(*numbers: int) -> list[str]:
    """Row keys that sort by their numbers."""
    return [f"{number:06d}" for number in numbers]


def test_rows_that_lie_together_are_read_at_once() -> None:
    """Adjacent rows are read with one query; rows in between are ignored, and missing ones left out."""
    table = filled(*numbered(*range(20)))

    found = read_rows(table, "a", numbered(9, 3, 30, 5))

    assert sorted(found) == numbered(3, 5, 9)
    assert table.operations == 1


def test_rows_of_several_pages_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows over several pages are all read, each page beginning after the one before."""
    monkeypatch.setattr(ranges, "PAGE", 7)
    table = filled(*numbered(*range(40)))

    assert sorted(read_rows(table, "a", numbered(*range(40)))) == numbered(*range(40))
    assert table.operations == 6


def test_rows_far_apart_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are far apart are read one by one once a page has brought few of them."""
    monkeypatch.setattr(ranges, "PAGE", 100)
    table = filled(*numbered(*range(1_000)))

    assert sorted(read_rows(table, "a", numbered(0, 300, 600, 999))) == numbered(0, 300, 600, 999)
    assert table.operations == 4


def test_a_page_that_ends_early_is_followed() -> None:
    """If the service ends a page early, reading goes on from there, and no row counts as missing."""

    class Slow(MemoryTable):
        def query(self, query: Query, columns: object, top: int, continuation: dict[str, str] | None = None) -> Page:
            if continuation is None:
                return Page((), {"PartitionKey": "a", "RowKey": "000000"})
            return super().query(query, None, top, continuation)

    table = Slow()
    for row in numbered(1, 2):
        table.write(RowWrite({"PartitionKey": "a", "RowKey": row}))

    assert sorted(read_rows(table, "a", numbered(1, 2))) == numbered(1, 2)


def test_one_row_is_read_by_itself() -> None:
    """A single row is read without a query, and no rows need no operation."""
    table = filled(*numbered(1))

    assert isinstance(read_rows(table, "a", numbered(1))["000001"], StoredRow)
    assert read_rows(table, "a", []) == {}
    assert table.operations == 1

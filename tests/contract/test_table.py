"""The same tests for both tables: the in-memory one of the unit tests, and the service's behind its adapter."""

from __future__ import annotations

import itertools
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from devstack.azurite import Azurite
from shared.clock import SystemClock
from shared.errors import StorageUnavailable
from shared.ledger.entity import MAX_TEXT
from shared.ledger.pauses import Pauses
from shared.ledger.record import Key
from shared.ledger.store import RecordStore
from shared.ledger.tally import totals
from shared.retention.agenda import Agenda, AgendaStore
from shared.settings import Settings
from shared.storage import ranges
from shared.storage.query import Query
from shared.storage.table import ANY_VERSION, MAX_OPERATIONS, AzureTable, Refused, RowWrite, StoredRow, Table
from shared.wiring.storage_clients import table_service
from tests.fakes.app import ENVIRONMENT
from tests.fakes.table import MemoryTable
from tests.rows import accepted, claimed, done, request

PARTITION = "a"
HERE = Query(PARTITION)
LONGEST_SECONDS = 120
"""What an operation may take that is bound to fail, with room for a machine that is busy."""


def azure_table(connection: str, name: str) -> AzureTable:
    """The table adapter for a storage account."""
    settings = Settings.from_env({**ENVIRONMENT, "TaskDeleteStorage": connection})
    return AzureTable(table_service(settings), name)


@pytest.fixture(params=["memory", "azurite"])
def table(request: pytest.FixtureRequest) -> Table:
    """An empty table of either kind; the service's table does not exist yet."""
    if request.param == "memory":
        return MemoryTable()
    azurite: Azurite = request.getfixturevalue("azurite")
    return azure_table(azurite.connection_string, f"t{uuid.uuid4().hex}")


def entity(row: str, **columns: Any) -> dict[str, Any]:
    """A row's columns, keys included."""
    return {"PartitionKey": PARTITION, "RowKey": row, **columns}


def inserted(table: Table, row: str, **columns: Any) -> str:
    """Inserts a row and returns its version."""
    etag = table.write(RowWrite(entity(row, **columns)))
    assert etag is not None
    return etag


def found(table: Table, row: str) -> StoredRow:
    """A row that must exist."""
    it = table.read(PARTITION, row)
    assert it is not None
    return it


def test_an_unknown_row_is_none(table: Table) -> None:
    """Reading an unknown row gives None, even if the table does not exist."""
    assert table.read(PARTITION, "r") is None


def test_what_is_written_is_read(table: Table) -> None:
    """Text, integers, booleans and bytes read back as written, with the row's keys and version."""
    columns = {"text": "ü😀 'quoted'", "empty": "", "number": 7, "flag": True, "body": b"\x00\xff"}
    etag = inserted(table, "r", **columns)

    row = found(table, "r")

    assert dict(row.entity) == entity("r", **columns)
    assert row.etag == etag


def test_a_text_of_more_than_a_column_holds_is_a_fault(table: Table) -> None:
    """Text longer than a column holds, counted in UTF-16 units, is refused and nothing is written."""
    inserted(table, "r", text="x" * (MAX_TEXT - 2) + "😀")
    with pytest.raises(StorageUnavailable, match="write: HTTP 400"):
        table.write(RowWrite(entity("s", text="x" * (MAX_TEXT - 1) + "😀")))
    assert table.read(PARTITION, "s") is None


def test_a_second_insert_is_refused(table: Table) -> None:
    """Inserting an existing row is refused and leaves the row unchanged."""
    inserted(table, "r", n=1)
    assert table.write(RowWrite(entity("r", n=2))) is None
    assert found(table, "r").entity["n"] == 1


def test_a_merge_changes_what_it_names(table: Table) -> None:
    """A merge changes only the columns it names, and returns a version that is good for the next write."""
    first = inserted(table, "r", a=1, b=1)

    second = table.write(RowWrite(entity("r", b=2, c=2), first))
    third = table.write(RowWrite(entity("r", c=3), second))

    assert third is not None
    assert len({first, second, third}) == 3
    assert dict(found(table, "r").entity) == entity("r", a=1, b=2, c=3)
    assert found(table, "r").etag == third


def test_a_merge_with_an_old_version_is_refused(table: Table) -> None:
    """A merge with an outdated ETag is refused and changes nothing."""
    old = inserted(table, "r", n=1)
    table.write(RowWrite(entity("r", n=2), old))

    assert table.write(RowWrite(entity("r", n=3), old)) is None
    assert found(table, "r").entity["n"] == 2


def test_a_merge_of_a_row_that_is_gone_is_refused(table: Table) -> None:
    """A merge into a deleted row is refused and does not recreate it."""
    etag = inserted(table, "r", n=1)
    assert table.delete_group([found(table, "r")])

    assert table.write(RowWrite(entity("r", n=2), etag)) is None
    assert table.read(PARTITION, "r") is None


def test_a_group_is_written_together(table: Table) -> None:
    """A group of inserts and merges is written together and returns each row's version, in order."""
    old = inserted(table, "r1", n=1)
    writes = [RowWrite(entity("r0", n=0)), RowWrite(entity("r1", n=2), old), RowWrite(entity("r2", n=0))]

    etags = table.write_group(writes)

    assert isinstance(etags, list)
    assert [found(table, f"r{n}").etag for n in range(3)] == etags
    assert table.write(RowWrite(entity("r1", n=3), etags[1])) is not None


def test_a_group_may_hold_a_row_of_any_version(table: Table) -> None:
    """A write with ANY_VERSION inserts or merges its row, unless another write of its group is refused."""
    old = inserted(table, "r", n=1)
    table.write_group([RowWrite(entity("r", n=2), old), RowWrite(entity("beside", a=1), ANY_VERSION)])
    etag = found(table, "r").etag
    assert isinstance(
        table.write_group([RowWrite(entity("beside", b=9), ANY_VERSION), RowWrite(entity("r"), old)]), Refused
    )
    etags = table.write_group([RowWrite(entity("r", n=3), etag), RowWrite(entity("beside", b=2), ANY_VERSION)])
    assert isinstance(etags, list)
    assert dict(found(table, "beside").entity) == entity("beside", a=1, b=2)
    assert found(table, "beside").etag == etags[1]


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("fault", ["stale", "duplicate", "gone"])
def test_a_group_is_written_all_or_not_at_all(table: Table, position: int, fault: str) -> None:
    """If one write of a group is refused, it is named and none of the group is written."""
    stale = inserted(table, "known", n=1)
    table.write(RowWrite(entity("known", n=2), stale))
    bad = {
        "stale": RowWrite(entity("known", n=9), stale),
        "duplicate": RowWrite(entity("known", n=9)),
        "gone": RowWrite(entity("never", n=9), stale),
    }[fault]
    writes = [RowWrite(entity(f"r{n}", n=n)) for n in range(2)]
    writes.insert(position, bad)

    assert table.write_group(writes) == Refused(position)

    assert [table.read(PARTITION, f"r{n}") for n in range(2)] == [None, None]
    assert found(table, "known").entity["n"] == 2


def test_a_group_of_one(table: Table) -> None:
    """A group of one write returns its version, or the refused position, as larger groups do."""
    etags = table.write_group([RowWrite(entity("r"))])
    assert etags == [found(table, "r").etag]
    assert table.write_group([RowWrite(entity("r"))]) == Refused(0)


def test_a_group_of_a_hundred(table: Table) -> None:
    """A group of 100 writes, the most that a transaction takes, is written."""
    etags = table.write_group([RowWrite(entity(f"r{n:03}", n=n)) for n in range(100)])
    assert isinstance(etags, list)
    assert len(etags) == 100
    assert table.write(RowWrite(entity("r050", n=-1), etags[50])) is not None


def test_a_group_of_more_is_a_fault(table: Table) -> None:
    """A group of more than 100 writes raises StorageUnavailable and writes nothing."""
    with pytest.raises(StorageUnavailable, match="write group: "):
        table.write_group([RowWrite(entity(f"r{n:03}")) for n in range(MAX_OPERATIONS + 1)])
    assert table.read(PARTITION, "r000") is None


def test_a_query_comes_page_by_page(table: Table) -> None:
    """Pages are in the order of the row keys, with each row's ETag; the last has no continuation."""
    table.write_group([RowWrite(entity(f"r{n}", even=n % 2 == 0, text=f"t{n}")) for n in range(7)])
    query = Query(PARTITION).from_row("r1", "r6")

    pages, continuation = [], None
    while True:
        page = table.query(query, None, 2, continuation)
        pages.append([str(row.entity["RowKey"]) for row in page.rows])
        assert all(row.etag == found(table, str(row.entity["RowKey"])).etag for row in page.rows)
        continuation = page.continuation
        if continuation is None:
            break

    assert [row for page_rows in pages for row in page_rows] == ["r1", "r2", "r3", "r4", "r5"]
    assert all(len(page_rows) <= 2 for page_rows in pages)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (HERE.where("flag", "eq", True), ["r0", "r2"]),
        (HERE.where("flag", "eq", False), ["r1"]),
        (HERE.where("text", "eq", "t'1"), ["r1"]),
        (HERE.where("text", "ne", "t'1"), ["r0", "r2"]),
        (HERE.where("text", "gt", "t'0").where("text", "le", "t'2"), ["r1", "r2"]),
        (HERE.where("text", "lt", "t'2").where("flag", "eq", True), ["r0"]),
        (HERE.where("RowKey", "ge", "r1"), ["r1", "r2"]),
        (HERE.where("missing", "lt", "x"), []),
    ],
)
def test_a_query_finds_by_any_column(table: Table, query: Query, rows: list[str]) -> None:
    """A query can compare any column; a row without that column does not match."""
    table.write_group([RowWrite(entity(f"r{n}", flag=n % 2 == 0, text=f"t'{n}")) for n in range(3)])
    page = table.query(query, ["PartitionKey", "RowKey"], 100)
    assert [row.entity["RowKey"] for row in page.rows] == rows
    assert page.continuation is None


def test_accounts_with_a_sweep_that_runs_are_found(table: Table) -> None:
    """Accounts with a running sweep are found by their non-empty `running` column."""
    agendas, now = AgendaStore(table), datetime(2026, 11, 24, tzinfo=UTC)
    for account, running in (("https://a.batch.azure.com", "s-1"), ("https://b.batch.azure.com", "")):
        assert agendas.write(None, Agenda(account, "d", now, running=running))
    assert [agenda.running for agenda in agendas.running()] == ["s-1"]


def test_a_query_of_a_table_that_is_not_there(table: Table) -> None:
    """A query of a table that does not exist finds no rows."""
    assert table.query(HERE, None, 10).rows == ()


def test_a_group_is_deleted_together(table: Table) -> None:
    """Deleting a group removes exactly the rows given."""
    for n in range(3):
        inserted(table, f"r{n}")

    assert table.delete_group([found(table, "r0"), found(table, "r2")]) is True
    assert [table.read(PARTITION, f"r{n}") is None for n in range(3)] == [True, False, True]


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_nothing_is_deleted_when_a_row_is_not_as_read(table: Table, change: str) -> None:
    """If one row of a group was changed or deleted since it was read, none of the group is deleted."""
    for n in range(2):
        inserted(table, f"r{n}")
    rows = [found(table, "r0"), found(table, "r1")]
    if change == "gone":
        table.delete_group([rows[1]])
    else:
        table.write(RowWrite(entity("r1", n=1), rows[1].etag))

    assert table.delete_group(rows) is False
    assert table.read(PARTITION, "r0") is not None


@pytest.mark.parametrize(
    "first",
    [
        lambda table: table.write(RowWrite(entity("r"))),
        lambda table: table.write_group([RowWrite(entity("r")), RowWrite(entity("s"))]),
        lambda table: table.probe(),
    ],
    ids=["write", "group", "probe"],
)
def test_a_table_that_is_missing_is_made(table: Table, first: Callable[[Table], object]) -> None:
    """The first write, group or probe creates a missing table."""
    first(table)
    inserted(table, "later")


def test_records_keep_their_whole_story(table: Table) -> None:
    """A record reads back equal after each step: insert, claim, end, redrive; outdated writes are refused."""
    store = RecordStore(table, Pauses(SystemClock(), lambda: 0.5))
    first = store.write(None, accepted(request=request(metadata={"k": "ü"})))
    assert first is not None
    key = first.key
    assert store.read(key) == first

    taken = store.write(first, replace(claimed(), request=first.request))
    assert taken is not None
    ended = store.write(taken, replace(done(), request=first.request, emit_pending=True))
    assert ended is not None
    assert store.read(key) == ended
    assert store.write(first, ended) is None
    anew = store.write(ended, replace(accepted(generation=1), request=first.request))
    assert anew is not None
    assert store.read(key) == anew


def test_counts_lie_in_several_rows_and_are_read_together(table: Table) -> None:
    """All count rows of a parent are added up, including the one of earlier versions, but not those of its dry run."""
    parent, chances = "7c9e6679-7425-40de-944b-e07fc1f90ae7", itertools.cycle((0.0, 0.5, 0.99))
    store = RecordStore(table, Pauses(SystemClock(), lambda: next(chances)))
    for number in range(1, 10):
        asked = accepted(request=request(clientRequestId=str(uuid.UUID(int=number))), parent_id=parent)
        assert store.write(None, asked) is not None
    dry_run = accepted(request=request(dryRun=True), parent_id=parent)
    assert store.write(None, dry_run) is not None
    old = {"PartitionKey": "0", "RowKey": f"tally:{parent}", "requested": 5, "touched_at": ""}
    assert table.write(RowWrite(old)) is not None

    assert totals(table, parent, dry_run=False).requested == 14
    assert totals(table, parent, dry_run=True).requested == 1


def test_a_repeat_of_many_requests_is_known_by_their_rows(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many records are read by ranges over several pages: all that exist, each good for the next write."""
    monkeypatch.setattr(ranges, "PAGE", 9)
    store = RecordStore(table, Pauses(SystemClock(), lambda: 0.5))
    ids = [guid for guid in (str(uuid.UUID(int=n)) for n in range(1, 1_000)) if Key(guid).bucket == "a"][:40]
    rows = [accepted(request=request(clientRequestId=guid), etag=None) for guid in ids]
    assert isinstance(store.write_group([(None, row) for row in rows[:30]]), list)

    found = store.read_all([row.key for row in rows])

    assert found == {row.key: row for row in rows[:30]}
    one = found[rows[7].key]
    assert store.write(one, replace(one, attempts=1)) is not None


def test_open_rows_are_found_by_their_state_alone(table: Table) -> None:
    """A query for states before `done` finds accepted and claimed rows, and no rows that are not requests."""
    store = RecordStore(table, Pauses(SystemClock(), lambda: 0.5))
    ids = [guid for guid in (str(uuid.UUID(int=n)) for n in range(200)) if Key(guid).bucket == "a"]
    for guid, row in zip(ids, (accepted(), claimed(), done()), strict=False):
        assert store.write(None, replace(row, request=request(clientRequestId=guid))) is not None
    assert table.write(RowWrite({"PartitionKey": "a", "RowKey": "tally:x", "requested": 1})) is not None

    page = table.query(HERE.where("state", "lt", "done"), None, 100)

    assert {str(row.entity["state"]) for row in page.rows} == {"accepted", "claimed"}


@pytest.fixture
def nowhere() -> str:
    """A connection to a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    return (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};"
        f"TableEndpoint=http://127.0.0.1:{port}/devstoreaccount1;QueueEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )


@pytest.mark.parametrize(
    "operation",
    [
        lambda table: table.read(PARTITION, "r"),
        lambda table: table.write(RowWrite(entity("r"))),
        lambda table: table.write_group([RowWrite(entity("r")), RowWrite(entity("s"))]),
        lambda table: table.query(HERE, None, 1),
        lambda table: table.delete_group([StoredRow(entity("r"), 'W/"1"')]),
        lambda table: table.probe(),
    ],
    ids=["read", "write", "group", "query", "delete", "probe"],
)
def test_an_account_that_cannot_be_reached(nowhere: str, operation: Callable[[Table], object]) -> None:
    """An unreachable table account raises StorageUnavailable within its time, without quoting the key."""
    began = time.monotonic()
    with pytest.raises(StorageUnavailable) as fault:
        operation(azure_table(nowhere, "rows"))
    assert time.monotonic() - began < LONGEST_SECONDS
    assert "table rows" in str(fault.value)
    assert "AccountKey" not in str(fault.value)

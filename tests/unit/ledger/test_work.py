"""The app's own message: what it writes, how it is split, and that a forged one gains nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import to_text
from shared.deletion.claiming import row_of
from shared.errors import InvalidInput
from shared.ledger.record import Key, Origin
from shared.ledger.work import MAX_MESSAGE_BYTES, MAX_ROWS, Work, WorkRow, is_work, read_work, split_work, write_work
from shared.request.model import DeletionRequest, parse_request, payload_hash
from tests.rows import ACCOUNT, NOW, REQUEST_ID, accepted, claimed, request

PARENT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def row(wanted: DeletionRequest | None = None, etag: str | None = None, generation: int = 0) -> WorkRow:
    """A row of a message."""
    wanted = wanted or request()
    return WorkRow(wanted, payload_hash(wanted), etag, generation)


def requests(count: int, bucket: str | None = None, **fields: Any) -> list[DeletionRequest]:
    """Different requests, all of one bucket where one is named."""
    ids = (str(uuid.UUID(int=n)) for n in range(10_000))
    of_bucket = (guid for guid in ids if bucket is None or Key(guid).bucket == bucket)
    return [request(clientRequestId=next(of_bucket), **fields) for _ in range(count)]


def read(text: str) -> Work:
    """A message as the worker reads it."""
    value = json.loads(text)
    assert is_work(value)
    return read_work(value, (ACCOUNT,), NOW)


def test_a_message_reads_back_as_it_was_written() -> None:
    """Rows with and without version and generation, in their order, with all that is said of them together."""
    first, second, third = requests(3, "a", metadata={"naïve": "😀"})
    work = Work(
        (row(first, etag="W/\"datetime'2026-11-24T07%3A30%3A00.0000001Z'\""), row(second, generation=2), row(third)),
        Origin.JOB_COMPLETION,
        NOW,
        PARENT,
    )
    assert read(write_work(work)) == work


def test_the_text_is_ascii_with_one_key_at_the_top() -> None:
    """Legal XML whatever the request holds, and nothing that the host would copy over the trigger's metadata."""
    text = write_work(Work((row(request(metadata={"k": "ü😀"})),), Origin.HTTP, NOW))

    assert text.isascii()
    assert list(json.loads(text)) == ["work"]


@pytest.mark.parametrize("value", [None, [], {}, {"work": 1, "x": 2}, {"jobId": "a"}])
def test_other_messages_are_not_taken_for_work(value: object) -> None:
    """One key makes it work, and nothing else beside it."""
    assert not is_work(value)


def test_rows_that_were_tried_go_without_their_version() -> None:
    """A version in a message says that nothing was tried, and saves the read that would tell."""
    stored = accepted(origin=Origin.BULK, parent_id=PARENT, generation=1)

    assert row_of(stored) == row(etag='W/"1"', generation=1)
    assert row_of(claimed()).etag is None
    assert row_of(accepted(maybe_sent=True)).etag is None
    # A message that tells another story of the acceptance than the row does must not claim it unread.
    assert row_of(stored, Work((), Origin.HTTP, NOW, PARENT)).etag is None


def forged(**changes: Any) -> dict[str, Any]:
    """A message of two rows with some members replaced; None takes a member away."""
    first, second = requests(2, "a")
    value: dict[str, Any] = json.loads(write_work(Work((row(first), row(second)), Origin.HTTP, NOW)))
    for name, member in changes.items():
        value["work"][name] = member
        if member is None:
            del value["work"][name]
    return value


def forged_row(**changes: Any) -> dict[str, Any]:
    """A message of one row with some members replaced."""
    value: dict[str, Any] = json.loads(write_work(Work((row(),), Origin.HTTP, NOW)))
    value["work"]["rows"][0] |= changes
    return value


def wire_rows(count: int, bucket: str | None = None) -> list[dict[str, Any]]:
    """Rows as they stand in a message."""
    return [
        {"request": json.loads(wanted.model_dump_json(by_alias=True, exclude_defaults=True))}
        for wanted in requests(count, bucket)
    ]


@pytest.mark.parametrize(
    ("make", "pointer"),
    [
        pytest.param(lambda: {"work": []}, "/work", id="no object"),
        pytest.param(lambda: forged(v=2), "/work", id="another version"),
        pytest.param(lambda: forged(v=None), "/work", id="no version"),
        pytest.param(lambda: forged(more=1), "/work", id="unknown member"),
        pytest.param(lambda: forged(origin=None), "/work", id="no origin"),
        pytest.param(lambda: forged(origin="sky"), "/work/origin", id="unknown origin"),
        pytest.param(lambda: forged(origin=["http"]), "/work/origin", id="origin of another type"),
        pytest.param(lambda: forged(parentId="7"), "/work/parentId", id="parent that is no GUID"),
        pytest.param(lambda: forged(parentId=7), "/work/parentId", id="parent of another type"),
        pytest.param(lambda: forged(acceptedAt=7), "/work/acceptedAt", id="instant of another type"),
        pytest.param(lambda: forged(acceptedAt="yesterday"), "/work/acceptedAt", id="no instant"),
        pytest.param(lambda: forged(acceptedAt="2026-11-24T07:30:00"), "/work/acceptedAt", id="no offset"),
        pytest.param(
            lambda: forged(acceptedAt=to_text(NOW + timedelta(minutes=6))), "/work/acceptedAt", id="in the future"
        ),
        pytest.param(lambda: forged(rows={}), "/work/rows", id="rows of another type"),
        pytest.param(lambda: forged(rows=[]), "/work/rows", id="no rows"),
        pytest.param(lambda: forged(rows=wire_rows(MAX_ROWS + 1, "a")), "/work/rows", id="too many rows"),
        pytest.param(lambda: forged(rows=wire_rows(20)), "/work/rows", id="several buckets"),
        pytest.param(lambda: forged(rows=wire_rows(1) * 2), "/work/rows", id="one row twice"),
        pytest.param(lambda: forged(rows=["row"]), "/work/rows/0", id="a row of another type"),
        pytest.param(lambda: forged(rows=[{"etag": 'W/"1"'}]), "/work/rows/0", id="a row without a request"),
        pytest.param(lambda: forged_row(more=1), "/work/rows/0", id="unknown member of a row"),
        pytest.param(lambda: forged_row(etag="*"), "/work/rows/0/etag", id="a version that matches any row"),
        pytest.param(lambda: forged_row(etag='W/"1", W/"2"'), "/work/rows/0/etag", id="several versions"),
        pytest.param(lambda: forged_row(etag='W/"1"\n'), "/work/rows/0/etag", id="a version with a line end"),
        pytest.param(lambda: forged_row(etag='W/"é"'), "/work/rows/0/etag", id="a version that no header holds"),
        pytest.param(lambda: forged_row(etag=1), "/work/rows/0/etag", id="a version of another type"),
        pytest.param(lambda: forged_row(generation=-1), "/work/rows/0/generation", id="negative generation"),
        pytest.param(lambda: forged_row(generation=True), "/work/rows/0/generation", id="generation of another type"),
        pytest.param(lambda: forged_row(generation=10**7), "/work/rows/0/generation", id="generation out of reach"),
        pytest.param(
            lambda: forged_row(request={"clientRequestId": REQUEST_ID, "jobId": "a/../..", "taskId": "b"}),
            "/work/rows/0/request/jobId",
            id="a job id that leaves its place in the URL",
        ),
    ],
)
def test_a_forged_message_is_refused_with_a_pointer(make: Callable[[], dict[str, Any]], pointer: str) -> None:
    """The app's own messages are checked as strictly as a caller's."""
    value = make()
    assert is_work(value)

    with pytest.raises(InvalidInput) as refusal:
        read_work(value, (ACCOUNT,), NOW)

    assert [problem.pointer for problem in refusal.value.problems] == [pointer]


def test_an_account_that_was_taken_off_the_list_spoils_no_other_row() -> None:
    """It is read as it was accepted, for the guard to end; what is no account at all is refused."""
    former = "https://former.region.batch.azure.com"
    wanted = parse_request(
        {"clientRequestId": REQUEST_ID, "jobId": "j", "taskId": "t", "batchUrl": former}, (former,), NOW
    )
    value = json.loads(write_work(Work((row(wanted),), Origin.HTTP, NOW)))
    (found,) = read_work(value, (ACCOUNT,), NOW).rows
    assert found.request.batch_url == former
    value["work"]["rows"][0]["request"]["batchUrl"] = "http://former.region.batch.azure.com"
    with pytest.raises(InvalidInput):
        read_work(value, (ACCOUNT,), NOW)


def test_clocks_may_differ_by_minutes() -> None:
    """Another instance's clock may be a little ahead of mine."""
    value = forged(acceptedAt=to_text(NOW + timedelta(minutes=4)))
    assert read_work(value, (ACCOUNT,), NOW).accepted_at == NOW + timedelta(minutes=4)


def test_work_is_split_by_bucket() -> None:
    """A group transaction holds rows of one partition; every row is in exactly one message."""
    rows = tuple(row(wanted) for wanted in requests(64))

    parts = list(split_work(Work(rows, Origin.BULK, NOW, PARENT)))

    assert all(len({r.key.bucket for r in part.rows}) == 1 for part, _ in parts)
    assert sorted(r.key.row for part, _ in parts for r in part.rows) == sorted(r.key.row for r in rows)
    assert len(parts) == len({r.key.bucket for r in rows})


def test_work_is_split_by_rows() -> None:
    """What a group transaction holds beside the counts that go with it."""
    rows = tuple(row(wanted) for wanted in requests(2 * MAX_ROWS + 1, "a"))

    parts = [part for part, _ in split_work(Work(rows, Origin.BULK, NOW))]

    assert [len(part.rows) for part in parts] == [MAX_ROWS, MAX_ROWS, 1]
    assert [r for part in parts for r in part.rows] == list(rows)


def test_work_is_split_by_size() -> None:
    """Requests with all that they may hold: each message still fits the queue, and reads back whole."""
    big = {"metadata": {"k": "ü" * 500}, "ifMatch": '"' + "\\" * 254 + '"', "jobId": "j" * 64, "taskId": "t" * 64}
    rows = tuple(row(wanted, etag='W/"' + "x" * 200 + '"') for wanted in requests(60, "a", **big))

    parts = list(split_work(Work(rows, Origin.BULK, NOW, PARENT)))

    assert len(parts) > 1
    assert all(len(text.encode()) <= MAX_MESSAGE_BYTES for _, text in parts)
    assert [r for _, text in parts for r in read(text).rows] == list(rows)


def test_each_message_says_what_all_of_the_work_has_in_common() -> None:
    """Splitting loses neither origin nor parent nor the time of acceptance."""
    rows = tuple(row(wanted) for wanted in requests(5))

    parts = [read(text) for _, text in split_work(Work(rows, Origin.BULK, NOW, PARENT))]

    assert {(part.origin, part.accepted_at, part.parent_id) for part in parts} == {(Origin.BULK, NOW, PARENT)}


def test_no_work_makes_no_message() -> None:
    """Nothing is sent for nothing."""
    assert list(split_work(Work((), Origin.BULK, NOW))) == []

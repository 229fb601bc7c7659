"""The app's own messages: what they hold, how they are split, and that a forged one gains nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import to_text
from shared.errors import InvalidInput
from shared.ledger.record import Key, Origin, Record
from shared.ledger.work import MAX_MESSAGE_BYTES, MAX_ROWS, is_work, messages, read_work
from shared.request.model import DeletionRequest, parse_request
from tests.rows import ACCOUNT, NOW, REQUEST_ID, accepted, after, claimed, released, request

PARENT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def row(wanted: DeletionRequest | None = None, **columns: Any) -> Record:
    """A request's row as a message tells it; by default one that is not stored yet."""
    values: dict[str, Any] = {"etag": None, "origin": Origin.BULK, "parent_id": PARENT} | columns
    return replace(Record.new(wanted or request(), Origin.BULK, NOW), **values)


def text_of(*rows: Record) -> str:
    """The text of the only message that these rows make."""
    ((_, text),) = messages(rows)
    return text


def requests(count: int, bucket: str | None = None, **fields: Any) -> list[DeletionRequest]:
    """Different requests; all in one bucket if one is given."""
    ids = (str(uuid.UUID(int=n)) for n in range(1, 10_000))
    of_bucket = (guid for guid in ids if bucket is None or Key(guid).bucket == bucket)
    return [request(clientRequestId=next(of_bucket), **fields) for _ in range(count)]


def read(text: str) -> list[Record]:
    """The rows that the worker reads in a message."""
    value = json.loads(text)
    assert is_work(value)
    return list(read_work(value, (ACCOUNT,), NOW))


def alike(found: Iterable[Record], expected: Iterable[Record]) -> bool:
    """Whether the records are equal, versions included."""
    return [(r, r.etag) for r in found] == [(r, r.etag) for r in expected]


def test_a_message_reads_back_as_it_was_written() -> None:
    """A message's rows read back equal and in order, with or without version and generation."""
    first, second, third = requests(3, "a", metadata={"naïve": "😀"})
    rows = [
        row(first, etag="W/\"datetime'2026-11-24T07%3A30%3A00.0000001Z'\"", policy="0a"),
        row(second, generation=2, policy="0a"),
        row(third, policy="0a"),
    ]
    assert alike(read(text_of(*rows)), rows)


def test_a_row_that_was_given_back_reads_back_as_far_as_a_claim_needs_it() -> None:
    """A retry message has everything for a claim without a read: version, attempts, mark and next attempt."""
    stored = released(next_attempt=9, attempts=3, generation=1, origin=Origin.QUEUE)

    (found,) = read(text_of(stored))

    assert (found.etag, found.is_released, found.next_attempt_at) == ('W/"1"', True, after(9))
    assert (found.attempts, found.maybe_effect, found.generation) == (3, True, 1)


MESSAGES_OF_THE_LAST_VERSION = [
    pytest.param(
        '{"work":{"v":1,"origin":"http","parentId":null,"acceptedAt":"2026-11-24T07:30:00.000Z","rows":[{"request":'
        '{"clientRequestId":"0f8fad5b-d9cb-469f-a165-70867728950e","jobId":"Render-7","taskId":"Frame-001","batchUrl":'
        '"https://acct.region.batch.azure.com"},"etag":"W/\\"1\\""}]}}',
        accepted,
        id="accepted",
    ),
    pytest.param(
        '{"work":{"v":1,"origin":"redrive","parentId":"7c9e6679-7425-40de-944b-e07fc1f90ae7","acceptedAt":'
        '"2026-11-24T07:30:00.000Z","rows":[{"request":{"clientRequestId":"0f8fad5b-d9cb-469f-a165-70867728950e",'
        '"jobId":"Render-7","taskId":"Frame-001","batchUrl":"https://acct.region.batch.azure.com","deleteAfter":"P1D"},'
        '"generation":2}]}}',
        lambda: row(request(deleteAfter="P1D"), generation=2, origin=Origin.REDRIVE, due_at=NOW + timedelta(days=1)),
        id="tried, put back",
    ),
]


@pytest.mark.parametrize(("text", "expected"), MESSAGES_OF_THE_LAST_VERSION)
def test_messages_of_the_last_version_are_read(text: str, expected: Callable[[], Record]) -> None:
    """Messages of the previous version, which may still be on the queue, are read."""
    assert alike(read(text), [expected()])


def test_the_text_is_ascii_with_one_key_at_the_top() -> None:
    """A message is ASCII JSON with one top-level key, so the host cannot copy other keys over its metadata."""
    text = text_of(row(request(metadata={"k": "ü😀"})))

    assert text.isascii()
    assert list(json.loads(text)) == ["work"]


@pytest.mark.parametrize("value", [None, [], {}, {"work": 1, "x": 2}, {"jobId": "a"}])
def test_other_messages_are_not_taken_for_work(value: object) -> None:
    """Only an object whose one key is `work` is read as a message of the app's own."""
    assert not is_work(value)


@pytest.mark.parametrize(
    ("stored", "goes_along"),
    [
        pytest.param(accepted(generation=1), True, id="nothing was tried"),
        pytest.param(released(next_attempt=9), True, id="given back"),
        pytest.param(claimed(), False, id="under a claim"),
        pytest.param(accepted(maybe_effect=True), False, id="redriven after a try that may have had an effect"),
        pytest.param(
            accepted(request=request(deleteAfter="P1D"), due_at=NOW), False, id="due by an acceptance that is not told"
        ),
    ],
)
def test_the_version_goes_along_with_what_a_message_tells_whole(stored: Record, goes_along: bool) -> None:
    """A message carries a row's version only if it tells all that a claim needs, which saves a read."""
    (found,) = read(text_of(stored))
    assert (found.etag == stored.etag) is goes_along


def forged(**changes: Any) -> dict[str, Any]:
    """A message of two rows with some members replaced; None takes a member away."""
    first, second = requests(2, "a")
    value: dict[str, Any] = json.loads(text_of(row(first), row(second)))
    for name, member in changes.items():
        value["work"][name] = member
        if member is None:
            del value["work"][name]
    return value


def forged_row(**changes: Any) -> dict[str, Any]:
    """A message of one row with some members replaced."""
    value: dict[str, Any] = json.loads(text_of(released(next_attempt=9)))
    value["work"]["rows"][0] |= changes
    return value


def wire_rows(count: int, bucket: str | None = None) -> list[dict[str, Any]]:
    """Rows as they stand in a message."""
    return [
        {"request": json.loads(wanted.model_dump_json(by_alias=True, exclude_defaults=True))}
        for wanted in requests(count, bucket)
    ]


RETRY: dict[str, Any] = {"attempts": 1, "maybeEffect": True, "at": to_text(NOW)}
FORGED_RETRIES: list[tuple[str, str, dict[str, Any]]] = [
    ("of another type", "/work/rows/0/retry", {"retry": []}),
    ("with a member more", "/work/rows/0/retry", {"retry": RETRY | {"x": 1}}),
    ("without a version", "/work/rows/0/retry", {"retry": RETRY, "etag": None}),
    ("of negative attempts", "/work/rows/0/retry", {"retry": RETRY | {"attempts": -1}}),
    ("of attempts that are a flag", "/work/rows/0/retry", {"retry": RETRY | {"attempts": True}}),
    ("with a mark of another type", "/work/rows/0/retry", {"retry": RETRY | {"maybeEffect": 1}}),
    ("at no instant", "/work/rows/0/retry/at", {"retry": RETRY | {"at": "later"}}),
    ("at the end of time", "/work/rows/0/retry/at", {"retry": RETRY | {"at": "9999-12-31T23:59:59-14:00"}}),
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
        pytest.param(
            lambda: forged(acceptedAt="0001-01-01T00:00:00+14:00"), "/work/acceptedAt", id="before all time in UTC"
        ),
        pytest.param(lambda: forged(policy="no digest"), "/work/policy", id="a policy that is no digest"),
        pytest.param(lambda: forged(policy=7), "/work/policy", id="a policy of another type"),
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
        *(
            pytest.param(lambda changes=changes: forged_row(**changes), at, id=f"a retry: {name}")
            for name, at, changes in FORGED_RETRIES
        ),
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
    """A message for an account that left the allow list is read; an invalid account URL is refused."""
    former = "https://former.region.batch.azure.com"
    wanted = parse_request(
        {"clientRequestId": REQUEST_ID, "jobId": "j", "taskId": "t", "batchUrl": former}, (former,), NOW
    )
    value = json.loads(text_of(row(wanted)))
    (found,) = read_work(value, (ACCOUNT,), NOW)
    assert found.request.batch_url == former
    value["work"]["rows"][0]["request"]["batchUrl"] = "http://former.region.batch.azure.com"
    with pytest.raises(InvalidInput):
        read_work(value, (ACCOUNT,), NOW)


def test_clocks_may_differ_by_minutes() -> None:
    """A message accepted up to some minutes in the future is read, since clocks differ."""
    value = forged(acceptedAt=to_text(NOW + timedelta(minutes=4)))
    assert {r.accepted_at for r in read_work(value, (ACCOUNT,), NOW)} == {NOW + timedelta(minutes=4)}


def test_requests_are_split_by_bucket() -> None:
    """Requests are split into messages by bucket, as a transaction holds rows of one partition."""
    rows = [row(wanted) for wanted in requests(64)]

    parts = [read(text) for _, text in messages(rows)]

    assert all(len({r.key.bucket for r in part}) == 1 for part in parts)
    assert sorted(r.key.row for part in parts for r in part) == sorted(r.key.row for r in rows)
    assert len(parts) == len({r.key.bucket for r in rows})


def test_requests_are_split_by_rows() -> None:
    """A message holds at most as many rows as fit into one transaction with their counts."""
    rows = [row(wanted) for wanted in requests(2 * MAX_ROWS + 1, "a")]

    parts = [read(text) for _, text in messages(rows)]

    assert [len(part) for part in parts] == [MAX_ROWS, MAX_ROWS, 1]
    assert [r for part in parts for r in part] == rows


def test_requests_are_split_by_size() -> None:
    """Messages of very large requests are split so that each fits the queue, and all read back."""
    big = {"metadata": {"k": "ü" * 500}, "ifMatch": '"' + "\\" * 254 + '"', "jobId": "j" * 64, "taskId": "t" * 64}
    rows = [row(wanted, etag='W/"' + "x" * 200 + '"') for wanted in requests(60, "a", **big)]

    texts = [text for _, text in messages(rows)]

    assert len(texts) > 1
    assert all(len(text.encode()) <= MAX_MESSAGE_BYTES for text in texts)
    assert alike([r for text in texts for r in read(text)], rows)


def test_a_message_tells_the_truth_about_each_of_its_rows() -> None:
    """Rows that differ in acceptance, parent, origin, policy or due time go into different messages."""
    wanted = requests(7, "a")
    rows = [
        row(wanted[0]),
        row(wanted[1], parent_id=None),
        row(wanted[2], origin=Origin.HTTP),
        row(wanted[3], accepted_at=after(1)),
        row(wanted[4], policy="0a"),
        row(wanted[5], due_at=after(9)),
        row(wanted[6]),
    ]

    parts = list(messages(rows))

    assert [(due, len(read(text))) for due, text in parts] == [(None, 2), *[(None, 1)] * 4, (after(9), 1)]
    later = [(due, len(read(text))) for due, text in messages(rows, at=after(60))]
    assert later == [(after(60), count) for count in (3, 1, 1, 1, 1)], "one time for all"


def test_an_id_that_is_there_twice_goes_in_two_messages() -> None:
    """A request that appears several times goes into several messages: a transaction takes a row once."""
    assert [len(read(text)) for _, text in messages([row(), row(), row()])] == [1, 1, 1]


def test_nothing_makes_no_message() -> None:
    """No rows make no message."""
    assert list(messages([])) == []

"""The store of dead letters: kept once, listed newest first, redriven and settled."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import StorageUnavailable
from shared.results.dead_letter import MAX_BODY_BYTES, DeadLetter
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_listing import LetterFilter, LetterListing, Place
from shared.results.letter_rows import partition_of
from shared.storage.query import Query
from shared.storage.table import Page
from tests.chaos.faults import Fault, at, before, disturbed
from tests.fakes.table import MemoryTable
from tests.rows import NOW, PROBLEM, REQUEST_ID, after


def name(number: int) -> str:
    """The id of the letter with this number."""
    return f"00000000-0000-5000-8000-{number:012d}"


def letter(number: int = 1, seconds: float = 0, **fields: object) -> DeadLetter:
    """A dead letter first seen this many seconds after NOW."""
    known = DeadLetter(
        id=name(number),
        reason="TooManyRequests",
        outcome="exhausted",
        queue="requests",
        first_seen_at=after(seconds),
        last_seen_at=after(seconds),
        client_request_id=REQUEST_ID,
        job_id="job-1",
        task_id="task-1",
        attempts=12,
        generation=1,
        error=PROBLEM,
        batch_request_id="batch-1",
        status=429,
        body=b'{"jobId": "job-1"}\xff',
    )
    return replace(known, **fields)  # type: ignore[arg-type]


def store() -> DeadLetterStore:
    """An empty store."""
    return DeadLetterStore(MemoryTable())


def newest(letters: DeadLetterStore, top: int, place: Place | None = None) -> tuple[list[DeadLetter], Place | None]:
    """A page of the letters that are not settled."""
    return LetterListing(letters).page(LetterFilter(), top, place)


def test_a_letter_reads_back_whole() -> None:
    """A dead letter reads back equal, with its body byte for byte."""
    letters = store()
    letters.keep(letter())
    assert letters.read(name(1)) == letter()


def test_what_is_unknown_stays_unknown() -> None:
    """A dead letter without request fields, as of an invalid message, reads back equal."""
    bare = DeadLetter(name(1), "InvalidRequest", "rejected", "requests", NOW, NOW)
    letters = store()
    letters.keep(bare)
    assert letters.read(name(1)) == bare


def test_an_unknown_id_has_no_letter() -> None:
    """Reading an unknown dead letter gives None."""
    assert store().read(name(1)) is None


def test_a_repeat_moves_its_last_time_alone() -> None:
    """Keeping the same end again changes only `last_seen_at`, in the letter and in the list."""
    letters = store()
    letters.keep(letter())
    letters.keep(replace(letter(seconds=60), body=b"other", attempts=1))

    kept = replace(letter(), last_seen_at=after(60))
    assert letters.read(name(1)) == kept
    assert newest(letters, 10)[0] == [replace(kept, body=b"")]


def test_the_newest_come_first_page_by_page() -> None:
    """Dead letters are listed by when they were first seen, newest first, without their bodies."""
    letters = store()
    for n in (3, 1, 2, 5, 4):
        letters.keep(letter(n, seconds=n))

    first, more = newest(letters, 3)
    assert [found.id for found in first] == [name(5), name(4), name(3)]
    second, end = newest(letters, 3, more)
    assert [found.id for found in second] == [name(2), name(1)]
    assert end is None
    assert {found.body for found in first + second} == {b""}


def test_a_page_that_is_just_full_is_the_last_when_the_service_says_so() -> None:
    """A full page has no continuation if the service says that no row follows."""
    letters = store()
    letters.keep(letter())

    assert newest(letters, 1) == ([replace(letter(), body=b"")], None)


def test_a_page_that_the_service_ends_early_is_filled() -> None:
    """If the service ends a page early, the list goes on from its continuation."""
    table = MemoryTable()
    letters = DeadLetterStore(table)
    for n in range(7):
        letters.keep(letter(n, seconds=n))
    real, calls = table.query, 0

    def short(
        query: Query, columns: Sequence[str] | None, top: int, continuation: dict[str, str] | None = None
    ) -> Page:
        nonlocal calls
        calls += 1
        if calls == 2 and continuation:
            return Page((), continuation)
        return real(query, columns, min(top, 2), continuation)

    table.query = short  # type: ignore[method-assign]
    first, more = newest(letters, 5)
    second, end = newest(letters, 5, more)

    assert [found.id for found in first + second] == [name(n) for n in (6, 5, 4, 3, 2, 1, 0)]
    assert (len(first), end) == (5, None)


def test_letters_of_one_instant_are_all_listed() -> None:
    """Several dead letters of the same millisecond are all listed."""
    letters = store()
    for n in range(3):
        letters.keep(letter(n))
    assert {found.id for found in newest(letters, 10)[0]} == {name(0), name(1), name(2)}


def test_an_instant_between_milliseconds_keeps_its_place() -> None:
    """A letter first seen between two milliseconds keeps its single place in the list when it is seen again."""
    letters = store()
    odd = letter(first_seen_at=NOW + timedelta(microseconds=999_999))
    letters.keep(odd)
    letters.keep(replace(odd, last_seen_at=after(60)))

    assert [found.last_seen_at for found in newest(letters, 10)[0]] == [after(60)]


def test_a_mark_whose_answer_was_lost_is_known_again() -> None:
    """A redriven mark that the storage client wrote twice still counts as this call's."""
    letters = store()
    letters.keep(letter())
    table = letters.table
    assert isinstance(table, MemoryTable)
    with disturbed(table, at(2, Fault.IS_REPEATED)):
        assert letters.mark_redriven(name(1), after(60)) is True
    assert letters.mark_redriven(name(1), after(60)) is False


def test_a_letter_is_redriven_once() -> None:
    """A letter is marked as redriven once; a second mark, or that of an unknown letter, is refused."""
    letters = store()
    letters.keep(letter())

    assert letters.mark_redriven(name(1), after(60)) is True
    assert letters.mark_redriven(name(1), after(90)) is False
    assert letters.mark_redriven(name(2), after(90)) is False
    kept = letters.read(name(1))
    assert kept is not None
    assert kept.redriven_at == after(60)
    assert newest(letters, 10)[0][0].redriven_at == after(60)


def test_a_letter_that_fails_anew_can_be_put_back_again() -> None:
    """A redriven letter whose request fails again can be redriven again; a repeat of the old end does not count."""
    letters = store()
    letters.keep(letter())
    letters.mark_redriven(name(1), after(60))

    letters.keep(letter(last_seen_at=after(90)))
    assert letters.mark_redriven(name(1), after(91)) is False

    letters.keep(letter(seconds=100))
    kept = letters.read(name(1))
    assert kept is not None
    assert (kept.first_seen_at, kept.last_seen_at, kept.redriven_at) == (after(0), after(100), None)
    assert newest(letters, 1)[0] == [replace(kept, body=b"")]
    assert letters.mark_redriven(name(1), after(110)) is True


def test_a_long_body_is_cut_to_what_a_column_holds() -> None:
    """A body longer than 64 KiB is cut to that."""
    letters = store()
    letters.keep(letter(body=b"x" * (MAX_BODY_BYTES + 1)))
    kept = letters.read(name(1))
    assert kept is not None
    assert len(kept.body) == MAX_BODY_BYTES


@pytest.mark.parametrize("change", ["keep", "mark"])
def test_a_change_in_between_is_read_again(change: str) -> None:
    """If another worker changes a letter first, it is read again and written."""
    table = MemoryTable()
    letters = DeadLetterStore(table)
    letters.keep(letter())
    with disturbed(table, at(0, before(lambda: letters.keep(letter(seconds=30))), "row write")):
        if change == "keep":
            letters.keep(letter(seconds=60))
        else:
            assert letters.mark_redriven(name(1), after(60)) is True

    kept = letters.read(name(1))
    assert kept is not None
    assert (kept.last_seen_at, kept.redriven_at) == ((after(60), None) if change == "keep" else (after(30), after(60)))


def test_a_letter_that_cannot_be_kept_is_not_tried_for_ever() -> None:
    """A letter of which only one of its two rows exists raises StorageUnavailable instead of looping."""
    letters = store()
    letters.keep(letter())
    found = letters.table.read(partition_of(name(1)), f"id:{name(1)}")
    assert found is not None
    letters.table.delete_group([found])
    with pytest.raises(StorageUnavailable):
        letters.keep(letter())


def test_a_new_letter_costs_one_write() -> None:
    """Keeping a new letter costs one write, except for a process's first."""
    letters = store()
    letters.keep(letter(1))
    table = letters.table
    assert isinstance(table, MemoryTable)
    before = table.operations
    letters.keep(letter(2))
    assert table.operations == before + 1


def test_letters_spread_over_partitions() -> None:
    """Dead letters are spread evenly over eight partitions."""
    letters = store()
    for n in range(200):
        letters.keep(letter(n, id=str(uuid.uuid5(uuid.NAMESPACE_URL, str(n)))))
    table = letters.table
    assert isinstance(table, MemoryTable)
    counts = Counter(partition for partition, _ in table.rows)
    assert len(counts) == 8
    assert max(counts.values()) < 2 * 2 * 200 / 8


def test_a_letter_that_many_requests_share_goes_over_to_the_newest() -> None:
    """A letter shared by successive requests tells of the newest one and can be redriven again."""
    letters = store()
    first = letter(1, result_id=name(11))
    letters.keep(first)
    letters.mark_redriven(name(1), after(5), "ann@example.org")
    newest_one = letter(
        1, seconds=60, result_id=name(12), client_request_id=name(99), reason="NodeNotReady", body=b"{}"
    )
    letters.keep(newest_one)
    letters.keep(newest_one)

    kept = replace(newest_one, first_seen_at=first.first_seen_at)
    assert letters.read(name(1)) == kept
    assert newest(letters, 10)[0] == [replace(kept, body=b"")]


@pytest.mark.parametrize(("reason", "stays"), [("TooManyRequests", True), ("NodeNotReady", False)])
def test_a_settled_letter_that_many_requests_share_stays_settled(reason: str, *, stays: bool) -> None:
    """A settled letter of successive requests stays settled for the same error, and reopens for another."""
    letters = store()
    letters.keep(letter(1, result_id=name(11)))
    letters.settle(name(1), after(5), "ann@example.org")
    letters.keep(letter(1, seconds=60, result_id=name(12), reason=reason))

    kept = letters.read(name(1))
    assert kept is not None
    assert (kept.settled_at, kept.settled_by) == ((after(5), "ann@example.org") if stays else (None, None))
    assert bool(newest(letters, 10)[0]) is not stays


def test_a_failure_after_the_settlement_is_listed_again() -> None:
    """A settled letter is listed again if its request fails again, but not if the old end is repeated."""
    letters = store()
    letters.keep(letter(1))
    letters.settle(name(1), after(5), "ann@example.org")
    letters.keep(letter(1, last_seen_at=after(60)))
    assert newest(letters, 10)[0] == []
    letters.keep(letter(1, seconds=60))
    assert [found.id for found in newest(letters, 10)[0]] == [name(1)]


def test_the_first_settlement_holds() -> None:
    """A letter keeps who settled it first; settling it again changes nothing."""
    letters = store()
    letters.keep(letter(1))
    assert (letters.settle(name(1), after(5), "ann"), letters.settle(name(1), after(6), "bob")) == (True, True)
    kept = letters.read(name(1))
    assert kept is not None
    assert (kept.settled_at, kept.settled_by) == (after(5), "ann")
    assert letters.settle(name(2), after(5)) is False


def test_a_page_that_takes_the_service_long_says_where_to_go_on() -> None:
    """If the service is slow, a page may be empty and still have a continuation, from which the next goes on."""
    table = MemoryTable()
    letters = DeadLetterStore(table)
    for n in range(3):
        letters.keep(letter(n, seconds=n, id=f"{2 * n}0000000-0000-5000-8000-000000000000"))
    real, slow = table.query, [True]

    def looked(
        query: Query, columns: Sequence[str] | None, top: int, continuation: dict[str, str] | None = None
    ) -> Page:
        if slow[0] and query.partition == "letters-1":
            return Page((), {"PartitionKey": "letters-1", "RowKey": "at:"})
        return real(query, columns, top, continuation)

    table.query = looked  # type: ignore[method-assign]
    first, place = newest(letters, 10)
    assert (first, place) == ([], Place("", {"letters-1": {"PartitionKey": "letters-1", "RowKey": "at:"}}))
    slow[0] = False
    assert [found.first_seen_at for found in newest(letters, 10, place)[0]] == [after(2), after(1), after(0)]

"""What could not be done, kept once and listed newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import StorageUnavailable
from shared.results.dead_letters import MAX_BODY_BYTES, PARTITION, DeadLetter, DeadLetterStore
from shared.storage.table import Page
from tests.memory_table import MemoryTable, Repeated, failing_at
from tests.rows import NOW, PROBLEM, REQUEST_ID, after


def name(number: int) -> str:
    """The id of the letter with this number."""
    return f"00000000-0000-5000-8000-{number:012d}"


def letter(number: int = 1, seconds: float = 0, **fields: object) -> DeadLetter:
    """A dead letter first seen so many seconds after NOW."""
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


def test_a_letter_reads_back_whole() -> None:
    """With its body, byte for byte."""
    letters = store()
    letters.keep(letter())
    assert letters.read(name(1)) == letter()


def test_what_is_unknown_stays_unknown() -> None:
    """A message that is no request names no task."""
    bare = DeadLetter(name(1), "InvalidRequest", "rejected", "requests", NOW, NOW)
    letters = store()
    letters.keep(bare)
    assert letters.read(name(1)) == bare


def test_an_unknown_id_has_no_letter() -> None:
    """None, not an error."""
    assert store().read(name(1)) is None


def test_a_repeat_moves_its_last_time_alone() -> None:
    """Redelivery of the same end is the same letter, in its detail and in the list."""
    letters = store()
    letters.keep(letter())
    letters.keep(replace(letter(seconds=60), body=b"other", attempts=1))

    kept = replace(letter(), last_seen_at=after(60))
    assert letters.read(name(1)) == kept
    assert letters.newest(10)[0] == [replace(kept, body=b"")]


def test_the_newest_come_first_page_by_page() -> None:
    """Ordered by when they were first seen, whatever the order of writing; the summary leaves the body out."""
    letters = store()
    for n in (3, 1, 2, 5, 4):
        letters.keep(letter(n, seconds=n))

    first, more = letters.newest(3)
    assert [found.id for found in first] == [name(5), name(4), name(3)]
    second, end = letters.newest(3, more or "")
    assert [found.id for found in second] == [name(2), name(1)]
    assert end is None
    assert {found.body for found in first + second} == {b""}


def test_a_page_that_is_just_full_is_the_last_when_the_service_says_so() -> None:
    """The end is known by the service's word, not by a count."""
    letters = store()
    letters.keep(letter())

    assert letters.newest(1) == ([replace(letter(), body=b"")], None)


def test_a_page_that_the_service_ends_early_is_filled() -> None:
    """It may do so at any time, with a continuation behind few rows or none; the listing goes on from there."""
    table = MemoryTable()
    letters = DeadLetterStore(table)
    for n in range(7):
        letters.keep(letter(n, seconds=n))
    real, calls = table.query, 0

    def short(
        filter_text: str, columns: Sequence[str] | None, top: int, continuation: dict[str, str] | None = None
    ) -> Page:
        nonlocal calls
        calls += 1
        if calls == 2 and continuation:
            return Page((), continuation)
        return real(filter_text, columns, min(top, 2), continuation)

    table.query = short  # type: ignore[method-assign]
    first, more = letters.newest(5)
    second, end = letters.newest(5, more or "")

    assert [found.id for found in first + second] == [name(n) for n in (6, 5, 4, 3, 2, 1, 0)]
    assert (len(first), end) == (5, None)


@pytest.mark.parametrize("place", ["x", "251606795396999:' or true", "251606795396999", "*"])
def test_a_place_that_no_page_gave_is_refused(place: str) -> None:
    """It goes into a query, so that nothing else may stand in it."""
    with pytest.raises(ValueError, match="earlier answer"):
        store().newest(3, place)


def test_letters_of_one_instant_are_all_listed() -> None:
    """Two ends in one millisecond do not hide each other."""
    letters = store()
    for n in range(3):
        letters.keep(letter(n))
    assert {found.id for found in letters.newest(10)[0]} == {name(0), name(1), name(2)}


def test_an_instant_between_milliseconds_keeps_its_place() -> None:
    """Instants are stored in milliseconds: the place in the list is found again from what was stored."""
    letters = store()
    odd = letter(first_seen_at=NOW + timedelta(microseconds=999_999))
    letters.keep(odd)
    letters.keep(replace(odd, last_seen_at=after(60)))

    assert [found.last_seen_at for found in letters.newest(10)[0]] == [after(60)]


def test_a_mark_whose_answer_was_lost_is_known_again() -> None:
    """The client library wrote it twice and was refused the second time: it is this call's mark all the same."""
    letters = store()
    letters.keep(letter())
    table = letters.table
    assert isinstance(table, MemoryTable)
    table.fault = failing_at(3, "after", Repeated())

    assert letters.mark_redriven(name(1), after(60)) is True
    assert letters.mark_redriven(name(1), after(60)) is False


def test_a_letter_is_redriven_once() -> None:
    """The first mark holds; a second is refused, and so is one of a letter that is not there."""
    letters = store()
    letters.keep(letter())

    assert letters.mark_redriven(name(1), after(60)) is True
    assert letters.mark_redriven(name(1), after(90)) is False
    assert letters.mark_redriven(name(2), after(90)) is False
    kept = letters.read(name(1))
    assert kept is not None
    assert kept.redriven_at == after(60)
    assert letters.newest(10)[0][0].redriven_at == after(60)


def test_a_letter_that_fails_anew_can_be_put_back_again() -> None:
    """Its row was purged meanwhile, and the request came once more; a repeat of the old end is no new failure."""
    letters = store()
    letters.keep(letter())
    letters.mark_redriven(name(1), after(60))

    letters.keep(letter(last_seen_at=after(90)))
    assert letters.mark_redriven(name(1), after(91)) is False

    letters.keep(letter(seconds=100))
    kept = letters.read(name(1))
    assert kept is not None
    assert (kept.first_seen_at, kept.last_seen_at, kept.redriven_at) == (after(0), after(100), None)
    assert letters.newest(1)[0] == [replace(kept, body=b"")]
    assert letters.mark_redriven(name(1), after(110)) is True


def test_a_long_body_is_cut_to_what_a_column_holds() -> None:
    """64 KiB, as long as any queue message."""
    letters = store()
    letters.keep(letter(body=b"x" * (MAX_BODY_BYTES + 1)))
    kept = letters.read(name(1))
    assert kept is not None
    assert len(kept.body) == MAX_BODY_BYTES


@pytest.mark.parametrize("change", ["keep", "mark"])
def test_a_change_in_between_is_read_again(change: str) -> None:
    """Another worker that was faster is no failure: the row is read and written anew."""
    table = MemoryTable()
    letters = DeadLetterStore(table)
    letters.keep(letter())
    interruptions = [1]

    def interrupt(when: str, operation: str) -> None:
        if (when, operation) == ("before", "write") and interruptions:
            interruptions.clear()
            letters.keep(letter(seconds=30))

    table.fault = interrupt
    if change == "keep":
        letters.keep(letter(seconds=60))
    else:
        assert letters.mark_redriven(name(1), after(60)) is True

    kept = letters.read(name(1))
    assert kept is not None
    assert (kept.last_seen_at, kept.redriven_at) == ((after(60), None) if change == "keep" else (after(30), after(60)))


def test_a_letter_that_cannot_be_kept_is_not_tried_for_ever() -> None:
    """Half a letter, which no version of the app writes, ends as storage trouble: the message is seen again."""
    letters = store()
    letters.keep(letter())
    found = letters.table.read(PARTITION, f"id:{name(1)}")
    assert found is not None
    letters.table.delete_group([found])
    with pytest.raises(StorageUnavailable):
        letters.keep(letter())

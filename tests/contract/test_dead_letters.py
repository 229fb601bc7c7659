"""The same tests for both dead-letter tables: the storage service's, and the in-memory one of the unit tests."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from devstack.azurite import Azurite
from shared.results.dead_letter import DeadLetter
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_listing import LetterFilter, LetterListing, Place
from shared.settings import Settings
from shared.storage.table import AzureTable, RowWrite, Table
from shared.wiring.storage_clients import storage_credential, table_service
from tests.fakes.app import ENVIRONMENT
from tests.fakes.clock import FakeClock
from tests.fakes.table import MemoryTable
from tests.letters import old_rows
from tests.rows import NOW


@pytest.fixture(params=["memory", "azurite"])
def letters(request: pytest.FixtureRequest) -> DeadLetterStore:
    """An empty store of either kind, plus three letters stored as earlier versions did, in one partition."""
    table = MemoryTable() if request.param == "memory" else real_table(request.getfixturevalue("azurite"))
    for row in old_rows(3, NOW).values():
        table.write(RowWrite(row))
    return DeadLetterStore(table)


def real_table(azurite: Azurite) -> Table:
    """A table on the storage emulator."""
    settings = Settings.from_env({**ENVIRONMENT, "TaskDeleteStorage": azurite.connection_string})
    service = table_service(settings, storage_credential(settings, FakeClock()))
    return AzureTable(service, f"t{uuid.uuid4().hex}")


def letter(number: int, **columns: object) -> DeadLetter:
    """A dead letter whose number is its time; all are newer than those of earlier versions."""
    moment = NOW + timedelta(seconds=number)
    known: dict[str, object] = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),
        "reason": "InvalidUri",
        "outcome": "failed",
        "queue": "requests",
        "first_seen_at": moment,
        "last_seen_at": moment,
        "job_id": "Job-1",
        "body": b"{}",
    }
    return DeadLetter(**known | columns)  # type: ignore[arg-type]


def all_of(letters: DeadLetterStore, wanted: LetterFilter, top: int = 5) -> list[str]:
    """The ids that match a filter, read page by page."""
    found: list[str] = []
    place: Place | None = Place()
    while place is not None:
        page, place = LetterListing(letters).page(wanted, top, place)
        found += [each.id for each in page]
    return found


OLD = [f"{number:08x}-0000-5000-8000-00000000000f" for number in range(3)]


def test_old_and_new_letters_are_one_list(letters: DeadLetterStore) -> None:
    """Letters of this and of earlier versions are listed together, newest first, over all partitions and pages."""
    new = [letter(number) for number in range(1, 21)]
    for each in new:
        letters.keep(each)
    expected = [each.id for each in reversed(new)] + OLD
    assert all_of(letters, LetterFilter()) == expected
    assert all_of(letters, LetterFilter(job_id="jOB-1"), 200) == expected


def test_the_service_judges_what_the_filters_say(letters: DeadLetterStore) -> None:
    """Filters by text, time and mark select the right letters, also old ones that lack the column."""
    plain, other, rejected = letter(1), letter(2, reason="NodeNotReady", job_id="job-2"), letter(3, outcome="rejected")
    redriven, settled = letter(4), letter(5)
    for each in (plain, other, rejected, redriven, settled):
        letters.keep(each)
    letters.mark_redriven(redriven.id, NOW + timedelta(minutes=1), "ann@example.org")
    letters.settle(settled.id, NOW + timedelta(minutes=1))
    letters.settle(OLD[0], NOW + timedelta(minutes=1))
    letters.mark_redriven(OLD[1], NOW + timedelta(minutes=1))

    assert all_of(letters, LetterFilter(redrivable=True)) == [other.id, plain.id, OLD[2]]
    assert all_of(letters, LetterFilter(settled=True)) == [settled.id, OLD[0]]
    assert all_of(letters, LetterFilter(reason="NodeNotReady")) == [other.id]
    assert all_of(letters, LetterFilter(job_id="JOB-2")) == [other.id]
    assert all_of(letters, LetterFilter(outcome="rejected")) == [rejected.id]
    since, before = NOW + timedelta(seconds=2), NOW + timedelta(seconds=4)
    assert all_of(letters, LetterFilter(since=since, before=before)) == [rejected.id, other.id]
    kept = letters.read(redriven.id)
    assert kept is not None
    assert kept.redriven_by == "ann@example.org"


def test_forgetting_takes_both_rows_of_what_is_old(letters: DeadLetterStore) -> None:
    """Purging removes both rows of old dead letters and keeps newer ones."""
    young = letter(1, last_seen_at=NOW + timedelta(days=100))
    for each in (young, letter(2), letter(3)):
        letters.keep(each)
    gone = sum(letters.forget(partition, NOW + timedelta(days=1)) for partition in letters.partitions())
    assert gone == 10
    assert all_of(letters, LetterFilter()) == [young.id]

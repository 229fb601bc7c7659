"""What a clean-up remembers of the last page of tasks that it listed."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from shared.batch.listing import TaskPage
from shared.cleanup import pages
from shared.cleanup.record import Cleanup, Phase
from shared.request.model import DeletionRequest, derived_id
from tests.fakes.batch import DELETED
from tests.rows import request
from tests.unit.cleanup.test_selection import GOOD
from tests.unit.cleanup.test_state import AT_3, FRESH, NOW


def asked(*tasks: int) -> list[DeletionRequest]:
    """Requests for tasks, with derived ids."""
    event = str(uuid.UUID(int=7))
    return [request(clientRequestId=derived_id(event, "j", f"t-{n}"), taskId=f"t-{n}") for n in tasks]


def page(tasks: int, continuation: str | None) -> TaskPage:
    """A page of so many tasks."""
    return TaskPage(DELETED, (GOOD,) * tasks, continuation)


@pytest.mark.parametrize(
    ("found", "continuation", "recorded"),
    [
        (replace(FRESH, phase=Phase.WAITING), None, False),
        (replace(AT_3, next_page="b"), "a", True),
        (replace(AT_3, next_page="b"), "b", False),
        (replace(AT_3, next_page="b"), None, True),
        (replace(AT_3, next_page=None), "b", True),
    ],
)
def test_a_page_is_recorded_once(found: Cleanup, continuation: str | None, recorded: bool) -> None:
    """A page counts as recorded if the row names a later page, or no page, as the next one."""
    assert pages.is_recorded(found, continuation) is recorded


def test_pages_add_up() -> None:
    """Requested and skipped tasks of all pages add up, and the time of the first listing is kept."""
    first = pages.recorded(FRESH, page(5, "b"), asked(1, 2, 3), NOW)
    second = pages.recorded(first, page(2, None), asked(4, 5), NOW.replace(hour=9))
    assert (first.asked, first.skipped, first.next_page) == (3, 2, "b")
    assert (second.asked, second.skipped, second.next_page, second.first_listed_at) == (5, 2, None, NOW)


@pytest.mark.parametrize("links", ["a", "ba", "abc", "xyabcdefg", "xyzabcdefghijklmnop"])
@pytest.mark.parametrize("round_of", [1, 2, 3])
def test_a_listing_that_goes_round_is_found_out(links: str, round_of: int) -> None:
    """Whatever comes before it and however long it is: before three times as many pages as there are links."""
    row, step = FRESH, 0
    for link in links + links[-round_of:] * 50:
        if pages.leads_back(row, link):
            break
        row, step = replace(pages.followed(row, link), step=step + 1), step + 1
    assert len(links) <= step <= 3 * len(links) + 3


def test_a_listing_of_a_thousand_pages_does_not_go_round() -> None:
    """No link leads back while all are different."""
    row = FRESH
    for link in map(str, range(1_000)):
        assert not pages.leads_back(row, link)
        row = replace(pages.followed(row, link), step=row.step + 1)


def test_a_page_that_is_listed_again_asks_for_what_it_asked_for() -> None:
    """A page that is listed again requests only tasks that it had requested before."""
    noted = pages.recorded(FRESH, page(3, "b"), asked(1, 2, 3), NOW)
    assert pages.asked_again(noted, asked(2, 3, 4, 5)) == asked(2, 3)


def test_where_rows_are_counted_a_page_asks_for_all_that_it_finds() -> None:
    """Where requests have rows, a repeated page requests all it finds, since a row is counted only once."""
    noted = pages.recorded(replace(FRESH, with_rows=True), page(3, "b"), asked(1, 2, 3), NOW)
    assert (noted.asked, noted.page_ids) == (0, b"")
    assert pages.asked_again(noted, asked(2, 3, 4)) == asked(2, 3, 4)


def test_a_full_page_fits_into_its_column() -> None:
    """The ids of a full page of 1,000 tasks take 6,000 bytes, far below the column's 64 KiB."""
    assert len(pages.recorded(FRESH, page(1_000, None), asked(*range(1_000)), NOW).page_ids) == 6_000

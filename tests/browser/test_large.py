"""The page of an app with 10,000 dead letters and 1,000 clean-ups; `pytest -s` prints how long it takes."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from devstack.stack import Stack
from scripts.browser_tools import ROOT
from shared.cleanup.event import JobEvent, read_event
from shared.cleanup.record import Cleanup, Phase, event_hash
from shared.cleanup.store import CleanupStore
from shared.clock import SystemClock
from shared.ledger.pauses import Pauses
from shared.results.dead_letter import DeadLetter
from shared.results.dead_letters import DeadLetterStore
from shared.settings import Settings
from shared.storage.table import AzureTable
from shared.wiring.storage_clients import storage_credential, table_service
from tests.browser.watched import KEY, Watched, watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LETTERS = 10_000
CLEAN_UPS = 1_000
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def large() -> Iterator[Stack]:
    """A stack whose tables hold that many rows, written directly in the form that the app writes."""
    with Stack(ROOT, host_options=("--enable-auth",), env={"HOST_FUNCTION_KEY": KEY}, lease_seconds=60) as stack:
        fill(Settings.from_env(stack.env))
        yield stack


def fill(settings: Settings) -> None:
    """Writes rows in parallel."""
    clock = SystemClock()
    service = table_service(settings, storage_credential(settings, clock))
    letters = DeadLetterStore(AzureTable(service, settings.dead_letter_table))
    cleanups = CleanupStore(AzureTable(service, settings.request_table), Pauses(clock, random.random))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: letters.keep(a_letter(number)), range(LETTERS)))
        list(pool.map(lambda number: cleanups.write(None, a_clean_up(number, settings), NOW), range(CLEAN_UPS)))


def a_letter(number: int) -> DeadLetter:
    """A dead letter that can be redriven; each number is older than the one before."""
    seen = NOW - timedelta(seconds=number)
    body = b'{"jobId": "render", "taskId": "frame"}'
    return DeadLetter(
        str(uuid.uuid4()), f"Reason{number % 5}", "exhausted", "task-delete-requests", seen, seen, body=body
    )


def a_clean_up(number: int, settings: Settings) -> Cleanup:
    """A clean-up that has listed a job without tasks."""
    asked = {"clientRequestId": str(uuid.uuid4()), "jobId": f"render-{number}"}
    event = read_event(asked, settings.batch_accounts, NOW)
    assert isinstance(event, JobEvent)
    began = NOW - timedelta(minutes=number)
    return Cleanup(event, event_hash(event), began, Phase.LISTED, first_listed_at=began, ended_at=began)


@pytest.fixture
def look(browser: Browser, large: Stack) -> Iterator[Watched]:
    """A page of the app with many rows."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    look = watch(context, large.http_url)
    yield look
    context.close()
    assert look.errors == []


def test_the_first_look_does_not_grow_with_what_there_is(look: Watched) -> None:
    """The overview makes one summary and one health call, however many dead letters there are."""
    for number in range(3):
        before, began = len(look.calls), time.perf_counter()
        look.open()
        print(f"first look {number + 1}: {time.perf_counter() - began:.2f} s")
        assert sorted(look.calls[before:]) == [
            ("GET", "/api/health"),
            ("GET", "/api/operations"),
            ("GET", "/api/operations/summary"),
        ]
    assert look.page.get_by_role("link", name="More than 1,000 dead letters").is_visible()


def test_lists_are_loaded_page_by_page(look: Watched) -> None:
    """A list loads its next page only when asked to, however far down a person scrolls."""
    for fragment, rows in (("#dead-letters", 50), ("#clean-ups", 20)):
        look.open()
        began = time.perf_counter()
        look.go(fragment)
        look.until(f"document.querySelectorAll('tbody tr').length === {rows}")
        print(f"{fragment}: {time.perf_counter() - began:.2f} s")
        look.page.evaluate("scrollTo(0, document.body.scrollHeight)")
        look.page.wait_for_timeout(500)
        assert look.page.locator("tbody tr").count() == rows
        look.page.get_by_role("button", name="Load more").click()
        look.until(f"document.querySelectorAll('tbody tr').length === {2 * rows}")


def test_all_of_them_are_counted_before_a_question(look: Watched) -> None:
    """Before the page asks to confirm a bulk redrive, it counts all letters by dry runs of 1,000 each."""
    look.open("#dead-letters")
    began = time.perf_counter()
    look.page.get_by_role("button", name="Redrive all that match").click()
    look.page.get_by_role("dialog").wait_for()
    print(f"counted in {time.perf_counter() - began:.2f} s")
    assert "Redrive 10,000 dead letters" in look.page.get_by_role("dialog").inner_text()
    assert look.acts() == [("POST", "/api/dead-letters/redrive")] * 10
    look.page.get_by_role("button", name="Go back").click()

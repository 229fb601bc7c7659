"""What a refresh leaves unchanged, and when the page does not refresh."""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING

from tests.browser.backstage import Backstage
from tests.browser.watched import KEY, Watched

if TYPE_CHECKING:
    from playwright.sync_api import Route

HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
MARK = """() => {
  const text = document.querySelector("article dd").querySelector("span").firstChild;
  document.getSelection().setBaseAndExtent(text, 0, text, text.length);
}"""


def refreshed(look: Watched) -> None:
    """Waits until one more refresh has been shown."""
    with look.page.expect_response(lambda answer: "operations/summary" in answer.url):
        pass
    look.page.wait_for_timeout(1_000)


def test_a_refresh_changes_nothing_under_the_hands_of_a_person(look: Watched, backstage: Backstage) -> None:
    """A refresh keeps ticks, open letter, focus, selection and scrolling; new letters are added on request."""
    job = backstage.job(60)
    backstage.given_up(job, 30)
    look.open(f"#dead-letters?jobId={job}")
    tick = look.page.get_by_label("Tick dead letter task task-20 ")
    tick.check()
    look.page.get_by_label("Open dead letter task task-5 ").click()
    look.page.get_by_label("Body as received").wait_for()
    tick.focus()
    look.page.evaluate("scrollTo(0, 700)")
    look.page.evaluate(MARK)
    marked = look.page.evaluate("document.getSelection().toString()")
    backstage.given_up(job, 3)
    look.page.get_by_role("button", name="3 new").wait_for()
    refreshed(look)
    assert look.page.evaluate("scrollY") == 700
    assert tick.is_checked()
    assert look.page.get_by_label("Body as received").is_visible()
    assert look.page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Tick dead letter")
    assert (look.page.evaluate("document.getSelection().toString()"), marked != "") == (marked, True)
    assert look.page.locator("tbody input").count() == 30
    look.page.get_by_role("button", name="3 new").click()
    assert look.page.locator("tbody input").count() == 33
    assert look.spoken == ""


def test_back_closes_what_was_opened(look: Watched, backstage: Backstage) -> None:
    """The address holds part, filter and id, so a reload opens the same letter again and Back closes it."""
    job = backstage.job(2)
    backstage.given_up(job, 2)
    look.open(f"#dead-letters?jobId={job}")
    look.page.get_by_label("Open dead letter task task-1 ").click()
    look.page.get_by_label("Body as received").wait_for()
    look.page.reload()
    look.page.get_by_label("Body as received").wait_for()
    look.page.go_back()
    look.page.wait_for_selector("article", state="detached")
    assert look.page.get_by_label("Job", exact=True).input_value() == job
    assert look.page.locator("tbody input").count() == 2


def test_a_tab_that_nobody_sees_asks_nothing(look: Watched) -> None:
    """A hidden tab makes no calls, and refreshes as soon as it is visible again."""
    look.open()
    look.page.evaluate(HIDE, True)
    look.page.wait_for_timeout(1_000)
    calls = len(look.calls)
    look.page.wait_for_timeout(7_000)
    assert len(look.calls) == calls
    look.page.evaluate(HIDE, False)
    look.page.wait_for_timeout(1_000)
    assert len(look.calls) > calls


def test_after_a_fault_old_numbers_show_their_age(look: Watched) -> None:
    """After a failed refresh the page announces the fault once and shows old numbers with their age."""
    look.open()

    def fail(route: Route) -> None:
        route.abort()

    look.page.route("**/api/operations/summary", fail)
    look.page.wait_for_selector("text=/Out of date: as of .*Z, [0-9]+ s ago/")
    assert look.spoken == "The app cannot be reached."
    assert look.page.get_by_role("row", name=re.compile("task-delete-requests ")).is_visible()
    assert look.page.get_attribute("#verdict", "data-level") == "unknown"
    look.page.unroute("**/api/operations/summary")
    look.page.wait_for_selector("#fault", state="hidden")
    assert "As of" in look.page.inner_text("#freshness")
    look.provoked("ERR_FAILED")


def test_a_fault_of_one_part_is_none_of_the_verdict(look: Watched) -> None:
    """An error of one part, such as an invalid filter, is shown and leaves the app's verdict unchanged."""
    look.open()
    level = look.page.get_attribute("#verdict", "data-level")
    look.go("#dead-letters?since=yesterday")
    look.page.wait_for_selector("#fault:has-text('query:since')")
    assert look.page.get_attribute("#verdict", "data-level") == level
    look.provoked("400")


def test_a_tab_that_was_opened_in_the_background_asks_nothing(look: Watched) -> None:
    """A tab opened in the background calls nothing, not even what its address names, until it is visible."""
    look.page.add_init_script("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });")
    look.page.goto(f"{look.url}/api/operations?code={KEY}#dead-letters?id={uuid.uuid4()}")
    look.page.wait_for_timeout(2_000)
    assert look.calls == [("GET", "/api/operations")]


def test_times_count_from_the_clock_of_the_app(look: Watched, backstage: Backstage) -> None:
    """Ages on the page count from the app's clock, even if the browser's is a day ahead; times are in UTC."""
    job = backstage.job(1)
    backstage.given_up(job, 1)
    look.page.clock.set_system_time(_a_day_ahead())
    look.open(f"#dead-letters?jobId={job}")
    moment = look.page.locator(".moment").first
    moment.wait_for()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ (just now|\d+ (s|min)( \d+ s)? ago)", moment.inner_text())


def _a_day_ahead() -> float:
    return time.time() + 86_400

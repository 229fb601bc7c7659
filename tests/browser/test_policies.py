"""Retention policies and sweeps on the page."""

from __future__ import annotations

from tests.browser.backstage import Backstage
from tests.browser.watched import Watched


def test_a_preview_counts_tasks_and_a_sweep_deletes_them(look: Watched, backstage: Backstage) -> None:
    """A preview of a policy runs without a confirmation and deletes nothing; a sweep asks first, then deletes."""
    job = backstage.job(7, "swept-")
    look.open("#policies")
    look.page.get_by_role("button", name="Preview finished").click()
    look.page.wait_for_selector("article >> text=Sweep (dry run)")
    look.until("/done/.test(document.querySelector('article dd').textContent)")
    article = look.page.get_by_role("article")
    assert "nothing is deleted" in article.inner_text()
    look.page.get_by_text("Sample for finished").click()
    assert f"jobs/{job}/tasks/task-" in article.inner_text()
    look.page.go_back()
    look.page.get_by_role("button", name="Sweep now http").click()
    question = look.page.get_by_role("dialog")
    assert question.get_by_role("heading").inner_text().startswith("Sweep now with all policies of 1 account: http")
    question.get_by_role("button", name="Sweep now").click()
    look.page.wait_for_selector("article >> text=deleted 7")
    assert look.acts() == [("POST", "/api/retention-sweeps")] * 2
    look.go("#first-look")
    look.page.get_by_role("region", name="Last sweeps").get_by_role("link").wait_for()


def test_a_refused_sweep_says_why(look: Watched) -> None:
    """When the API refuses a sweep, the page shows the API's message."""
    look.open("#policies")
    look.page.route("**/api/retention-sweeps", lambda route: route.fulfill(status=409, json=RUNNING))
    look.page.get_by_role("button", name="Preview finished").click()
    look.page.wait_for_selector("text=A sweep of this account is already running.")
    look.provoked("409")


RUNNING = {
    "code": "SweepRunning",
    "message": {"lang": "en-US", "value": "A sweep of this account is already running."},
    "values": [],
}

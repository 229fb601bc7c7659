"""Redrive and settle by keyboard alone, and refreshes that leave marks, ticks and open dialogs alone."""

from __future__ import annotations

import re

import pytest

from tests.browser.backstage import Backstage
from tests.browser.test_refresh import refreshed
from tests.browser.watched import Watched

FOCUSED = "document.activeElement.textContent.trim() || document.activeElement.getAttribute('aria-label')"
MARK_ROW = """() => {
  const row = document.querySelectorAll("tbody tr")[1];
  document.getSelection().setBaseAndExtent(row.cells[2], 0, row.cells[5], row.cells[5].childNodes.length);
}"""
MARKED = "document.getSelection().toString()"


def tab_to(look: Watched, name: str) -> None:
    """Presses Tab until the element with that name has the focus."""
    seen = []
    for _ in range(80):
        look.page.keyboard.press("Tab")
        seen.append(look.page.evaluate(FOCUSED) or "")
        if re.fullmatch(name, seen[-1]):
            return
    pytest.fail(f"{name} cannot be reached: {seen}")


def test_all_that_match_are_redriven_by_keyboard_alone(look: Watched, backstage: Backstage) -> None:
    """All dead letters that match a filter can be redriven, confirmation included, with the keyboard alone."""
    job = backstage.job(2)
    backstage.given_up(job, 2)
    look.open()
    look.go("#dead-letters")
    look.page.get_by_role("button", name="Redrive all that match").wait_for()
    look.page.get_by_label("Job", exact=True).focus()
    look.page.keyboard.type(job)
    look.page.keyboard.press("Enter")
    look.until("document.querySelectorAll('tbody input').length === 2")
    look.page.evaluate("document.activeElement.blur()")
    tab_to(look, "Redrive all that match")
    look.page.keyboard.press("Space")
    look.page.get_by_role("dialog").wait_for()
    assert look.page.evaluate(FOCUSED) == "Go back"
    for _ in range(4):
        # The focus stays in the question, whatever Tab does.
        look.page.keyboard.press("Tab")
        assert look.page.evaluate(
            "document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
        )
    look.page.get_by_role("dialog").get_by_role("button", name="Go back").focus()
    tab_to(look, "Redrive 2")
    look.page.keyboard.press("Enter")
    look.page.wait_for_selector("text=Redriven 2 of 2 dead letters.")
    assert look.page.evaluate(FOCUSED) == "Redrive all that match"
    backstage.until(lambda: all(letter["redrivenAt"] for letter in backstage.letters(jobId=job)))


def test_ticked_letters_are_settled_by_keyboard_alone(look: Watched, backstage: Backstage) -> None:
    """Dead letters can be ticked and settled with the keyboard alone, and the focus returns to the Settle button."""
    job = backstage.job(2)
    backstage.given_up(job, 2)
    look.open(f"#dead-letters?jobId={job}")
    look.until("document.querySelectorAll('tbody input').length === 2")
    look.page.evaluate("document.body.focus()")
    tab_to(look, f"Tick dead letter task task-1 of job {job}")
    look.page.keyboard.press("Space")
    for _ in range(80):
        look.page.keyboard.press("Shift+Tab")
        if look.page.evaluate(FOCUSED) == "Settle 1 ticked":
            break
    look.page.keyboard.press("Enter")
    look.page.get_by_role("dialog").wait_for()
    tab_to(look, "Settle 1")
    look.page.keyboard.press("Enter")
    look.page.wait_for_selector("text=Settled 1 of 1 dead letter.")
    assert "Settle" in look.page.evaluate(FOCUSED)
    assert [letter["taskId"] for letter in backstage.letters(jobId=job)] == ["task-2"]


def test_marked_rows_stay_marked_while_their_ages_and_states_change(look: Watched, backstage: Backstage) -> None:
    """Text selected in the list stays selected when a refresh changes the ages and states of its rows."""
    job = backstage.job(3)
    backstage.given_up(job, 3)
    look.open(f"#dead-letters?jobId={job}")
    look.until("document.querySelectorAll('tbody input').length === 3")
    look.page.evaluate(MARK_ROW)
    before = look.page.evaluate(MARKED)
    backstage.act(f"dead-letters/{backstage.letters(jobId=job)[1]['id']}/redrive")
    look.page.wait_for_selector("tbody >> text=redriven")
    refreshed(look)
    assert without_age(look.page.evaluate(MARKED)) == without_age(before)
    assert job in before


def test_a_refresh_leaves_a_question_as_it_is(look: Watched, backstage: Backstage) -> None:
    """An open confirmation keeps its number, sample and focus when new dead letters arrive behind it."""
    job = backstage.job(3)
    backstage.given_up(job, 2)
    look.open(f"#dead-letters?jobId={job}")
    look.page.get_by_role("button", name="Settle all that match").click()
    question = look.page.get_by_role("dialog")
    question.wait_for()
    before = question.inner_text()
    backstage.given_up(job, 1)
    refreshed(look)
    assert question.inner_text() == before
    assert look.page.evaluate(FOCUSED) == "Go back"
    question.get_by_role("button", name="Settle 2").click()
    look.page.wait_for_selector("text=Settled 2 of 2 dead letters.")
    assert [letter["taskId"] for letter in backstage.letters(jobId=job)] == ["task-3"]


@pytest.mark.parametrize("part", ["Find", "Delete a task", "Dead letters"])
def test_a_field_under_the_hands_of_a_person_keeps_what_is_typed(look: Watched, part: str) -> None:
    """A refresh keeps the text and the cursor position of the form field that a person is typing in."""
    fragments = {
        "Find": ("#find", "#find-id"),
        "Delete a task": ("#ask", "#ask-jobId"),
        "Dead letters": ("#dead-letters", "#filter-job"),
    }
    fragment, field = fragments[part]
    look.open(fragment)
    look.page.locator(field).fill("render-7")
    look.page.evaluate(f"document.querySelector('{field}').setSelectionRange(2, 5)")
    refreshed(look)
    cursor = (
        f"(({{selectionStart: from, selectionEnd: to, value}}) => [from, to, value])(document.querySelector('{field}'))"
    )
    assert look.page.evaluate(cursor) == [2, 5, "render-7"]


def without_age(text: str) -> str:
    """Selected text without the relative times in it."""
    return re.sub(r"(just now|\d+ (s|min)( \d+ s)? ago)", "", text)

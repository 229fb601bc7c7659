"""Accessibility of the page: axe-core's scan, keyboard, a phone's screen, and the screenshots for the docs."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.browser_tools import AXE
from tests.browser.backstage import Backstage
from tests.browser.watched import Watched

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 360, "height": 740}}
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def fragments(backstage: Backstage) -> dict[str, str]:
    """The URL fragment of every part of the page that has something to show, by its screenshot's name."""
    job, event = backstage.job(40), str(uuid.uuid4())
    backstage.given_up(job, 3)
    backstage.put({"clientRequestId": str(uuid.uuid4()), "jobId": job, "taskId": "task-1", "ifmatch": "\u202e<b>"})
    backstage.until(lambda: backstage.count(jobId=job) == 4)
    backstage.post("job-completions", {"clientRequestId": event, "jobId": job, "deleteAfter": "PT1H"})
    letter = backstage.letters(jobId=job, outcome="rejected")[0]["id"]
    return {
        "first-look": "#first-look",
        "find": f"#find?id={event}&kind=clean-up",
        "clean-ups": "#clean-ups",
        "dead-letters": f"#dead-letters?jobId={job}&id={letter}",
        "policies": "#policies",
        "ask": f"#ask?letter={letter}",
    }


def shown(look: Watched, fragment: str) -> None:
    """Opens a part of the page and waits until its data has loaded."""
    look.go(fragment)
    look.page.wait_for_load_state("networkidle")
    look.page.wait_for_timeout(300)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_serious(
    new_page: Callable[..., Watched], fragments: dict[str, str], size: str, scheme: str, request: pytest.FixtureRequest
) -> None:
    """No part of the page, nor its dialog, has a serious axe-core violation or is wider than the screen."""
    look = new_page(viewport=SIZES[size], color_scheme=scheme)
    look.open()
    folder: Path | None = request.config.getoption("--screenshots")
    for name, fragment in fragments.items():
        shown(look, fragment)
        assert _serious(look) == [], name
        assert look.page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], name
        if folder and (size == "desk" or name == "first-look"):
            folder.mkdir(parents=True, exist_ok=True)
            suffix = "-phone" if size == "phone" else ""
            look.page.screenshot(path=folder / f"page-{name}{suffix}-{scheme}.png", full_page=True)
    shown(look, fragments["dead-letters"])
    look.page.get_by_role("button", name="Settle all that match").click()
    look.page.get_by_role("dialog").wait_for()
    assert _serious(look) == []


def _serious(look: Watched) -> list[dict[str, Any]]:
    """Violations that axe-core calls serious. The script is evaluated, as the page's policy forbids inserting it."""
    look.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = look.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        {"id": one["id"], "nodes": [node["html"][:200] for node in one["nodes"]]}
        for one in found
        if one["impact"] in SERIOUS
    ]


def test_a_letter_is_settled_by_keyboard_alone(look: Watched, backstage: Backstage) -> None:
    """A dead letter can be opened and settled, confirmation included, with the keyboard alone."""
    job = backstage.job(1)
    backstage.given_up(job, 1)
    look.open(f"#dead-letters?jobId={job}")
    look.page.get_by_role("link", name="Open dead letter").focus()
    look.page.keyboard.press("Enter")
    look.page.get_by_label("Body as received").wait_for()
    for _ in range(30):
        look.page.keyboard.press("Tab")
        if look.page.evaluate("document.activeElement.textContent") == "Settle":
            break
    look.page.keyboard.press("Enter")
    look.page.get_by_role("dialog").wait_for()
    look.page.keyboard.press("Tab")
    look.page.keyboard.press("Enter")
    look.page.wait_for_selector("text=no longer listed")
    assert backstage.count(jobId=job) == 0

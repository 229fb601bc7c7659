"""A page that records its console messages, its calls and the violations of its content policy."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

KEY = "the-key-of-the-tests"
PATIENCE = 60_000
"""Milliseconds, on a machine that is busy with something else."""

_NOTE_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective}`));
"""


@dataclass
class Watched:
    """The operator's page of one app in one browser context."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    """Errors and warnings on the console. A test removes those it provoked."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each call to the app."""
    strangers: list[str] = field(default_factory=list)
    """Requests to anywhere else."""

    def open(self, fragment: str = "", code: str = KEY) -> None:
        """Opens the page with the key in its address, and waits for the verdict."""
        self.page.goto(f"{self.url}/api/operations?code={code}{fragment}")
        self.page.wait_for_selector("#verdict:not([hidden])")

    def go(self, fragment: str) -> None:
        """Follows a link within the page."""
        self.page.evaluate("fragment => { location.hash = fragment; }", fragment)

    def until(self, expression: str) -> None:
        """Waits until an expression holds; Playwright's own waiting evaluates text, which the policy forbids."""
        deadline = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, expression
            self.page.wait_for_timeout(100)

    def provoked(self, part: str) -> None:
        """Removes the recorded errors that the test itself caused."""
        self.errors = [text for text in self.errors if part not in text]

    def acts(self) -> list[tuple[str, str]]:
        """The recorded calls that change something."""
        return [(method, path) for method, path in self.calls if method != "GET"]

    @property
    def spoken(self) -> str:
        """The text last announced to screen readers."""
        return (self.page.text_content("#spoken") or "").strip()


def watch(context: BrowserContext, url: str) -> Watched:
    """A new page whose console messages, calls and violations are recorded from the start."""
    context.set_default_timeout(PATIENCE)
    context.add_init_script(_NOTE_VIOLATIONS)
    watched = Watched(context.new_page(), url)

    def note_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            watched.errors.append(message.text)

    def note_request(request: Request) -> None:
        if request.url.startswith(url):
            watched.calls.append((request.method, urlsplit(request.url).path))
        else:
            watched.strangers.append(request.url)

    watched.page.on("console", note_console)
    watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
    watched.page.on("request", note_request)
    return watched

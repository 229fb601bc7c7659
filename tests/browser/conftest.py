"""The local stack with keys, and Chromium in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devstack.stack import Stack
from devstack.stack_settings import USUAL_PORTS, Ports, where_free
from scripts.browser_tools import chromium
from tests.browser.backstage import Backstage
from tests.browser.watched import KEY, Watched, watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""For a machine without a screen, and to keep the browser from making calls for itself."""
SETTINGS = {
    "HOST_FUNCTION_KEY": KEY,
    "OPERATION_BUDGET_SECONDS": "20",
    "BATCH_RETRY_BASE_SECONDS": "0.5",
    "BATCH_RETRY_MAX_SECONDS": "1",
    "BATCH_MAX_ATTEMPTS": "2",
    "RETENTION_POLICIES": '[{"name": "finished", "jobs": "swept-*", "deleteAfter": "P0D"}]',
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--screenshots`, which names the folder for pictures of the page."""
    parser.addoption("--screenshots", type=Path, help="folder to write the pictures of the documents to")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One local stack for all browser tests, on the usual port if that is free, because screenshots show it."""
    ports = where_free(Ports(http=USUAL_PORTS.http))
    with Stack(ROOT, ports=ports, host_options=("--enable-auth",), env=SETTINGS, lease_seconds=60) as running:
        yield running


@pytest.fixture(scope="session")
def backstage(stack: Stack) -> Backstage:
    """Access to the app behind the page."""
    return Backstage(stack, KEY)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    program = chromium()
    if program is None:
        pytest.fail("no Chromium; `make test-browser` says what to install")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def new_page(browser: Browser, stack: Stack) -> Iterator[Callable[..., Watched]]:
    """Opens pages in separate browser contexts, and fails at the end if any of them logged an error."""
    contexts: list[BrowserContext] = []
    pages: list[Watched] = []

    def make(**options: Any) -> Watched:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options))
        pages.append(watch(contexts[-1], stack.http_url))
        return pages[-1]

    yield make
    for context in contexts:
        context.close()
    assert [error for page in pages for error in page.errors] == []
    assert [stranger for page in pages for stranger in page.strangers] == []


@pytest.fixture
def look(new_page: Callable[..., Watched]) -> Watched:
    """A page with the viewport of a desktop screen."""
    return new_page()

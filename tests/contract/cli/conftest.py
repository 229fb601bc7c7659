"""Fixtures of the tests of the command line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.cli.command import Command
from tests.contract.cli.played_app import PlayedApp


@pytest.fixture
def app() -> Iterator[PlayedApp]:
    """A played app that takes calls."""
    with PlayedApp() as played:
        yield played


@pytest.fixture
def command(app: PlayedApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line, pointed at the played app."""
    return Command(app.url, monkeypatch, capsys)

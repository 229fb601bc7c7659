"""What most unit tests work on."""

from __future__ import annotations

import logging

import pytest

from tests.fakes.app import World


@pytest.fixture
def world() -> World:
    """An app with its defaults."""
    return World()


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of expected warnings would only take time."""
    caplog.set_level(logging.CRITICAL)

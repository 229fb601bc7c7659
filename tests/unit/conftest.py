"""Fixtures that most unit tests use."""

from __future__ import annotations

import logging

import pytest

from tests.fakes.app import World


@pytest.fixture
def world() -> World:
    """An app with default settings."""
    return World()


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Silences thousands of expected warnings."""
    caplog.set_level(logging.CRITICAL)

"""What most unit tests work on."""

from __future__ import annotations

import pytest

from tests.fakes.app import World


@pytest.fixture
def world() -> World:
    """An app with its defaults."""
    return World()

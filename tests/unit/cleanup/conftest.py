"""What most tests of clean-ups work on."""

from __future__ import annotations

import pytest

from tests.fakes.app import World, job_world


@pytest.fixture
def world() -> World:
    """The job that is cleaned up."""
    return job_world()

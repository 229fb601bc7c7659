"""The app and job that most tests of clean-ups use."""

from __future__ import annotations

import pytest

from tests.fakes.app import World, job_world


@pytest.fixture
def world() -> World:
    """An app with the job that is cleaned up."""
    return job_world()

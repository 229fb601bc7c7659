"""The app's surroundings in the worker tests: a real storage emulator, identity endpoint and Batch account."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devstack.azurite import Azurite
from tests.stack_fixtures import batch_simulator, identity_endpoint, stack_environment

__all__ = ["batch_simulator", "identity_endpoint", "stack_environment"]


@pytest.fixture
def settings(azurite: Azurite, stack_environment: dict[str, str], unique_name: Callable[[str], str]) -> dict[str, str]:
    """The app settings, with queues and tables that only one test uses."""
    return {
        **stack_environment,
        "TaskDeleteStorage": azurite.connection_string,
        "REQUEST_QUEUE_NAME": unique_name("requests"),
        "JOB_COMPLETION_QUEUE_NAME": unique_name("jobs"),
        "RESULT_QUEUE_NAME": unique_name("results"),
        "REQUEST_TABLE_NAME": unique_name("rows"),
        "DEAD_LETTER_TABLE_NAME": unique_name("letters"),
        "PYTHON_THREADPOOL_THREAD_COUNT": "8",
    }

"""The local stack with short waiting times, and a wait for conditions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from devstack.azurite import Azurite
from devstack.stack import ROOT, Stack

# A budget of seconds, so that a killed host's messages come back soon; in the cloud it is 90 s of 10 min.
SETTINGS = {"OPERATION_BUDGET_SECONDS": "20", "BATCH_RETRY_BASE_SECONDS": "0.5"}
LEASE_SECONDS = 60
PATIENCE = 1_500


def quick_stack(azurite: Azurite | None = None, logs: Path | None = None, **settings: str) -> Stack:
    """The app with short waiting times on a stack that has not been started yet."""
    return Stack(ROOT, env=SETTINGS | settings, lease_seconds=LEASE_SECONDS, azurite=azurite, logs=logs)


def wait_until(condition: Callable[[], bool], every_seconds: float = 0.05) -> None:
    """Waits until a condition holds; fails when that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(every_seconds)

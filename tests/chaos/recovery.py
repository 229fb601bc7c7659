"""What ends everything once faults have stopped: the host, the daily round, and a patient caller."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from shared.errors import AppError, StorageUnavailable
from tests.chaos.faults import ProcessDied
from tests.fakes.app import INPUTS, World

T = TypeVar("T")


def until_quiet(world: World, rounds: int = 40) -> None:
    """Lets the host deliver and the daily round run until nothing is left to do, ignoring the functions' errors."""
    for _ in range(rounds):
        world.settle(400, withstand=(AppError, ProcessDied))
        world.clock.advance(timedelta(hours=2).total_seconds())
        with suppress(AppError, ProcessDied):
            world.app.housekeeping.round(600)
        if not any(world.messages(queue) for queue in INPUTS):
            return
    raise AssertionError(f"not quiet after {rounds} rounds")


def call_until_answered(world: World, ask: Callable[[], T], tries: int = 50) -> T:
    """Repeats a call over HTTP, a minute later each time, until it is answered."""
    for _ in range(tries):
        try:
            return ask()
        except (StorageUnavailable, ProcessDied):
            world.clock.advance(60)
    raise AssertionError(f"no answer after {tries} tries")

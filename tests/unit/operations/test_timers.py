"""Whether the app's own timers still run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from croniter import croniter

from shared.operations.timers import PERIODS, Timers, TimerStopped
from tests.fakes.clock import FakeClock
from tests.fakes.table import MemoryTable
from tests.functions import functions

NAME = "report_queue_depths"


def test_a_timer_that_runs_is_well() -> None:
    """A timer is healthy for up to three periods after its last run."""
    clock = FakeClock()
    timers = Timers(MemoryTable(), clock)
    for _ in range(3):
        timers.ran(NAME)
        clock.advance(3 * PERIODS[NAME].total_seconds())
        timers.check()


def test_a_timer_that_has_stopped_is_named_with_its_last_run() -> None:
    """A timer that has not run for over three periods is reported with its last run, whichever instance ran it."""
    clock, table = FakeClock(), MemoryTable()
    Timers(table, clock).ran(NAME)
    clock.advance(3 * PERIODS[NAME].total_seconds() + 1)
    with pytest.raises(TimerStopped, match=f"{NAME} has not run since 2026-11-24T07:30:00.000Z"):
        Timers(table, clock).check()


def test_a_timer_that_never_ran_is_none() -> None:
    """A timer that has never run, as in a new app, is not reported."""
    Timers(MemoryTable(), FakeClock()).check()


def test_every_timer_of_an_hour_or_less_is_watched() -> None:
    """The watched timers are the app's frequent ones, with the periods of their schedules."""
    found = {}
    for function in functions():
        trigger = function.get_trigger()
        if trigger.type == "timerTrigger":
            minute = croniter(trigger.schedule.split(" ", 1)[1], 0.0)
            first, second = minute.get_next(float), minute.get_next(float)
            found[function.get_function_name()] = timedelta(seconds=second - first)
    assert {name: period for name, period in found.items() if period <= timedelta(hours=1)} == PERIODS

"""Schedules of timer functions in the local host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from devstack.host.bindings import IndexedFunction, TimerTrigger
from devstack.host.exchange import Invocation, TimerInput
from devstack.host.invoker import Invoker
from devstack.host.timers import Timer, next_occurrence
from tests.fakes.clock import FakeClock

NOW = datetime(2026, 11, 24, 7, 30, 15, tzinfo=UTC)
TRIGGER = TimerTrigger("tick", "0 */2 * * * *")


@pytest.mark.parametrize(
    ("schedule", "upcoming"),
    [
        ("*/10 * * * * *", datetime(2026, 11, 24, 7, 30, 20, tzinfo=UTC)),
        ("0 0 3 * * *", datetime(2026, 11, 25, 3, 0, 0, tzinfo=UTC)),
        ("30 0 3 * * 0", datetime(2026, 11, 29, 3, 0, 30, tzinfo=UTC)),
    ],
)
def test_the_first_of_six_fields_is_the_second(schedule: str, upcoming: datetime) -> None:
    """Schedules have six fields, of which the first is the second, as in NCRONTAB."""
    assert next_occurrence(schedule, NOW) == upcoming


@pytest.mark.parametrize("schedule", ["", "0 0 3", "0 3 * * *", "00:05:00", "99 * * * * *", "1 2 3 4 5 6 7"])
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    """A schedule with five fields, a time span, or anything malformed is refused."""
    with pytest.raises(ValueError, match=r"."):
        next_occurrence(schedule, NOW)


class LongRuns:
    """Runs of five minutes each, on a clock that otherwise stands still; the third ends the test."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.given: list[tuple[datetime, TimerInput]] = []
        self.timer = Timer(IndexedFunction("f", TRIGGER, ()), TRIGGER, cast("Invoker", self), self.clock)

    def run(self, invocation: Invocation) -> None:
        """One run."""
        assert isinstance(invocation.given, TimerInput)
        self.given.append((self.clock.now(), invocation.given))
        self.clock.advance(300)
        if len(self.given) == 3:
            self.timer.begin_stop()


def test_a_tick_that_falls_into_a_run_comes_right_after_it() -> None:
    """After a long run, one of the missed ticks fires at once, with the last start and its own instant."""
    runs = LongRuns()
    runs.clock.advance(105)  # to the first tick
    runs.timer.keep()
    began, ticks = zip(*runs.given, strict=True)
    first = datetime(2026, 11, 24, 7, 32, tzinfo=UTC)
    assert began == (first, first + timedelta(minutes=5), first + timedelta(minutes=10))
    assert ticks[0] == TimerInput(None, first)
    assert ticks[1] == TimerInput(first, first + timedelta(minutes=2))
    assert ticks[2] == TimerInput(began[1], first + timedelta(minutes=6))

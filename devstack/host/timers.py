"""Timer triggers: NCRONTAB schedules with seconds, in UTC."""

from __future__ import annotations

import threading
from datetime import datetime

from croniter import croniter

from devstack.host.bindings import IndexedFunction, TimerTrigger
from devstack.host.exchange import Invocation, TimerInput
from devstack.host.invoker import Invoker
from shared.clock import Clock

_FIELDS = 6
_LONGEST_WAIT_SECONDS = 60.0  # so that a clock that was set, or a laptop that slept, is noticed


def next_occurrence(schedule: str, after: datetime) -> datetime:
    """The first instant after `after` in the schedule.

    The schedule has six fields, the first being seconds. Raises ValueError for anything else, also for a TimeSpan.
    """
    if len(schedule.split()) != _FIELDS:
        raise ValueError(f"{schedule!r} is not an NCRONTAB expression of six fields")
    upcoming: datetime = croniter(schedule, after, second_at_beginning=True).get_next(datetime)
    return upcoming


class Timer:
    """Fires one function by its schedule, never two runs at a time. Raises ValueError for a bad schedule."""

    def __init__(self, function: IndexedFunction, trigger: TimerTrigger, invoker: Invoker, clock: Clock) -> None:
        self._function = function
        self._schedule = trigger.schedule
        self._invoker = invoker
        self._clock = clock
        self._stop = threading.Event()
        self._last: datetime | None = None
        self._next = next_occurrence(trigger.schedule, clock.now())
        self._thread = threading.Thread(target=self.keep, name=f"timer-{function.name}", daemon=True)

    def start(self) -> None:
        """Starts to follow the schedule."""
        self._thread.start()

    def begin_stop(self) -> None:
        """Runs no more ticks."""
        self._stop.set()

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._thread.is_alive()

    def keep(self) -> None:
        """Runs the function by its schedule until stopped. If ticks fall into a long run, one fires right after it."""
        while not self._stop.is_set():
            now = self._clock.now()
            remaining = (self._next - now).total_seconds()
            if remaining > 0:
                self._stop.wait(min(remaining, _LONGEST_WAIT_SECONDS))
                continue
            given = TimerInput(self._last, self._next)
            self._last, self._next = now, next_occurrence(self._schedule, now)
            self._invoker.run(Invocation(self._function, given))

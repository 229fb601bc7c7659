"""Timer triggers: NCRONTAB schedules with seconds, in UTC."""

from __future__ import annotations

import json
import logging
import threading
from datetime import datetime

from azure.functions.meta import Datum
from croniter import croniter

from devstack.host.bindings import IndexedFunction, TimerTrigger
from devstack.host.invoker import Invoker
from devstack.host.worker import Invocation
from shared.clock import Clock

_log = logging.getLogger(__name__)
_SIX_FIELDS = 6
_LONGEST_WAIT_SECONDS = 60.0  # so that a clock that was set, or a laptop that slept, is noticed


def next_occurrence(schedule: str, after: datetime) -> datetime:
    """The first instant after `after` that the schedule names.

    Six fields, the first being seconds; five mean a second of 0. Raises ValueError for anything else.
    """
    fields = schedule.split()
    if len(fields) == _SIX_FIELDS - 1:
        fields.insert(0, "0")
    if len(fields) != _SIX_FIELDS:
        raise ValueError(f"{schedule!r} is not an NCRONTAB expression of six fields")
    upcoming: datetime = croniter(" ".join(fields), after, second_at_beginning=True).get_next(datetime)
    return upcoming


def timer_invocation(function: IndexedFunction) -> Invocation:
    """The invocation of a timer function."""
    return Invocation(
        function, Datum(json.dumps({"IsPastDue": False, "ScheduleStatus": {}, "Schedule": {}}), "json"), {}
    )


class Timer:
    """Fires one function by its schedule, never two runs at a time. Raises ValueError for a bad schedule."""

    def __init__(self, function: IndexedFunction, trigger: TimerTrigger, invoker: Invoker, clock: Clock) -> None:
        self._function = function
        self._trigger = trigger
        self._invoker = invoker
        self._clock = clock
        self._stop = threading.Event()
        self._next = next_occurrence(trigger.schedule, clock.now())
        self._thread = threading.Thread(target=self._run, name=f"timer-{function.name}", daemon=True)

    def start(self) -> None:
        """Keeps the schedule from now on."""
        self._thread.start()

    def begin_stop(self) -> None:
        """Fires no more."""
        self._stop.set()

    def wait_stopped(self) -> None:
        """Returns when a run under way has ended."""
        self._thread.join()

    def _run(self) -> None:
        if self._trigger.run_on_startup:
            self._invoker.run(timer_invocation(self._function))
        while not self._stop.is_set():
            remaining = (self._next - self._clock.now()).total_seconds()
            if remaining > 0:
                self._stop.wait(min(remaining, _LONGEST_WAIT_SECONDS))
                continue
            self._invoker.run(timer_invocation(self._function))
            self._next = next_occurrence(self._trigger.schedule, self._clock.now())

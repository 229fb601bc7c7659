"""Clocks that tests set and move; nothing waits for real time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FakeClock:
    """A wall clock and a monotonic clock that move only when told to."""

    def __init__(self, start: datetime = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 1_000.0

    def now(self) -> datetime:
        """The instant that was set."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since some start, moved by `advance` alone."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Lets time pass on both clocks."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def sleep(self, seconds: float) -> None:
        """Waits for nothing: the time has passed."""
        self.advance(seconds)


class SkewedClock:
    """The clock of a machine that is wrong by a number of seconds."""

    def __init__(self, true: FakeClock, seconds: float) -> None:
        self._true = true
        self._skew = timedelta(seconds=seconds)

    def now(self) -> datetime:
        """What the machine takes for the time."""
        return self._true.now() + self._skew

    def monotonic(self) -> float:
        """Passes like the true one."""
        return self._true.monotonic()

    def sleep(self, seconds: float) -> None:
        """As long as the true one."""
        self._true.sleep(seconds)

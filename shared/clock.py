"""The one source of time, so that tests and leases agree on what "now" is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is stored, monotonic seconds for what is measured."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that is never set back."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


@dataclass(frozen=True)
class TimeBox:
    """When a call may still start, and by when it is over: instants of the monotonic clock, in seconds."""

    start_by: float
    end_by: float

    @classmethod
    def lasting(cls, seconds: float, clock: Clock) -> TimeBox:
        """From now on for so long; it may start at any time within."""
        end = clock.monotonic() + seconds
        return cls(end, end)

    def ending_by(self, instant: float) -> TimeBox:
        """The same, over at the instant at the latest."""
        return TimeBox(min(self.start_by, instant), min(self.end_by, instant))


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`, as every instant of the contract is written."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """The instant that `to_text` wrote."""
    return datetime.fromisoformat(text)

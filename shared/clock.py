"""The only source of time, so that tests and leases agree on what "now" is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time for what is stored, monotonic seconds for what is measured."""

    def now(self) -> datetime:
        """The current time as an aware datetime in UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that is never set back."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


@dataclass(frozen=True)
class TimeBox:
    """When a call may still start, and when it must be over: seconds on the monotonic clock."""

    start_by: float
    end_by: float

    @classmethod
    def lasting(cls, seconds: float, clock: Clock) -> TimeBox:
        """A box from now on; the call may start at any time within it."""
        end = clock.monotonic() + seconds
        return cls(end, end)

    def ending_by(self, instant: float) -> TimeBox:
        """The same box, but over at `instant` at the latest."""
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
    """ISO 8601 in UTC with milliseconds and `Z`, as the app writes every instant."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """The instant in a text written by `to_text`."""
    return datetime.fromisoformat(text)


def moment_text(moment: datetime | None) -> str:
    """An instant as a column has it; empty for none."""
    return to_text(moment) if moment else ""


def moment_in(text: str | None) -> datetime | None:
    """The instant in a column; None where there is none, or no such column yet."""
    return from_text(text) if text else None

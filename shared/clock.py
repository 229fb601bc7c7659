"""The one source of time, so that tests and leases agree on what "now" is."""

from __future__ import annotations

import time
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

"""Cancels a sweep: nothing more is listed, and its unclaimed requests end as cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.clock import Clock
from shared.errors import StorageUnavailable
from shared.retention.closing import SweepCloser
from shared.retention.record import SweepStore
from shared.retention.step import stopped
from shared.retention.sweep import Sweep

MAX_WRITES: Final = 10


class Stop(StrEnum):
    """The result of a cancellation."""

    UNKNOWN = "unknown"
    STOPPED = "stopped"
    """Cancelled now if it was waiting, else at its next step."""
    AGAIN = "again"
    """It was cancelled before."""
    TOO_LATE = "too-late"
    """It has ended, and none of its requests are open."""


@dataclass(frozen=True)
class SweepStopper:
    """Cancels sweeps. Raises StorageUnavailable."""

    clock: Clock
    sweeps: SweepStore
    closer: SweepCloser
    open_of: Callable[[Sweep], int]
    """Returns how many of a sweep's requests are not done."""

    def stop(self, sweep_id: str) -> tuple[Stop, Sweep | None]:
        """Cancels a sweep; returns the result and the sweep afterwards."""
        for _ in range(MAX_WRITES):
            sweep = self.sweeps.read(sweep_id)
            if sweep is None:
                return Stop.UNKNOWN, None
            now = self.clock.now()
            after = stopped(sweep, now)
            if after == sweep:
                return Stop.AGAIN, sweep
            if sweep.has_ended and self.open_of(sweep) == 0:
                return Stop.TOO_LATE, sweep
            written = self.sweeps.write(sweep, after, now)
            if written is not None:
                if written.has_ended and not sweep.has_ended:
                    self.closer.close(written)
                return Stop.AGAIN if sweep.is_stopping else Stop.STOPPED, written
        raise StorageUnavailable(f"sweep {sweep_id} changed under {MAX_WRITES} reads")

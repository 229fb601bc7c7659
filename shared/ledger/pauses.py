"""Waits between the tries of a contended write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.clock import Clock

FIRST_SECONDS = 0.02
LONGEST_SECONDS = 1.0


@dataclass(frozen=True)
class Pauses:
    """Tries until an instant, with growing and random waits in between.

    Without randomness, writers that compete for one row would collide again on every try.
    """

    clock: Clock
    random: Callable[[], float]
    """Uniform in [0, 1)."""

    def tries(self, until: float) -> Iterator[int]:
        """The numbers of the tries, from 0; the last is at `until`, on the monotonic clock."""
        longest, number = FIRST_SECONDS, 0
        while True:
            yield number
            left = until - self.clock.monotonic()
            if left <= 0:
                return
            self.clock.sleep(min(left, longest * (1 + self.random()) / 2))
            longest, number = min(LONGEST_SECONDS, longest * 2), number + 1

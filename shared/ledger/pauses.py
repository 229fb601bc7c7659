"""Waits between the tries of a write that others keep getting in the way of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.clock import Clock

FIRST_SECONDS = 0.02
LONGEST_SECONDS = 1.0


@dataclass(frozen=True)
class Pauses:
    """Tries until an instant, further and further apart, and each at a random moment.

    Without the waits and the chance in them, those who fight over one row would meet again at every try.
    """

    clock: Clock
    random: Callable[[], float]
    """Uniform in [0, 1)."""

    def tries(self, until: float) -> Iterator[int]:
        """The numbers of the tries, from 0; the last one is at `until`, a time of the monotonic clock."""
        longest, number = FIRST_SECONDS, 0
        while True:
            yield number
            left = until - self.clock.monotonic()
            if left <= 0:
                return
            self.clock.sleep(min(left, longest * (1 + self.random()) / 2))
            longest, number = min(LONGEST_SECONDS, longest * 2), number + 1

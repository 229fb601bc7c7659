"""An answer that is kept for some seconds, so that who asks often costs no more than who asks now and then."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from shared.clock import Clock

T = TypeVar("T")


class Kept(Generic[T]):
    """The last look at something, made again by whoever asks after its time is over; one look at a time."""

    def __init__(self, look: Callable[[], T], seconds: float, clock: Clock) -> None:
        self._look = look
        self._seconds = seconds
        self._clock = clock
        self._looking = Lock()
        self._last: tuple[float, T] | None = None

    def get(self) -> T:
        """The kept answer, or a new one. Whoever comes while a look is under way gets the answer before it, if any.

        Raises what the look raises; nothing of that is kept.
        """
        last = self._last
        if last and (self._clock.monotonic() < last[0] + self._seconds or self._looking.locked()):
            return last[1]
        with self._looking:
            if self._last is last or self._last is None:
                found = self._look()
                self._last = (self._clock.monotonic(), found)
                return found
            return self._last[1]

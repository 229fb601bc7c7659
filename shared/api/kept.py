"""A result that is cached for some seconds, so that frequent calls cost no more than occasional ones."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from shared.clock import Clock

T = TypeVar("T")


class Kept(Generic[T]):
    """Caches the result of `look`. The first caller after it expires looks again; only one look runs at a time."""

    def __init__(self, look: Callable[[], T], seconds: float, clock: Clock) -> None:
        self._look = look
        self._seconds = seconds
        self._clock = clock
        self._looking = Lock()
        self._last: tuple[float, T] | None = None

    def get(self) -> T:
        """The cached result, or a new one. During a look, other callers get the previous result, if there is one.

        An exception of the look is raised, and not cached.
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

"""The limits of one account: calls in flight, and calls per second."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from shared.batch.pace import Pace
from shared.batch.reply import Reply
from shared.clock import Clock

log = logging.getLogger(__name__)

OnChange = Callable[[str, float | None], None]
"""Called with an account and its new limit in calls per second; None for no limit."""

_LEAST_WAIT: Final = 0.001


class AccountLimit:
    """Lets calls start one by one. Every successful `acquire` needs one `release`."""

    def __init__(
        self,
        account: str,
        most_in_flight: int,
        clock: Clock,
        longest_hold: float = 900.0,
        on_change: OnChange | None = None,
    ) -> None:
        self._account = account
        self._most = most_in_flight
        self._clock = clock
        self._longest_hold = longest_hold
        self._on_change = on_change
        self._pace = Pace()
        self._reported: float | None = None
        self._in_flight = 0
        self._queue: deque[threading.Event] = deque()
        """Calls that wait for a place, in the order in which they came.

        A place that comes free is handed to the first of them. If anybody could take it, that would mostly be the
        thread that has just freed it, and while that one has calls to make, the others would wait in vain.
        """
        self._waiting = 0
        """Calls that have a place and wait for their start."""
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        """Held by the one call that waits for the next start; the others wait for this lock."""

    def acquire(self, start_by: float) -> bool:
        """True when a call may start now, False when none could start by `start_by` (monotonic clock)."""
        if not self._wait_for_place(start_by):
            return False
        with self._lock:
            now = self._clock.monotonic()
            start = self._pace.next_start(now, self._waiting)
            if start > start_by:
                self._leave()
                return False
            if start - now < _LEAST_WAIT and not self._waiting:
                self._pace.start(now)
                return True
            self._waiting += 1
        is_started = self._wait_for_start(start_by)
        with self._lock:
            self._waiting -= 1
            if not is_started:
                self._leave()
        return is_started

    def release(self, reply: Reply | None) -> None:
        """Frees the slot and learns from the reply; None when there was none."""
        with self._lock:
            status, asked = (reply.status, reply.retry_after or 0.0) if reply else (None, 0.0)
            is_cut = self._pace.answered(self._clock.monotonic(), status, min(asked, self._longest_hold))
            self._leave()
            rate = self._pace.rate
            is_changed = is_cut or (self._reported is not None and rate is None)
            if is_changed:
                self._reported = rate
        if is_changed:
            log.info(
                "batch_rate_limit account=%s calls_per_second=%s",
                self._account,
                "none" if rate is None else round(rate, 1),
            )
            if self._on_change:
                self._on_change(self._account, rate)

    def seconds_held(self) -> float:
        """For how much longer the account has asked not to be called."""
        with self._lock:
            return max(0.0, self._pace.held_until - self._clock.monotonic())

    def _wait_for_place(self, start_by: float) -> bool:
        with self._lock:
            if self._in_flight < self._most:
                self._in_flight += 1
                return True
            place = threading.Event()
            self._queue.append(place)
            seconds = max(start_by - self._clock.monotonic(), 0.0)
        if place.wait(seconds):
            return True
        with self._lock:
            if place.is_set():
                return True
            self._queue.remove(place)
            return False

    def _wait_for_start(self, start_by: float) -> bool:
        if not self._turn.acquire(timeout=max(start_by - self._clock.monotonic(), 0.0)):
            return False
        try:
            while seconds := self._seconds_to_start(start_by):
                self._clock.sleep(seconds)
            return seconds is not None
        finally:
            self._turn.release()

    def _seconds_to_start(self, start_by: float) -> float | None:
        """How long the call must still wait; 0 when it starts now, None when it could not start in time.

        Asked again after each wait: a refusal in the meantime puts the start off.
        """
        with self._lock:
            now = self._clock.monotonic()
            start = self._pace.next_start(now)
            if start > start_by:
                return None
            if start - now >= _LEAST_WAIT:
                return start - now
            self._pace.start(now)
            return 0.0

    def _leave(self) -> None:
        if self._queue:
            self._queue.popleft().set()
        else:
            self._in_flight -= 1

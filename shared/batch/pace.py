"""How many calls per second one account accepts, learned from its refusals. Pure; instants of the monotonic clock.

Batch publishes no request rate, so the first refusal (429, 503) sets one: a little less than the rate just achieved.
From there it grows by a constant, and exponentially once nothing has been refused for a while, so that a lifted limit is
noticed. The constant is the same in every process, so processes that share an account converge on equal shares, like
TCP streams on a line (Chiu and Jain 1989, additive increase and multiplicative decrease).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

REFUSALS: Final = frozenset({429, 503})

WINDOW_SECONDS: Final = 2.0
"""Accepted calls are counted over this time."""
SHARE: Final = 0.95
"""After a refusal the rate drops to this share of what was achieved."""
STEP_AT_MOST_EVERY_SECONDS: Final = 0.5
"""One overload refuses many calls in flight; they count as one refusal."""
STEPS: Final = 0.5
"""Calls per second added by each second without a refusal."""
QUIET_SECONDS: Final = 15.0
"""After this long without a refusal the rate grows exponentially."""
GROWTH: Final = 1.4
"""Growth per second from then on: a lifted limit is noticed within half a minute."""
RETURN: Final = 1.5
"""The factor of each second below what the account is known to carry out."""
LEAST: Final = 1.0
MOST: Final = 2_000.0
"""More than one process can send: beyond it the number of calls in flight is the only limit."""
FIRST: Final = 10.0
"""Calls per second when the first refusal precedes any success, so nothing is known about the account."""
ENOUGH: Final = 4
"""The number of successful calls in the window that is enough to measure a rate."""


class Pace:
    """The calls that may be sent to one account."""

    def __init__(self) -> None:
        self._rate: float | None = None
        self._grown_at = 0.0
        self._refused_at = 0.0
        self._quiet_from = 0.0
        self._goal = 0.0
        """Calls per second that the account carried out when it last refused some of more."""
        self.held_until = 0.0
        """No call starts before this: the account asked for the wait."""
        self._next_at = 0.0
        self._began_at = math.inf
        self._carried_out: deque[float] = deque()

    @property
    def rate(self) -> float | None:
        """Calls per second; None while nothing has been refused recently."""
        return self._rate

    def reserve(self, now: float, by: float) -> float | None:
        """The instant at which one more call may start; None when that is later than `by`."""
        self._grow(now)
        slot = max(now, self._next_at, self.held_until)
        if slot > by:
            return None
        self._next_at = slot + 1 / self._rate if self._rate else slot
        return slot

    def answered(self, now: float, status: int | None, hold_seconds: float = 0.0) -> bool:
        """Learns from an answer; True when calls that wait for slots must ask for new ones."""
        if status not in REFUSALS:
            if status is not None:
                self._began_at = min(self._began_at, now)
                self._carried_out.append(now)
            self._forget(now)
            return False
        self.held_until = max(self.held_until, now + hold_seconds)
        if self._rate is not None and now - self._refused_at < STEP_AT_MOST_EVERY_SECONDS:
            return False
        self._forget(now)
        self._grow(now)
        done, is_known = self._measured(now)
        if is_known:
            self._goal = min(done, self._rate or MOST)
            self._rate = max(LEAST, SHARE * self._goal)
        else:
            # Everything is refused, so nothing tells how much would not be: a fault that passes, perhaps.
            self._rate = max(LEAST, self._rate / 2) if self._rate is not None else FIRST
        self._grown_at = self._refused_at = now
        self._quiet_from = now + (QUIET_SECONDS if is_known else 1.0)
        self._next_at = now
        return True

    def _measured(self, now: float) -> tuple[float, bool]:
        """Recent successful calls per second, and whether there are enough to judge by.

        Counted from the previous refusal if that lies within the window: the calls before it may have been a burst that
        the account accepts once but cannot sustain. At the start, answers cover less than a window.
        """
        since = max(now - WINDOW_SECONDS, self._refused_at if self._rate is not None else min(now, self._began_at))
        done = sum(moment >= since for moment in self._carried_out)
        return done / max(STEP_AT_MOST_EVERY_SECONDS, now - since), done >= ENOUGH

    def _forget(self, now: float) -> None:
        while self._carried_out and self._carried_out[0] < now - WINDOW_SECONDS:
            self._carried_out.popleft()

    def _grow(self, now: float) -> None:
        if self._rate is None or now <= self._grown_at:
            return
        if self._rate < SHARE * self._goal:
            self._rate = min(SHARE * self._goal, self._rate * _power(RETURN, now - self._grown_at))
        self._rate += STEPS * max(0.0, min(now, self._quiet_from) - self._grown_at)
        if now > self._quiet_from:
            self._rate *= _power(GROWTH, now - max(self._grown_at, self._quiet_from))
        self._grown_at = now
        if self._rate > MOST:
            self._rate = None


def _power(factor: float, seconds: float) -> float:
    """Growth over this time; a minute reaches every bound, and the power of an idle hour overflows a float."""
    return math.pow(factor, min(seconds, 60.0))

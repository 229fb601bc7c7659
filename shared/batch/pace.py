"""How many calls a second one account takes: learned from what it refuses. Pure, on instants of the monotonic clock.

Batch publishes no request rate, so the first refusal (429, 503) tells: the rate becomes a little less than what was
just carried out, grows by a constant from there, and by a share of itself once nothing was refused for a while, so that
a limit that is lifted is found out. The constant is the same for every process: those that share an account come to equal
shares, as streams do that share a line (Chiu and Jain 1989, additive increase and multiplicative decrease).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

REFUSALS: Final = frozenset({429, 503})

WINDOW_SECONDS: Final = 2.0
"""What was carried out is counted over this time."""
SHARE: Final = 0.95
"""Of the rate that was carried out, this part is asked for after a refusal."""
STEP_AT_MOST_EVERY_SECONDS: Final = 0.5
"""One overload refuses many calls in flight: they count as one."""
STEPS: Final = 0.5
"""Calls a second that each second without a refusal adds."""
QUIET_SECONDS: Final = 15.0
"""After so long without a refusal the rate grows by a share of itself."""
GROWTH: Final = 1.4
"""The factor of each second then: a limit that is lifted is found out within half a minute."""
LEAST: Final = 1.0
MOST: Final = 2_000.0
"""More than one process can send: beyond it the number of calls in flight is the only limit."""
FIRST: Final = 10.0
"""Calls a second after a refusal that came before anything was carried out: of the account nothing is known yet."""
ENOUGH: Final = 4
"""So many calls carried out within the window tell the rate."""


class Pace:
    """The calls that one account may be asked for now."""

    def __init__(self) -> None:
        self._rate: float | None = None
        self._grown_at = 0.0
        self._refused_at = 0.0
        self._quiet_from = 0.0
        self.held_until = 0.0
        """No call starts before: the account asked for this wait."""
        self._next_at = 0.0
        self._began_at = math.inf
        self._carried_out: deque[float] = deque()

    @property
    def rate(self) -> float | None:
        """Calls a second; None while nothing was refused lately."""
        return self._rate

    def reserve(self, now: float, by: float) -> float | None:
        """The instant at which one more call may start, None when that is later than `by`."""
        self._grow(now)
        slot = max(now, self._next_at, self.held_until)
        if slot > by:
            return None
        self._next_at = slot + 1 / self._rate if self._rate else slot
        return slot

    def answered(self, now: float, status: int | None, hold_seconds: float = 0.0) -> bool:
        """Learns from an answer; True when calls that wait for their slots must ask for others."""
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
        least = LEAST if is_known or self._rate is not None else FIRST
        self._rate = max(least, SHARE * min(done, self._rate or MOST))
        self._grown_at = self._refused_at = now
        self._quiet_from = now + (QUIET_SECONDS if is_known else 1.0)
        self._next_at = now
        return True

    def _measured(self, now: float) -> tuple[float, bool]:
        """Calls a second that were carried out of late, and whether they are enough to tell.

        Counted from the refusal before, if that was within the window: what came before it may have been a burst that
        the account takes once and not all the time. At the very beginning there have been answers for less than that.
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
        quiet_from = self._quiet_from
        self._rate += STEPS * max(0.0, min(now, quiet_from) - self._grown_at)
        if now > quiet_from:
            self._rate *= GROWTH ** (now - max(self._grown_at, quiet_from))
        self._grown_at = now
        if self._rate > MOST:
            self._rate = None

"""How many calls per second one account accepts, learned from its refusals. Pure; instants of the monotonic clock.

Batch publishes no request rate, so the first refusal (429, 503) sets one, near what the account has just carried out.
After that every refusal lowers the rate, and time without one raises it: by a constant for a while, and then faster and
faster, so that a lifted limit is noticed. The constant is the same in every process, so processes that share an account
converge on equal shares, like TCP streams on a line (Chiu and Jain 1989, additive increase, multiplicative decrease).

Calls are spaced evenly, so little is refused even at a rate that is a little too high. What a refusal costs is the wait
that the account asks for with it (`Retry-After`), in which nothing is sent: the longer that is, the slower the growth.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

REFUSALS: Final = frozenset({429, 503})

WINDOW_SECONDS: Final = 1.0
"""Accepted calls are counted over this time."""
SHARE: Final = 0.97
"""After a refusal the rate drops to this share of what was achieved."""
CUT_AT_MOST: Final = 0.5
"""No refusal lowers the rate to less than this share."""
STEP_AT_MOST_EVERY_SECONDS: Final = 0.5
"""One overload refuses many calls in flight; they count as one refusal."""
RETURN_SECONDS: Final = 3.0
"""How long the rate takes from what the account can do for certain to what it perhaps can."""
STEPS: Final = 0.5
"""Calls per second that each second without a refusal adds, at most."""
SMALL_STEPS: Final = 0.005
"""The share of the rate that each second adds, at most: a low rate grows more gently."""
QUIET_SECONDS: Final = 15.0
"""Time without a refusal after which the growth accelerates."""
QUIET_PER_HELD_SECOND: Final = 5.0
MOST_QUIET_SECONDS: Final = 60.0
ACCELERATION: Final = 0.04
"""Growth by exp(ACCELERATION * seconds ** 2) then: gentle at first, tenfold within eight seconds."""
SEARCH: Final = 1.6
"""Growth per second while nothing is known about the account but that it refused a burst."""
SEARCH_AFTER_SECONDS: Final = 0.5
LEAST: Final = 1.0
MOST: Final = 2_000.0
"""More than one process can send: beyond it the number of calls in flight is the only limit."""
FIRST: Final = 10.0
"""Calls per second, at least, after the first refusal."""
ENOUGH: Final = 4
"""The number of accepted calls that is enough to measure a rate."""
SHORTEST_SECONDS: Final = 0.25
"""A burst of calls is taken for the work of this time at least."""
SLACK_SECONDS: Final = 0.02
"""How late a thread may wake without a loss: calls that it missed within this time are made up for."""


class Pace:
    """When calls to one account may start."""

    def __init__(self) -> None:
        self._rate: float | None = None
        self._goal = 0.0
        """The rate that growth returns to within RETURN_SECONDS."""
        self._slope = 0.0
        self._steps = STEPS
        self._is_searching = False
        self._grown_at = 0.0
        self._refused_at = 0.0
        self._quiet_until = 0.0
        self.held_until = 0.0
        """No call starts before this: the account asked for the wait."""
        self._sending_since = math.inf
        """The first answer, the last refusal, or the end of the wait that it asked for."""
        self._next_at = 0.0
        self._accepted: deque[float] = deque()
        """The instants of accepted calls, over the window."""
        self._since_refusal = 0

    @property
    def rate(self) -> float | None:
        """Calls per second; None while nothing has been refused recently."""
        return self._rate

    def next_start(self, now: float, ahead: int = 0) -> float:
        """The instant from which the next call may start; with calls `ahead` of it, when it could at the present rate.

        Nothing is reserved: a call that was given an instant in advance would keep it when the rate has grown.
        """
        self._grow(now)
        start = max(now, self._next_at, self.held_until)
        return start + ahead / self._rate if self._rate else start

    def start(self, now: float) -> None:
        """Counts a call that starts now."""
        if self._rate:
            self._next_at = max(self._next_at, now - SLACK_SECONDS) + 1 / self._rate

    def answered(self, now: float, status: int | None, hold_seconds: float = 0.0) -> bool:
        """Learns from an answer, or from none (None); True when that lowered the rate."""
        self._forget(now)
        if status not in REFUSALS:
            if status is not None:
                self._sending_since = min(self._sending_since, now)
                self._accepted.append(now)
                self._since_refusal += 1
            return False
        if self._rate is not None and now - self._refused_at < STEP_AT_MOST_EVERY_SECONDS:
            self._hold(now, hold_seconds)
            return False
        self._grow(now)
        if self._rate is None:
            self._begin(now)
        else:
            self._cut(now, self._rate)
        self._grown_at = self._refused_at = self._sending_since = self._next_at = now
        self._since_refusal = 0
        self._set_quiet(0.0)
        self._hold(now, hold_seconds)
        return True

    def _begin(self, now: float) -> None:
        """The first refusal: a rate from what was accepted so far, which may be a burst and no more."""
        seconds = min(WINDOW_SECONDS, max(0.0, now - self._sending_since))
        done = len(self._accepted) / max(SHORTEST_SECONDS, seconds)
        self._rate = self._goal = max(FIRST, min(MOST, SHARE * done))
        self._is_searching = seconds < WINDOW_SECONDS

    def _cut(self, now: float, rate: float) -> None:
        """A later refusal: a rate between what the account sustains for certain and what it perhaps does.

        An account with a token bucket fills it up while it is left alone, and accepts that much more than its limit
        afterwards. So what it accepted since its last refusal is more than the limit when the wait is not counted, and
        less when it is, as a small bucket overflows in the wait. After a long time without a refusal both are the same.
        """
        sending = now - self._sending_since
        if sending >= WINDOW_SECONDS:
            calls = len(self._accepted)
            most = least = min(rate, calls / WINDOW_SECONDS)
        else:
            calls = self._since_refusal
            most = min(rate, calls / sending) if sending >= STEP_AT_MOST_EVERY_SECONDS else rate
            least = min(most, calls / (now - self._refused_at))
        if calls >= ENOUGH:
            self._rate = max(LEAST, CUT_AT_MOST * rate, SHARE * math.sqrt(least * most))
            self._goal = max(self._rate, SHARE * most)
            self._is_searching = False
        else:
            # Nearly everything is refused, so nothing tells how much would not be: perhaps a fault that passes.
            self._rate = max(LEAST, CUT_AT_MOST * rate)
        self._slope = (self._goal - self._rate) / RETURN_SECONDS

    def _hold(self, now: float, seconds: float) -> None:
        until = now + seconds
        if seconds and until > self.held_until:
            self.held_until = until
            self._sending_since = max(self._sending_since, until)
            self._grown_at = max(self._grown_at, until)
            self._set_quiet(until - self._refused_at)

    def _set_quiet(self, held_seconds: float) -> None:
        quiet = min(MOST_QUIET_SECONDS, QUIET_SECONDS + QUIET_PER_HELD_SECOND * held_seconds)
        self._quiet_until = self._grown_at + (SEARCH_AFTER_SECONDS if self._is_searching else quiet)
        self._steps = STEPS / (1 + held_seconds)

    def _forget(self, now: float) -> None:
        while self._accepted and self._accepted[0] < now - WINDOW_SECONDS:
            self._accepted.popleft()

    def _grow(self, now: float) -> None:
        if self._rate is None or now <= self._grown_at:
            return
        since, self._grown_at = self._grown_at, now
        if self._rate < self._goal:
            self._rate = min(self._goal, self._rate + self._slope * (now - since))
        elif not self._is_searching:
            steady = max(0.0, min(now, self._quiet_until) - since)
            self._rate += min(self._steps, SMALL_STEPS * self._rate) * steady
        if now > self._quiet_until:
            self._rate *= self._faster(max(since, self._quiet_until) - self._quiet_until, now - self._quiet_until)
        if self._rate > MOST:
            self._rate = None

    def _faster(self, begin: float, end: float) -> float:
        """The factor by which the rate grows between two times after the quiet; bounded, so that it fits a float."""
        if self._is_searching:
            return math.exp(min(20.0, math.log(SEARCH) * (end - begin)))
        return math.exp(min(20.0, ACCELERATION * (end**2 - begin**2)))

"""How long to wait before the next attempt, and how many calls one account takes at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from shared.batch.reply import Kind, Reply
from shared.clock import Clock

ACCESS_FLOOR_SECONDS: Final = 60.0
"""Roles are granted by people, and take minutes to spread."""
SLOW_FLOOR_SECONDS: Final = 30.0
"""Nodes and jobs leave their passing states in minutes; quick retries only starve other requests."""

THROTTLED: Final = frozenset({429, 503})
HALVE_AT_MOST_EVERY_SECONDS: Final = 1.0
"""One overload answers many calls in flight with 429: they count as one."""
RAISE_EVERY_SECONDS: Final = 3.0

_MOST_DOUBLINGS: Final = 64
"""Beyond it every cap of the contract is long passed, and a float would overflow in the end."""


def floor_seconds(reply: Reply, attempt: int, cap: float) -> float:
    """The least wait that the kind of a reply calls for, in seconds.

    Doubled by each further attempt up to half of the cap, the rest being jitter: the attempts span an hour or two,
    time for a node to recover, or for a person to restore a role.
    """
    first = SLOW_FLOOR_SECONDS if reply.is_slow else 0.0
    if reply.kind is Kind.ACCESS:
        first = ACCESS_FLOOR_SECONDS
    return min(cap, max(first, min(first * _doubled(attempt), cap / 2)))


def backoff_seconds(
    attempt: int,
    base: float,
    cap: float,
    reply: Reply | None,
    random: Callable[[], float],
) -> float:
    """Seconds to wait after the failed `attempt`, the first of which is 1.

    Exponential with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    The jitter comes on top of the least wait for the kind of the reply, so that requests held back
    for one reason do not all return at once.
    The `Retry-After` of the reply is a lower bound; nothing exceeds `cap`.
    `random` gives a number from 0 to 1.
    """
    asked = (reply.retry_after if reply is not None else None) or 0.0
    ceiling = min(cap, base * _doubled(attempt))
    floor = floor_seconds(reply, attempt, cap) if reply is not None else 0.0
    return min(cap, max(asked, floor + random() * min(ceiling, cap - floor)))


def _doubled(attempt: int) -> float:
    return 2.0 ** min(max(attempt, 1) - 1, _MOST_DOUBLINGS)


class ConcurrencyLimit:
    """At most so many calls in flight; fewer after the service said that it was too much.

    Halved when a call was answered 429 or 503, at most once a second, and raised by one every
    few seconds without such an answer.
    Every successful `acquire` needs one `release`.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._limit = most
        self._in_flight = 0
        self._changed_at = clock.monotonic()
        self._halved_at: float | None = None
        self._room = threading.Condition()

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        with self._room:
            self._recover()
            return self._limit

    def acquire(self, seconds: float) -> bool:
        """True when a place is taken, False when none came free within `seconds`."""
        with self._room:
            if not self._room.wait_for(self._has_room, timeout=max(seconds, 0.0)):
                return False
            self._in_flight += 1
            return True

    def release(self, status: int | None) -> None:
        """Gives the place back and learns from the answer; `status` is None when there was none."""
        with self._room:
            self._in_flight -= 1
            if status in THROTTLED:
                self._halve()
            self._recover()
            self._room.notify(max(0, self._limit - self._in_flight))

    def _has_room(self) -> bool:
        self._recover()
        return self._in_flight < self._limit

    def _halve(self) -> None:
        now = self._clock.monotonic()
        self._changed_at = now
        if self._halved_at is None or now - self._halved_at >= HALVE_AT_MOST_EVERY_SECONDS:
            self._limit = max(1, self._limit // 2)
            self._halved_at = now

    def _recover(self) -> None:
        """Computed from the time that passed, so that no thread or timer is needed."""
        steps = int((self._clock.monotonic() - self._changed_at) / RAISE_EVERY_SECONDS)
        if steps > 0:
            self._limit = min(self._most, self._limit + steps)
            self._changed_at += steps * RAISE_EVERY_SECONDS

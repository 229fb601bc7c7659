"""How long to wait before the next attempt. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.batch.reply import Kind, Reply

ACCESS_FLOOR_SECONDS: Final = 60.0
"""People grant roles, and roles take minutes to propagate."""
SLOW_FLOOR_SECONDS: Final = 30.0
"""Nodes and jobs take minutes to leave transient states; quick retries only starve other requests."""

_MOST_DOUBLINGS: Final = 64
"""Every permitted cap is reached long before this, and without a bound the float would eventually overflow."""


def floor_seconds(reply: Reply, attempt: int, cap: float) -> float:
    """The minimum wait for this kind of reply, in seconds.

    It doubles with each attempt, up to half of the cap; the other half is jitter. The attempts then span an hour or
    two: time for a node to recover, or for a person to restore a role.
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
    The jitter is added to the minimum wait for the kind of reply, so that requests delayed for the
    same reason do not all return at once.
    The `Retry-After` of the reply is a lower bound; nothing exceeds `cap`.
    `random` returns a number from 0 to 1.
    """
    asked = (reply.retry_after if reply is not None else None) or 0.0
    ceiling = min(cap, base * _doubled(attempt))
    floor = floor_seconds(reply, attempt, cap) if reply is not None else 0.0
    return min(cap, max(asked, floor + random() * min(ceiling, cap - floor)))


def _doubled(attempt: int) -> float:
    return 2.0 ** min(max(attempt, 1) - 1, _MOST_DOUBLINGS)

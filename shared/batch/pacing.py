"""How long to wait before the next attempt. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.batch.reply import Kind, Reply

ACCESS_FLOOR_SECONDS: Final = 60.0
"""Roles are granted by people, and take minutes to spread."""
SLOW_FLOOR_SECONDS: Final = 30.0
"""Nodes and jobs leave their passing states in minutes; quick retries only starve other requests."""

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

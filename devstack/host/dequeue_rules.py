"""What happens to a message before and after an attempt, as pure decisions.

`QueueProcessor` of azure-sdk-for-net, Storage.Common/src/Shared/Queues.
With a limit of 5 a function sees the dequeue counts 1 to 5; the fifth failure moves the message to poison at once,
and a count of 6 occurs only in the check before the run, after attempts that nobody completed.
"""

from __future__ import annotations

from enum import StrEnum

_SUFFIX = "-poison"
_LONGEST_QUEUE_NAME = 63


class Before(StrEnum):
    """What to do with a message that was just received."""

    RUN = "run"
    POISON = "poison"


class AfterFailure(StrEnum):
    """What to do with a message whose attempt failed."""

    RELEASE = "release"
    POISON = "poison"
    LEAVE = "leave"
    """Do nothing: the message comes back when its invisibility ends."""


def poison_queue_of(queue: str) -> str | None:
    """Name of the queue's poison queue; None for a poison queue itself and when the name would be too long."""
    if queue.endswith(_SUFFIX) or len(queue) + len(_SUFFIX) > _LONGEST_QUEUE_NAME:
        return None
    return queue + _SUFFIX


def before_attempt(dequeue_count: int, limit: int, *, has_poison_queue: bool) -> Before:
    """A message past the limit is not run again; without a poison queue there is no limit (extension 5.3.8)."""
    return Before.POISON if has_poison_queue and dequeue_count > limit else Before.RUN


def after_failure(dequeue_count: int, limit: int, *, has_poison_queue: bool) -> AfterFailure:
    """Moves the message to poison once the failed attempt's count has reached the limit."""
    if not has_poison_queue:
        return AfterFailure.LEAVE
    return AfterFailure.POISON if dequeue_count >= limit else AfterFailure.RELEASE

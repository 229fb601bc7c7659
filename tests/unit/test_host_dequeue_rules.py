"""When the local host runs, releases or gives up a message."""

from __future__ import annotations

import pytest

from devstack.host.dequeue_rules import AfterFailure, Before, after_failure, before_attempt, poison_queue_of


def test_every_count_up_to_the_limit_is_run_and_the_failure_at_the_limit_is_the_last() -> None:
    """With maxDequeueCount 5, counts 1 to 5 run, and the fifth failure moves the message to poison."""
    counts = range(1, 7)
    assert [before_attempt(n, 5, has_poison_queue=True) for n in counts] == [Before.RUN] * 5 + [Before.POISON]
    assert [after_failure(n, 5, has_poison_queue=True) for n in counts] == (
        [AfterFailure.RELEASE] * 4 + [AfterFailure.POISON] * 2
    )


@pytest.mark.parametrize("count", [1, 5, 6, 100])
def test_without_a_poison_queue_a_message_is_run_for_ever_and_left_after_failure(count: int) -> None:
    """Without a poison queue, a failing message is run again without limit when its hold ends."""
    assert before_attempt(count, 5, has_poison_queue=False) is Before.RUN
    assert after_failure(count, 5, has_poison_queue=False) is AfterFailure.LEAVE


@pytest.mark.parametrize(
    ("queue", "poison"),
    [
        ("requests", "requests-poison"),
        ("requests-poison", None),
        ("q" * 56, "q" * 56 + "-poison"),
        ("q" * 57, None),
    ],
)
def test_a_queue_has_a_poison_queue_unless_it_is_one_or_its_name_is_too_long(queue: str, poison: str | None) -> None:
    """A queue has a poison queue unless it is one itself or its name is longer than 56 characters."""
    assert poison_queue_of(queue) == poison

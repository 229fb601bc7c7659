"""The waiting time before a request's next attempt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batch.pacing import backoff_seconds
from shared.batch.reply import ErrorBody, Reply, Sent

ACCESS = Reply(Sent.ANSWERED, 403, ErrorBody("AuthenticationFailed", ""), has_batch_code=True)
SLOW = Reply(Sent.ANSWERED, 409, ErrorBody("JobBeingDeleted", ""), has_batch_code=True)
QUICK = Reply(Sent.ANSWERED, 500)


def longest() -> float:
    """Draws the upper end of the jitter."""
    return 1.0


def shortest() -> float:
    """Draws the lower end of the jitter."""
    return 0.0


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (100, 900)])
def test_the_ceiling_doubles_up_to_the_cap(attempt: int, seconds: float) -> None:
    """The longest wait before an attempt doubles with each attempt, up to the cap."""
    assert backoff_seconds(attempt, 5, 900, None, longest) == seconds


def test_jitter_is_full() -> None:
    """The wait is drawn from zero upwards, so that requests that failed together do not return together."""
    assert backoff_seconds(3, 5, 900, None, shortest) == 0
    assert backoff_seconds(3, 5, 900, None, lambda: 0.5) == 10


@pytest.mark.parametrize(("retry_after", "seconds"), [(7.0, 7.0), (3.0, 5.0), (10_000.0, 900.0), (0.0, 5.0)])
def test_retry_after_is_a_lower_bound_below_the_cap(retry_after: float, seconds: float) -> None:
    """The wait is at least the service's `Retry-After`, but never longer than the cap."""
    assert backoff_seconds(1, 5, 900, replace(QUICK, retry_after=retry_after), longest) == seconds


def test_access_trouble_waits_at_least_a_minute() -> None:
    """After refused access, the next attempt waits at least a minute."""
    assert backoff_seconds(1, 5, 900, ACCESS, shortest) == 60


def test_passing_states_wait_half_a_minute() -> None:
    """After a state that passes by itself, such as a node not ready, the wait is at least 30 seconds and grows."""
    assert backoff_seconds(1, 5, 900, SLOW, shortest) == 30
    assert backoff_seconds(1, 5, 900, SLOW, longest) == 35
    assert [backoff_seconds(n, 5, 900, SLOW, shortest) for n in range(2, 8)] == [60, 120, 240, 450, 450, 450]
    assert backoff_seconds(12, 5, 900, SLOW, longest) == 900


def test_other_trouble_has_no_least_wait() -> None:
    """After other faults, the next attempt may follow at once."""
    assert backoff_seconds(1, 5, 900, QUICK, shortest) == 0


@given(
    reply=st.sampled_from([ACCESS, SLOW, QUICK]),
    attempt=st.integers(1, 10_000),
    base=st.floats(0.05, 604_800),
    spread=st.floats(0, 604_800),
    retry_after=st.none() | st.floats(0, 1e9),
    draw=st.floats(0, 1),
)
def test_the_cap_holds_for_every_wait(
    reply: Reply, attempt: int, base: float, spread: float, retry_after: float | None, draw: float
) -> None:
    """No attempt number, `Retry-After` or kind of fault makes the wait negative or longer than the setting."""
    cap = base + spread
    assert 0 <= backoff_seconds(attempt, base, cap, replace(reply, retry_after=retry_after), lambda: draw) <= cap

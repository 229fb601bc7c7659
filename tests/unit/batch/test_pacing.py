"""Back-off between attempts, and the limit on calls in flight that learns from 429 and 503."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batch.pacing import RAISE_EVERY_SECONDS, ConcurrencyLimit, backoff_seconds
from shared.batch.reply import BatchError, Reply, Sent
from tests.fake_clock import FakeClock

ACCESS = Reply(Sent.ANSWERED, 403, BatchError("AuthenticationFailed", ""), has_batch_code=True)
SLOW = Reply(Sent.ANSWERED, 409, BatchError("JobBeingDeleted", ""), has_batch_code=True)
QUICK = Reply(Sent.ANSWERED, 500)


def longest() -> float:
    """The upper end of the jitter."""
    return 1.0


def shortest() -> float:
    """The lower end of the jitter."""
    return 0.0


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (100, 900)])
def test_the_ceiling_doubles_up_to_the_cap(attempt: int, seconds: float) -> None:
    """The longest wait doubles with each attempt and stops at the cap."""
    assert backoff_seconds(attempt, 5, 900, None, longest) == seconds


def test_jitter_is_full() -> None:
    """The wait is drawn from zero up, so that requests which failed together come back scattered."""
    assert backoff_seconds(3, 5, 900, None, shortest) == 0
    assert backoff_seconds(3, 5, 900, None, lambda: 0.5) == 10


@pytest.mark.parametrize(("retry_after", "seconds"), [(7.0, 7.0), (3.0, 5.0), (10_000.0, 900.0), (0.0, 5.0)])
def test_retry_after_is_a_lower_bound_below_the_cap(retry_after: float, seconds: float) -> None:
    """The service's own wish counts where it is longer than the back-off, but never beyond the cap."""
    assert backoff_seconds(1, 5, 900, replace(QUICK, retry_after=retry_after), longest) == seconds


def test_access_trouble_waits_at_least_a_minute() -> None:
    """What people have to mend is not asked for again within the minute."""
    assert backoff_seconds(1, 5, 900, ACCESS, shortest) == 60


def test_passing_states_wait_half_a_minute() -> None:
    """A node that is not ready gets the slow lane, with jitter on top."""
    assert backoff_seconds(1, 5, 900, SLOW, shortest) == 30
    assert backoff_seconds(1, 5, 900, SLOW, longest) == 35
    assert [backoff_seconds(n, 5, 900, SLOW, shortest) for n in range(2, 8)] == [60, 120, 240, 450, 450, 450]
    assert backoff_seconds(12, 5, 900, SLOW, longest) == 900


def test_other_trouble_has_no_least_wait() -> None:
    """A quick failure may be tried again at once."""
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
    """No attempt number, `Retry-After` or kind of trouble makes a wait longer than the setting, or negative."""
    cap = base + spread
    assert 0 <= backoff_seconds(attempt, base, cap, replace(reply, retry_after=retry_after), lambda: draw) <= cap


def test_no_more_than_the_limit_are_in_flight() -> None:
    """A further call waits, and is told when its time is over."""
    limit = ConcurrencyLimit(2, FakeClock())
    assert limit.acquire(0)
    assert limit.acquire(0)
    assert not limit.acquire(0)
    limit.release(200)
    assert limit.acquire(0)


def test_a_waiting_thread_gets_the_place_that_comes_free() -> None:
    """A release wakes the thread that waits for a place."""
    limit = ConcurrencyLimit(1, FakeClock())
    limit.acquire(0)
    got: list[bool] = []
    waiter = threading.Thread(target=lambda: got.append(limit.acquire(10)))
    waiter.start()
    limit.release(200)
    waiter.join(10)
    assert got == [True]


@pytest.mark.parametrize("status", [429, 503])
def test_throttling_halves_the_limit(status: int) -> None:
    """When the service says that it is too much, half as many calls go out."""
    limit = ConcurrencyLimit(32, FakeClock())
    limit.acquire(0)
    limit.release(status)
    assert limit.limit == 16


@pytest.mark.parametrize("status", [200, 404, 500, 502, None])
def test_other_answers_leave_the_limit(status: int | None) -> None:
    """Failures that are not about load do not slow the account down."""
    limit = ConcurrencyLimit(32, FakeClock())
    limit.acquire(0)
    limit.release(status)
    assert limit.limit == 32


def test_one_burst_of_throttling_counts_once() -> None:
    """Many 429 within a second are one overload; a second later the next one counts."""
    clock = FakeClock()
    limit = ConcurrencyLimit(32, clock)
    for _ in range(4):
        limit.acquire(0)
    for _ in range(3):
        limit.release(429)
    assert limit.limit == 16
    clock.advance(1)
    limit.release(429)
    assert limit.limit == 8


def test_the_limit_never_falls_below_one() -> None:
    """However much the service complains, one call at a time goes on."""
    clock = FakeClock()
    limit = ConcurrencyLimit(4, clock)
    for _ in range(5):
        assert limit.acquire(0)
        limit.release(429)
        clock.advance(1)
    assert limit.limit == 1


def test_the_limit_recovers_by_one_every_few_seconds() -> None:
    """Without throttling the limit climbs step by step, up to the setting and no further."""
    clock = FakeClock()
    limit = ConcurrencyLimit(4, clock)
    limit.acquire(0)
    limit.release(429)
    seen = []
    for _ in range(4):
        seen.append(limit.limit)
        clock.advance(RAISE_EVERY_SECONDS)
    assert seen == [2, 3, 4, 4]


def test_throttling_puts_recovery_off() -> None:
    """A 429 that is too soon to halve the limit still starts the wait for the next raise anew."""
    clock = FakeClock()
    limit = ConcurrencyLimit(8, clock)
    limit.acquire(0)
    limit.acquire(0)
    limit.release(429)
    clock.advance(0.9)
    limit.release(429)
    clock.advance(RAISE_EVERY_SECONDS - 0.5)
    assert limit.limit == 4


def test_the_limit_holds_under_many_threads() -> None:
    """At no moment are more threads inside than the limit says, and all of them get through."""
    limit = ConcurrencyLimit(3, FakeClock())
    inside, most, served = 0, 0, 0
    guard = threading.Lock()

    def call() -> None:
        nonlocal inside, most, served
        for _ in range(50):
            assert limit.acquire(30)
            with guard:
                inside += 1
                most = max(most, inside)
            with guard:
                inside -= 1
                served += 1
            limit.release(200)

    threads = [threading.Thread(target=call) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (served, most <= 3) == (600, True)

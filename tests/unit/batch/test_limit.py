"""An account's limit on calls, as threads experience it."""

from __future__ import annotations

import logging
import threading

import pytest

from shared.batch.limit import AccountLimit
from shared.batch.reply import Reply, Sent
from shared.clock import SystemClock
from tests.fakes.clock import FakeClock

ACCOUNT = "https://acct.region.batch.azure.com"
DONE = Reply(Sent.ANSWERED, 200)
REFUSED = Reply(Sent.ANSWERED, 429)


def test_no_more_than_the_limit_are_in_flight() -> None:
    """A call beyond the limit on calls in flight is refused when its time is up, until another one ends."""
    clock = FakeClock()
    limit = AccountLimit(ACCOUNT, 2, clock)
    now = clock.monotonic()
    assert [limit.acquire(now) for _ in range(3)] == [True, True, False]
    limit.release(DONE)
    assert limit.acquire(now)


def test_a_waiting_thread_gets_the_place_that_comes_free() -> None:
    """A call that ends wakes a thread that waits for a place."""
    clock = SystemClock()
    limit = AccountLimit(ACCOUNT, 1, clock)
    limit.acquire(clock.monotonic())
    got: list[bool] = []
    waiter = threading.Thread(target=lambda: got.append(limit.acquire(clock.monotonic() + 10)))
    waiter.start()
    limit.release(DONE)
    waiter.join(10)
    assert got == [True]


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_holds_the_whole_account(status: int) -> None:
    """A `Retry-After` holds all calls to the account for that time, and others can ask how long it is."""
    clock = FakeClock()
    limit = AccountLimit(ACCOUNT, 8, clock)
    limit.acquire(clock.monotonic())
    limit.release(Reply(Sent.ANSWERED, status, retry_after=30))
    assert not limit.acquire(clock.monotonic() + 29)
    assert limit.seconds_held() == 30
    clock.advance(30)
    assert limit.acquire(clock.monotonic())
    assert limit.seconds_held() == 0


def test_no_retry_after_holds_the_account_for_longer_than_the_setting() -> None:
    """A `Retry-After` holds an account for at most BATCH_RETRY_MAX_SECONDS."""
    clock = FakeClock()
    limit = AccountLimit(ACCOUNT, 8, clock, longest_hold=60)
    limit.acquire(clock.monotonic())
    limit.release(Reply(Sent.ANSWERED, 429, retry_after=86_400))
    assert limit.seconds_held() == 60


def test_those_that_wait_start_one_after_the_other() -> None:
    """After a refusal, waiting calls start one after another at the reduced rate, and all of them start."""
    clock = SystemClock()
    limit = AccountLimit(ACCOUNT, 8, clock)
    limit.acquire(clock.monotonic())
    limit.release(REFUSED)
    begun: list[float] = []

    def call() -> None:
        if limit.acquire(clock.monotonic() + 30):
            begun.append(clock.monotonic())

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert len(begun) == 3
    # The rate of 10 a second begins to grow within the wait, and a late thread is made up for.
    assert max(begun) - min(begun) >= 0.1


def test_a_refusal_puts_off_those_that_wait() -> None:
    """A `Retry-After` also holds the calls that were already waiting for their turn."""
    clock = SystemClock()
    limit = AccountLimit(ACCOUNT, 8, clock)
    for _ in range(3):
        limit.acquire(clock.monotonic())
    limit.release(REFUSED)
    limit.acquire(clock.monotonic())
    got: list[bool] = []
    waiter = threading.Thread(target=lambda: got.append(limit.acquire(clock.monotonic() + 30)))
    waiter.start()
    limit.release(Reply(Sent.ANSWERED, 429, retry_after=900))
    limit.release(None)
    assert limit.seconds_held() > 800
    waiter.join(30)
    assert got in ([True], [False])


def test_a_change_is_logged_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A reduced rate, and its end, are logged and reported with the account."""
    caplog.set_level(logging.INFO)
    clock, seen = FakeClock(), []
    limit = AccountLimit(ACCOUNT, 8, clock, on_change=lambda account, rate: seen.append((account, rate)))
    for reply in (DONE, REFUSED):
        limit.acquire(clock.monotonic())
        limit.release(reply)
    clock.advance(60)
    limit.acquire(clock.monotonic())
    limit.release(DONE)
    assert seen == [(ACCOUNT, 10.0), (ACCOUNT, None)]
    assert [record.getMessage() for record in caplog.records] == [
        f"batch_rate_limit account={ACCOUNT} calls_per_second=10.0",
        f"batch_rate_limit account={ACCOUNT} calls_per_second=none",
    ]

"""The limit of one account, as threads meet it."""

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


class AnnouncingClock(FakeClock):
    """Says when it was asked for the time, which a call does last before it waits for a place."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()

    def monotonic(self) -> float:
        """The fake time."""
        self.asked.set()
        return super().monotonic()


def waiter_for(limit: AccountLimit, clock: AnnouncingClock, seconds: float, got: list[float]) -> threading.Thread:
    """A thread that waits for a place for so long; it adds that to `got` once it may start."""
    start_by = clock.monotonic() + seconds

    def call() -> None:
        if limit.acquire(start_by):
            got.append(seconds)

    clock.asked.clear()
    waiter = threading.Thread(target=call, daemon=True)
    waiter.start()
    assert clock.asked.wait(10)
    return waiter


def test_no_more_than_the_limit_are_in_flight() -> None:
    """A further call waits, and is told when its time is over."""
    clock = FakeClock()
    limit = AccountLimit(ACCOUNT, 2, clock)
    now = clock.monotonic()
    assert [limit.acquire(now) for _ in range(3)] == [True, True, False]
    limit.release(DONE)
    assert limit.acquire(now)


def test_a_waiting_thread_gets_the_place_that_comes_free() -> None:
    """A release wakes the thread that waits for a place."""
    clock = SystemClock()
    limit = AccountLimit(ACCOUNT, 1, clock)
    limit.acquire(clock.monotonic())
    got: list[bool] = []
    waiter = threading.Thread(target=lambda: got.append(limit.acquire(clock.monotonic() + 10)))
    waiter.start()
    limit.release(DONE)
    waiter.join(10)
    assert got == [True]


def test_whoever_waits_for_a_place_is_not_overtaken() -> None:
    """A caller with many calls frees a place and asks for the next at once; the call that waited comes first."""
    clock = AnnouncingClock()
    limit = AccountLimit(ACCOUNT, 1, clock)
    assert limit.acquire(clock.monotonic())
    got: list[float] = []
    waiter = waiter_for(limit, clock, 10, got)
    limit.release(DONE)
    assert not limit.acquire(clock.monotonic())
    waiter.join(10)
    assert got == [10]


def test_a_place_that_comes_too_late_for_one_goes_to_the_next() -> None:
    """The account asks for 30 seconds: the first in the queue has no time for that, the second has."""
    clock = AnnouncingClock()
    limit = AccountLimit(ACCOUNT, 1, clock)
    assert limit.acquire(clock.monotonic())
    got: list[float] = []
    waiters = [waiter_for(limit, clock, seconds, got) for seconds in (10, 100)]
    limit.release(Reply(Sent.ANSWERED, 429, retry_after=30))
    for waiter in waiters:
        waiter.join(5)
    assert got == [100]


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_holds_the_whole_account(status: int) -> None:
    """Nobody calls again before the time that one call was asked to wait, and whoever asks learns how long that is."""
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
    """BATCH_RETRY_MAX_SECONDS caps this as every delay."""
    clock = FakeClock()
    limit = AccountLimit(ACCOUNT, 8, clock, longest_hold=60)
    limit.acquire(clock.monotonic())
    limit.release(Reply(Sent.ANSWERED, 429, retry_after=86_400))
    assert limit.seconds_held() == 60


def test_those_that_wait_start_one_after_the_other() -> None:
    """After a refusal, three calls that come together start a tenth of a second apart, and none has to wait in vain."""
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
    """Calls that wait for their turn when the account asks for a pause do not go out in the middle of it."""
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
    """Operators see when an account takes fewer calls, and when it takes as many as it is sent again."""
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

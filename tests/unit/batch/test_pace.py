"""The pace of an account, against a service that counts tokens: calls, answers and time are simulated."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field

import pytest

from shared.batch.pace import LEAST, Pace


@dataclass
class Bucket:
    """A service that takes `limit` calls a second, and as many at once as it did not get in the second before."""

    limit: float
    tokens: float = 0.0
    at: float = 0.0

    def takes(self, now: float) -> bool:
        """Whether a call is carried out."""
        self.tokens = min(self.limit, self.tokens + (now - self.at) * self.limit)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Run:
    """Processes with callers that call one time after the other; what came of it after the first ten seconds."""

    bucket: Bucket
    processes: int = 1
    callers: int = 32
    latency: float = 0.02
    retry_after: float = 0.0
    lifted_at: float | None = None
    done: list[int] = field(default_factory=list)
    refused: int = 0
    free_at: float | None = None
    """When the pace of the first process had no limit again after the service's had been lifted."""

    def play(self, seconds: float) -> None:
        """Lets the callers call."""
        draw, number = random.Random(7), itertools.count()
        paces, turns = [Pace() for _ in range(self.processes)], [0] * self.processes
        self.done = [0] * self.processes
        events: list[tuple[float, int, int, str, int]] = []

        def at(when: float, process: int, what: str, turn: int = 0) -> None:
            heapq.heappush(events, (when, next(number), process, what, turn))

        for process in range(self.processes):
            for _ in range(self.callers):
                at(draw.random() / 100, process, "ask")
        while events and events[0][0] < seconds:
            now, _, process, what, turn = heapq.heappop(events)
            if what == "ask" or (what == "call" and turn != turns[process]):
                slot = paces[process].reserve(now, seconds)
                if slot is not None:
                    at(slot, process, "call", turns[process])
            elif what == "call":
                is_free = self.lifted_at is not None and now > self.lifted_at
                taken = is_free or self.bucket.takes(now)
                at(now + self.latency * draw.uniform(0.8, 1.2), process, "done" if taken else "refused")
            else:
                turns[process] += paces[process].answered(now, 200 if what == "done" else 429, self.retry_after)
                if now > 10:
                    self.done[process] += what == "done"
                    self.refused += what == "refused"
                if self.lifted_at is not None and now > self.lifted_at and paces[0].rate is None:
                    self.free_at = self.free_at or now
                at(now + 0.0005, process, "ask")


@pytest.mark.parametrize("retry_after", [0.0, 1.0])
@pytest.mark.parametrize(("limit", "latency"), [(100, 0.02), (100, 0.1), (500, 0.02), (500, 0.1)])
def test_nearly_all_that_the_account_takes_is_used_and_few_calls_are_refused(
    limit: float, latency: float, retry_after: float
) -> None:
    """After ten seconds: nine tenths of the service's rate at least, and under two of a hundred calls refused."""
    run = Run(Bucket(limit), latency=latency, retry_after=retry_after, callers=64)
    run.play(120)
    assert sum(run.done) >= 0.9 * limit * 110
    assert run.refused < 0.02 * (sum(run.done) + run.refused)


def test_two_processes_share_an_account_without_talking() -> None:
    """Neither gets more than twice what the other gets, and together they use what the account takes."""
    run = Run(Bucket(100), processes=2, retry_after=1.0)
    run.play(180)
    assert sum(run.done) >= 0.9 * 100 * 170
    assert max(run.done) <= 2 * min(run.done)


@pytest.mark.parametrize("limit", [20, 100, 500])
def test_a_limit_that_is_lifted_is_found_out_within_half_a_minute(limit: float) -> None:
    """No restart and no setting: the pace looks for more by itself."""
    run = Run(Bucket(limit), lifted_at=60)
    run.play(100)
    assert run.free_at is not None
    assert run.free_at - 60 < 30


def test_an_account_that_was_never_refused_has_no_pace() -> None:
    """The calls in flight are the only limit then."""
    pace = Pace()
    assert [pace.reserve(5.0, 5.0) for _ in range(999)] == [5.0] * 999
    assert pace.rate is None


def test_a_storm_of_refusals_counts_once() -> None:
    """All calls in flight are refused at once: the rate is cut once and not for each of them."""
    pace = Pace()
    for n in range(200):
        pace.answered(10 + n / 100, 200)
    cuts = [pace.answered(12 + n / 1000, 429) for n in range(32)]
    assert cuts == [True, *[False] * 31]
    assert pace.rate == pytest.approx(95, rel=0.02)


def test_the_pace_never_stops() -> None:
    """An account that refuses everything is still asked now and then."""
    pace = Pace()
    for second in range(60):
        pace.answered(float(second), 503)
    assert pace.rate is not None
    assert pace.rate >= LEAST
    assert pace.reserve(60.0, 62.0) is not None


@pytest.mark.parametrize("idle", [3_600.0, 86_400.0 * 30])
def test_an_account_that_was_idle_after_a_refusal_is_called_again(idle: float) -> None:
    """Growth over hours is more than a float holds; the call after them starts at once, without a limit."""
    pace = Pace()
    for n in range(400):
        pace.answered(10 + n / 100, 200)
    for second in range(14, 20):
        pace.answered(float(second), 429)
    assert pace.reserve(20 + idle, 20 + idle) == 20 + idle
    assert pace.rate is None


def test_a_fault_that_passes_costs_seconds_and_not_the_rate() -> None:
    """For half a second everything is refused, whatever the rate: soon after it the old rate is reached again."""
    pace = Pace()
    for n in range(400):
        pace.answered(10 + n / 100, 200)
    for n in range(30):
        pace.answered(14 + n / 50, 503)
    assert pace.rate is not None
    assert pace.rate < 60
    pace.reserve(17.0, 99.0)
    assert pace.rate >= 90


@pytest.mark.parametrize("status", [404, 412, 500, 502, None])
def test_other_answers_slow_nothing_down(status: int | None) -> None:
    """Failures that are not about load say nothing about the rate."""
    pace = Pace()
    assert not pace.answered(1.0, status)
    assert pace.rate is None

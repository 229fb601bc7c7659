"""The pace of an account, in a simulation of callers and a service with a token bucket."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from shared.batch.pace import LEAST, Pace


@dataclass
class Bucket:
    """A service that takes `limit` calls a second, and in a burst what it was spared in the last `burst` seconds."""

    limit: float
    burst: float = 1.0
    tokens: float = 0.0
    at: float = 0.0

    def takes(self, now: float) -> bool:
        """Whether a call is carried out."""
        self.tokens = min(max(1.0, self.burst * self.limit), self.tokens + (now - self.at) * self.limit)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Run:
    """Processes whose callers make one call after another; counts results after the first ten seconds."""

    bucket: Bucket
    processes: int = 1
    callers: int = 64
    latency: float = 0.02
    retry_after: float = 0.0
    lifted_at: float | None = None
    done: list[int] = field(default_factory=list)
    refused: int = 0
    free_at: float | None = None
    """When the pace of the first process had no limit again after the service's had been lifted."""

    _events: list[tuple[float, int, int, str]] = field(default_factory=list)
    _number: Iterator[int] = field(default_factory=itertools.count)
    _draw: random.Random = field(default_factory=lambda: random.Random(7))

    def play(self, seconds: float) -> None:
        """Lets the callers call; in each process one call at a time waits for its start, as in `AccountLimit`."""
        self._paces, self._waiting = [Pace() for _ in range(self.processes)], [0] * self.processes
        self.done = [0] * self.processes
        for process in range(self.processes):
            for _ in range(self.callers):
                self._at(self._draw.random() / 100, process, "ask")
        steps = {"ask": self._ask, "turn": self._turn}
        while self._events and self._events[0][0] < seconds:
            now, _, process, what = heapq.heappop(self._events)
            steps.get(what, partial(self._answer, what))(now, process)

    def _at(self, when: float, process: int, what: str) -> None:
        heapq.heappush(self._events, (when, next(self._number), process, what))

    def _ask(self, now: float, process: int) -> None:
        self._waiting[process] += 1
        if self._waiting[process] == 1:
            self._at(now, process, "turn")

    def _turn(self, now: float, process: int) -> None:
        pace = self._paces[process]
        if (start := pace.next_start(now)) > now:
            self._at(start + self._draw.random() / 1000, process, "turn")
            return
        pace.start(now)
        is_taken = self._is_free(now) or self.bucket.takes(now)
        self._at(now + self.latency * self._draw.uniform(0.8, 1.2), process, "done" if is_taken else "refused")
        self._waiting[process] -= 1
        if self._waiting[process]:
            self._at(now + 0.0001, process, "turn")

    def _answer(self, what: str, now: float, process: int) -> None:
        self._paces[process].answered(now, 200 if what == "done" else 429, self.retry_after)
        if now > 10:
            self.done[process] += what == "done"
            self.refused += what == "refused"
        if self._is_free(now) and self._paces[0].rate is None:
            self.free_at = self.free_at or now
        self._at(now + 0.0005, process, "ask")

    def _is_free(self, now: float) -> bool:
        return self.lifted_at is not None and now > self.lifted_at


@pytest.mark.parametrize("retry_after", [0.0, 1.0])
@pytest.mark.parametrize("burst", [0.1, 1.0])
@pytest.mark.parametrize(("limit", "latency"), [(100, 0.02), (100, 0.1), (500, 0.02), (500, 0.1)])
def test_nearly_all_that_the_account_takes_is_used_and_few_calls_are_refused(
    limit: float, latency: float, burst: float, retry_after: float
) -> None:
    """After ten seconds, calls use at least 90 % of the service's rate and under 2 % of them are refused."""
    run = Run(Bucket(limit, burst), latency=latency, retry_after=retry_after)
    run.play(60)
    assert sum(run.done) >= 0.9 * limit * 50
    assert run.refused < 0.02 * (sum(run.done) + run.refused)


@pytest.mark.parametrize(("limit", "burst"), [(100, 0.3), (500, 0.1), (500, 1.0)])
def test_two_processes_share_an_account_without_talking(limit: float, burst: float) -> None:
    """Two processes sharing an account use 85 % of its rate, and neither gets more than twice the other's share."""
    run = Run(Bucket(limit, burst), processes=2, retry_after=1.0)
    run.play(180)
    assert sum(run.done) >= 0.85 * limit * 170
    assert max(run.done) <= 2 * min(run.done)


@pytest.mark.parametrize("retry_after", [0.0, 1.0])
@pytest.mark.parametrize("limit", [20, 100, 500])
def test_a_limit_that_is_lifted_is_found_out_within_half_a_minute(limit: float, retry_after: float) -> None:
    """Within 30 seconds after the service's limit is lifted, the pace has no limit either."""
    run = Run(Bucket(limit, 0.1), retry_after=retry_after, lifted_at=60)
    run.play(100)
    assert run.free_at is not None
    assert run.free_at - 60 < 30


def test_an_account_that_was_never_refused_has_no_pace() -> None:
    """An account that never refused a call has no rate limit."""
    pace = Pace()
    for _ in range(999):
        assert pace.next_start(5.0) == 5.0
        pace.start(5.0)
    assert pace.rate is None


def test_a_call_behind_others_is_told_when_its_turn_would_come() -> None:
    """A call behind 20 others at 10 calls a second can start in two seconds."""
    pace = Pace()
    pace.answered(1.0, 429)
    assert pace.rate == 10
    assert pace.next_start(1.0, ahead=20) == 3.0
    assert pace.next_start(1.0) == 1.0


def test_a_call_that_waits_gains_from_growth() -> None:
    """When the rate grows, calls that already wait start sooner."""
    pace = Pace()
    pace.answered(1.0, 429)
    for n in range(4):
        pace.start(1.0 + n / 10)
    told = pace.next_start(1.4, ahead=100)
    assert pace.next_start(4.0, ahead=100) - 4.0 < told - 1.4


def test_a_late_thread_costs_no_call() -> None:
    """If a thread starts its call late, the next one may start earlier, so that the rate is kept."""
    pace = Pace()
    pace.answered(1.0, 429)
    pace.start(1.0)
    pace.start(1.115)
    assert pace.next_start(1.12) == pytest.approx(1.2)


def test_a_storm_of_refusals_counts_once() -> None:
    """When all calls in flight are refused at once, the rate is cut only once."""
    pace = Pace()
    for n in range(200):
        pace.answered(10 + n / 100, 200)
    cuts = [pace.answered(12 + n / 1000, 429) for n in range(32)]
    assert cuts == [True, *[False] * 31]
    assert pace.rate == pytest.approx(97, rel=0.02)


def test_the_pace_never_stops() -> None:
    """An account that refuses every call is still called at a minimum rate."""
    pace = Pace()
    for second in range(60):
        pace.answered(float(second), 503)
    assert pace.rate is not None
    assert pace.rate >= LEAST
    assert pace.next_start(60.0) <= 62.0


@pytest.mark.parametrize("idle", [3_600.0, 86_400.0 * 30])
def test_an_account_that_was_idle_after_a_refusal_is_called_again(idle: float) -> None:
    """After hours or days without calls, the rate limit is gone and the next call starts at once."""
    pace = Pace()
    for n in range(400):
        pace.answered(10 + n / 100, 200)
    for second in range(14, 20):
        pace.answered(float(second), 429)
    assert pace.next_start(20 + idle) == 20 + idle
    assert pace.rate is None


def test_a_fault_that_passes_costs_seconds_and_not_the_rate() -> None:
    """After half a second in which every call was refused, the former rate is reached again in seconds."""
    pace = Pace()
    for n in range(400):
        pace.answered(10 + n / 100, 200)
    for n in range(30):
        pace.answered(14 + n / 50, 503)
    assert pace.rate is not None
    assert pace.rate < 60
    pace.next_start(17.5)
    assert pace.rate >= 90


@pytest.mark.parametrize("status", [404, 412, 500, 502, None])
def test_other_answers_slow_nothing_down(status: int | None) -> None:
    """Failures that are not about load, such as 404 or 500, do not reduce the rate."""
    pace = Pace()
    assert not pace.answered(1.0, status)
    assert pace.rate is None

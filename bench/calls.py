"""Calls from many threads of this process, and how long each took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class Calls:
    """Calls from many threads: how many, how long each took, and how long all of them took."""

    seconds: float
    cpu_seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


def call_from(threads: int, call_of: Callable[[], Callable[[], object]], *, seconds: float, most: int) -> Calls:
    """Calls from this many threads, each with a call that it makes itself, until the time or the number is reached.

    The first call of each thread opens its connection and does not count. Raises what a call raises.
    """
    begin = threading.Barrier(threads + 1)
    ends = [0.0]

    def work() -> list[float]:
        try:
            call = call_of()
            call()
        finally:
            begin.wait()
        begin.wait()
        took: list[float] = []
        while len(took) < most // threads and (now := time.perf_counter()) < ends[0]:
            call()
            took.append(time.perf_counter() - now)
        return took

    with ThreadPoolExecutor(threads) as pool:
        workers = [pool.submit(work) for _ in range(threads)]
        begin.wait()
        began, cpu = time.perf_counter(), time.process_time()
        ends[0] = began + seconds
        begin.wait()
        latencies = [latency for worker in workers for latency in worker.result()]
        return Calls(time.perf_counter() - began, time.process_time() - cpu, latencies)

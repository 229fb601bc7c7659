"""Adaptive concurrency: the app's client against a token bucket, compared with a fixed number of calls in flight."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.arithmetic import Figures, per
from bench.batch_stub import BatchStub
from bench.rig import LATENCY_MS, ROOT
from bench.rounds import Part, Plan, side_by_side, tabulate
from devstack.stack_settings import inherited_environment

SETTLING_SECONDS = 10
MOST = 128
Second = tuple[int, int]
"""The calls accepted and refused within one second."""


def measure(plan: Plan) -> Part:
    """Goodput and refusals at 100/s and 500/s; recovery; two processes on one limit."""
    part = Part("Adaptive concurrency", 'make bench ARGS="--parts throttling"')
    seconds = plan.of(40, 14)
    for rate in (100, 500):
        sides = {
            "app": partial(steady, "app", MOST, rate, seconds),
            "fixed 32": partial(steady, "fixed", 32, rate, seconds),
            "fixed 128": partial(steady, "fixed", 128, rate, seconds),
        }
        found = side_by_side(plan.rounds, sides)
        tabulate(part, found, limit_per_second=rate)
    tabulate(part, side_by_side(plan.rounds, {"app": partial(recovery, plan)}), case="limit of 100/s lifted")
    tabulate(
        part, side_by_side(plan.rounds, {"two of the app": partial(shared, 500, 2 * seconds)}), limit_per_second=500
    )
    part.notes.append(
        f"After {SETTLING_SECONDS} s to settle; the stub takes a tenth of the limit at once, then refuses."
    )
    return part


@contextmanager
def limited_stub(rate: float) -> Iterator[BatchStub]:
    """A stub that accepts this many calls per second."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        BatchStub(latency_ms=LATENCY_MS, rate=rate, logs=Path(folder)) as stub,
    ):
        yield stub


def steady(client: str, threads: int, rate: float, seconds: int) -> Figures:
    """Goodput as a share of the limit, and the share of calls refused, after settling."""
    with limited_stub(rate) as stub:
        counts = _finish(_start(client, stub.url, threads, seconds))
    return judged(counts, rate)


def judged(counts: list[Second], rate: float) -> Figures:
    """The figures of the seconds after the client has settled."""
    settled = counts[SETTLING_SECONDS:]
    taken, refused = sum(t for t, _ in settled), sum(r for _, r in settled)
    return {
        "goodput_per_second": per(taken, len(settled)),
        "goodput_of_limit": per(per(taken, len(settled)), rate),
        "refused_share": per(refused, taken + refused),
    }


def recovery(plan: Plan) -> Figures:
    """Seconds from when the limit is lifted until the rate is four fifths of the best that follows."""
    limited, free = plan.of(15, 6), plan.of(60, 10)
    with limited_stub(100) as stub:
        process = _start("app", stub.url, MOST, limited + free)
        time.sleep(limited)
        stub.limit(0)
        counts = _finish(process)
    after = [taken for taken, _ in counts[limited + 1 :]]
    reached = next(second for second, taken in enumerate(after) if taken >= 0.8 * max(after))
    return {"seconds_to_recover": reached, "best_per_second": max(after)}


def shared(rate: float, seconds: int) -> Figures:
    """Two processes that do not communicate: their total rate, and the smaller share relative to the larger."""
    with limited_stub(rate) as stub:
        running = [_start("app", stub.url, MOST, seconds) for _ in range(2)]
        one, other = (_finish(process) for process in running)
    both = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(one, other, strict=True)]
    shares = sorted(sum(t for t, _ in counts[SETTLING_SECONDS:]) for counts in (one, other))
    return {**judged(both, rate), "smaller_of_larger": per(shares[0], shares[1])}


def _start(client: str, url: str, threads: int, seconds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.throttled_client", client, url]
    command += ["--threads", str(threads), "--seconds", str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, env=inherited_environment(), stdout=subprocess.PIPE, text=True)


def _finish(process: subprocess.Popen[str]) -> list[Second]:
    output, _ = process.communicate(timeout=300)
    if process.returncode:
        raise RuntimeError(f"the throttled client ended with code {process.returncode}")
    return [(taken, refused) for taken, refused in json.loads(output)]

"""`make bench`: measures all parts side by side with their rivals, and writes docs/performance/. Takes hours.

ARGS="--parts single-messages,whole-jobs" some of them; ARGS="--quick" a smoke test, whose figures say nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import (
    accepting,
    cold_start,
    cost,
    delete_call,
    growth,
    many_processes,
    partition_simulation,
    single_messages,
    storage_calls,
    sweep,
    throttling,
    whole_jobs,
)
from bench.report import FOLDER, conditions, save
from bench.rounds import Plan

PARTS = {
    "delete-call": delete_call.measure,
    "storage-calls": storage_calls.measure,
    "single-messages": single_messages.measure,
    "whole-jobs": whole_jobs.measure,
    "accepting": accepting.measure,
    "many-processes": many_processes.measure,
    "growth": growth.measure,
    "cold-start": cold_start.measure,
    "throttling": throttling.measure,
    "partition-simulation": partition_simulation.measure,
    "cost": cost.measure,
}


def main() -> int:
    """Runs the parts; returns 0 if each was completed."""
    options = parse()
    plan = Plan(1 if options.quick else options.rounds, options.quick)
    folder = Path(tempfile.mkdtemp(prefix="bench-quick-")) if options.quick else options.into
    parts = {"sweep": sweep.measure} if options.sweep else {name: PARTS[name] for name in options.parts}
    for name, measure in parts.items():
        print(f"{name}", file=sys.stderr, flush=True)
        began = time.monotonic()
        under = conditions(plan, f'make bench ARGS="{"--sweep" if options.sweep else f"--parts {name}"}"')
        part = measure(plan)
        save(folder, name, part, under)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if options.sweep:
        print(f"written to {folder}", file=sys.stderr)
        return 0
    drawn = subprocess.run([str(delete_call.PYTHON), "-m", "bench.plots", str(folder)], check=False)
    print(f"written to {folder}", file=sys.stderr)
    return drawn.returncode


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parses the options of the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--parts", type=_parts, default=list(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the medians are taken")
    parser.add_argument("--quick", action="store_true", help="a smoke test that leaves docs/performance/ alone")
    parser.add_argument("--into", type=Path, default=FOLDER, help="where the results go")
    parser.add_argument("--sweep", action="store_true", help="a sweep of a large account, in place of the parts")
    return parser.parse_args(arguments)


def _parts(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no part {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    sys.exit(main())

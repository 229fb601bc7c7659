"""Compares the app's storage adapters with the official clients, call by call."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

from bench.arithmetic import Figures
from bench.rig import ROOT, Rig
from bench.rounds import Part, Plan, compare, side_by_side, tabulate
from bench.storage_client import CALLS
from devstack.stack_settings import inherited_environment


def measure(plan: Plan) -> Part:
    """CPU per call and calls per second, from one thread and from eight."""
    part = Part("Storage calls", 'make bench ARGS="--parts storage-calls"')
    for call in CALLS:
        # The emulator gets slower with all that it has held.
        with Rig(None) as rig:
            for threads in (1,) if plan.quick else (1, 8):
                sides = {
                    side: partial(_run, rig, side, call, threads, plan.of(400, 20)) for side in ("app", "official")
                }
                found = side_by_side(plan.rounds, sides)
                tabulate(part, found, call=call, threads=threads)
                label = f"{call}, {threads} threads: CPU, app / official"
                compare(part, found, "app", "official", "cpu_us", label)
    part.notes.append("A group is a transaction of 96 rows. Both sides run in processes of their own, on one emulator.")
    return part


def _run(rig: Rig, side: str, call: str, threads: int, most: int) -> Figures:
    command = [sys.executable, "-m", "bench.storage_client", side, call, rig.connection_string]
    shown = subprocess.run(
        [*command, str(threads), str(most)],
        cwd=ROOT,
        env=inherited_environment() | rig.env,
        capture_output=True,
        text=True,
        check=False,
    )
    if shown.returncode:
        raise RuntimeError(f"{side} {call} ended with code {shown.returncode}:\n{shown.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(shown.stdout)
    return figures

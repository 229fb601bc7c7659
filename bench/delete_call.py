"""Part 1: the DELETE call of the app's client, compared with the alternatives."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.arithmetic import Figures
from bench.batch_stub import BatchStub
from bench.delete_clients import CLIENTS
from bench.rounds import Part, Plan, compare, side_by_side, tabulate
from bench.tls_front import TlsFront
from devstack.stack_settings import inherited_environment

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"


def measure(plan: Plan) -> Part:
    """Plain HTTP and TLS; 1, 8 and 48 calls in flight; 0 and 20 ms latency."""
    part = Part("The DELETE call", 'make bench ARGS="--parts delete-call"')
    in_flight = (1, 8) if plan.quick else (1, 8, 48)
    for latency, url, ca in _endpoints():
        for count in in_flight:
            sides = {client: partial(_run, client, url, ca, count, 0.3 if plan.quick else 1.0) for client in CLIENTS}
            found = side_by_side(plan.rounds, sides)
            case = {"transport": "TLS" if ca else "plain", "latency_ms": latency, "in_flight": count}
            tabulate(part, found, **case)
            label = f"{case['transport']}, {latency} ms, {count} in flight"
            compare(part, found, "app", "official sync", "cpu_us", f"{label}: CPU of a call, app / official sync")
            compare(part, found, "app", "official sync", "calls_per_second", f"{label}: rate, app / official sync")
    part.notes.append("Each client runs in a process of its own; `official` is azure-batch as it comes.")
    return part


def _endpoints() -> Iterator[tuple[int, str, Path | None]]:
    """Latency, URL and CA of each endpoint, which runs until the next is asked for."""
    for latency in (0, 20):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as cleanup:
            stub = cleanup.enter_context(BatchStub(latency_ms=latency, logs=Path(folder)))
            yield latency, stub.url, None
            front = cleanup.enter_context(TlsFront(stub.url, Path(folder)))
            yield latency, front.url, front.ca


def _run(client: str, url: str, ca: Path | None, in_flight: int, seconds: float) -> Figures:
    command = [str(PYTHON), "-m", "bench.delete_clients", client, url, "--in-flight", str(in_flight)]
    command += ["--seconds", str(seconds), *(["--ca", str(ca)] if ca else [])]
    env = inherited_environment() | ({"SSL_CERT_FILE": str(ca)} if ca else {})
    shown = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if shown.returncode:
        raise RuntimeError(f"{client} ended with code {shown.returncode}:\n{shown.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(shown.stdout)
    return figures

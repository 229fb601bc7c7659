"""Part 7: the time to the first answer: import, index, host; with and without bytecode."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from functools import partial

import requests

from bench.arithmetic import Figures
from bench.processes import memory_mib
from bench.rig import APP, ROOT, Rig
from bench.rounds import Part, Plan, Side, compare, side_by_side, tabulate
from devstack.stack_settings import inherited_environment

LIBRARIES = ("azure.functions", "requests", "pydantic", "azure.data.tables", "azure.storage.queue", "azure.identity")
_TIMED = """
import sys, time
began = time.perf_counter()
{work}
took = time.perf_counter() - began
pages = open("/proc/self/status").read().partition("VmRSS:")[2].split()[0]
print(took * 1e3, int(pages) / 1024, len(sys.modules))
"""
WORK = {
    "nothing": "",
    "libraries alone": "\n".join(f"import {name}" for name in LIBRARIES),
    "import": "import function_app",
    "import and index": "import function_app\nlen(function_app.app.get_functions())",
}


def measure(plan: Plan) -> Part:
    """Milliseconds and memory of each step, in fresh interpreters."""
    part = Part("Cold start", 'make bench ARGS="--parts cold-start"')
    for bytecode in (True, False):
        sides: dict[str, Side] = {name: partial(interpreter, work, bytecode) for name, work in WORK.items()}
        sides["first answer of the host"] = partial(first_answer, bytecode)
        found = side_by_side(plan.rounds, sides)
        tabulate(part, found, bytecode="with" if bytecode else "without")
        label = f"import and index / libraries alone, {'with' if bytecode else 'without'} bytecode"
        compare(part, found, "import and index", "libraries alone", "ms", label)
    part.notes.append(
        f"Libraries: {', '.join(LIBRARIES)}. Without bytecode nothing is read from or written to a cache."
    )
    return part


def interpreter(work: str, bytecode: bool) -> Figures:
    """Runs one fresh interpreter."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        env = inherited_environment() | _without_cache(folder, bytecode)
        if bytecode:
            _run(work, env)
        took, memory, modules = _run(work, env)
        return {"ms": took, "memory_mib": memory, "modules": modules}


def _run(work: str, env: dict[str, str]) -> tuple[float, float, float]:
    command = [sys.executable, "-c", _TIMED.format(work=work)]
    shown = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if shown.returncode:
        raise RuntimeError(shown.stderr[-2000:])
    took, memory, modules = (float(text) for text in shown.stdout.split())
    return took, memory, modules


def first_answer(bytecode: bool) -> Figures:
    """The time from the start of the host's process until it accepted its first request."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Rig(None) as rig:
        env = inherited_environment() | rig.env | _without_cache(folder, bytecode)
        options = ["--app", str(APP), "--settings", os.devnull, "--port", "0", "--quiet"]
        began = time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-m", "devstack.host", *options], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
        ) as host:
            try:
                ready = _ready(host)
                up = time.monotonic() - began
                body = {"clientRequestId": str(uuid.uuid4()), "jobId": "bench", "taskId": "task-1"}
                requests.post(f"{ready}/api/task-deletions", data=json.dumps(body), timeout=60).raise_for_status()
                took = time.monotonic() - began
                return {"ms": took * 1e3, "host_ready_ms": up * 1e3, "memory_mib": memory_mib(host.pid)}
            finally:
                host.terminate()


def _ready(host: subprocess.Popen[str]) -> str:
    for line in host.stdout or ():
        if line.startswith("host ready "):
            return line.split()[-1]
    raise RuntimeError("the host ended before it was ready")


def _without_cache(folder: str, bytecode: bool) -> dict[str, str]:
    return {} if bytecode else {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": "1"}

"""One event for a job of many tasks: DELETEs, results, memory of the host, and storage operations per DELETE."""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections import Counter
from contextlib import suppress
from pathlib import Path

import requests
from azure.storage.queue import QueueServiceClient

from bench.storage_operations import count_operations
from devstack.azurite import Azurite
from devstack.client import AppClient
from devstack.stack import Stack

ROOT = Path(__file__).resolve().parents[1]
JOB = "bench"
SETTINGS = {"OPERATION_BUDGET_SECONDS": "30"}
LEASE_SECONDS = 90


def whole_job(tasks: int, running: int, *, kill: bool, seconds: float) -> bool:
    """Runs and prints the figures; True when each completed task got exactly one DELETE and no running one any."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "azurite.log")
        azurite = Azurite(log=log, log_requests=True)
        with Stack(ROOT, env=SETTINGS, lease_seconds=LEASE_SECONDS, azurite=azurite) as stack:
            return _run(stack, log, tasks, running, kill=kill, seconds=seconds)


def _run(stack: Stack, log: Path, tasks: int, running: int, *, kill: bool, seconds: float) -> bool:
    app = AppClient(stack)
    app.seed(
        [
            {"id": JOB, "state": "completed", "tasks": {"count": tasks, "prefix": "done-"}},
            {"id": JOB, "tasks": {"count": running, "prefix": "running-", "state": "running"}},
        ]
    )
    service = QueueServiceClient.from_connection_string(stack.connection_string)
    event_id, began = str(uuid.uuid4()), time.monotonic()
    event = {"clientRequestId": event_id, "jobId": JOB}
    service.get_queue_client(stack.env["JOB_COMPLETION_QUEUE_NAME"]).send_message(json.dumps(event))
    seen: dict[str, str] = {}
    memory, killed = {0: _memory_kib()}, not kill
    while len(seen) < tasks and time.monotonic() - began < seconds:
        for result in app.results():
            if result["type"] == "batch.task-deletion.done":
                seen[result["id"]] = result["data"]["outcome"]
        tenth = 10 * len(seen) // tasks
        memory[tenth] = max(memory.get(tenth, 0), _memory_kib())
        if not killed and len(seen) > tasks / 2:
            stack.kill_host()
            stack.start_host()
            killed = True
        time.sleep(0.2)
    took = time.monotonic() - began
    deletes = app.deletes()
    inputs = (stack.env["REQUEST_QUEUE_NAME"], stack.env["JOB_COMPLETION_QUEUE_NAME"])
    operations = count_operations(log.read_text(errors="replace").splitlines(), inputs, app.queues["result"])
    progress = requests.get(f"{stack.http_url}/api/job-completions/{event_id}", timeout=60).json()
    return _report(tasks, seen, deletes, operations, progress, took, memory)


def _report(
    tasks: int,
    seen: dict[str, str],
    deletes: Counter[str],
    operations: Counter[str],
    progress: dict[str, object],
    took: float,
    memory: dict[int, int],
) -> bool:
    done = sum(count for name, count in deletes.items() if name.startswith("done-"))
    spared = sum(count for name, count in deletes.items() if name.startswith("running-"))
    repeated = done - sum(name.startswith("done-") for name in deletes)
    lines = [
        f"{len(seen)} results in {took:.0f} s ({len(seen) / took:.0f} a second): {dict(Counter(seen.values()))}",
        f"{done} DELETEs of completed tasks, {repeated} of them repeated before an outcome, {spared} of running ones",
        f"progress: {progress}",
        f"peak memory of the host: {max(memory.values()) / 1024:.0f} MiB",
        "of it reached by " + ", ".join(f"{10 * tenth} %: {kib / 1024:.0f}" for tenth, kib in memory.items()) + " MiB",
        *(f"{name}: {operations[name] / tasks:.3f} operations per DELETE" for name in sorted(operations)),
    ]
    print("\n".join(lines))
    return len(seen) == tasks and spared == 0 and set(seen.values()) == {"deleted"}


def _memory_kib() -> int:
    """Peak resident memory of host and worker so far, from /proc; 0 where there is none."""
    peak = 0
    for process in Path("/proc").glob("[0-9]*"):
        # A process may end while it is looked at.
        with suppress(OSError, IndexError, ValueError):
            if b"devstack.host" in (process / "cmdline").read_bytes():
                peak += int((process / "status").read_text().partition("VmHWM:")[2].split()[0])
    return peak

"""Part 3: a whole job by one event, compared with a loop of the official client with 32 threads over the same tasks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.arithmetic import Figures, differences, per
from bench.load import wait_until_empty
from bench.operations import count_operations
from bench.rig import APP, ROOT, Rig
from bench.rounds import Part, Plan, compare, side_by_side, tabulate
from devstack.stack_settings import inherited_environment

THREADS = 32
GIVE_UP_SECONDS = 7_200


def measure(plan: Plan, sizes: tuple[int, ...] = (1_000, 2_000, 10_000)) -> Part:
    """Rate, CPU and operations per task, by the size of the job."""
    part = Part("Whole jobs", 'make bench ARGS="--parts whole-jobs"')
    for tasks in (200,) if plan.quick else sizes:
        sides = {"app": partial(clean_up, tasks), "loop": partial(loop, tasks)}
        found = side_by_side(plan.rounds, sides)
        compare(part, found, "app", "loop", "tasks_per_second", f"{tasks:,} tasks: rate, app / loop")
        compare(part, found, "app", "loop", "app_cpu_ms", f"{tasks:,} tasks: CPU of the app alone / loop")
        found["app"].append(operations(tasks))
        tabulate(part, found, tasks=tasks)
    part.notes.append("The loop is azure-batch as it comes: it lists the job and deletes from 32 threads, 20 ms each.")
    return part


def clean_up(
    tasks: int,
    *,
    hosts: int = 1,
    env: dict[str, str] | None = None,
    on_look: Callable[[Rig], None] | None = None,
    count: bool = False,
) -> Figures:
    """One event for a job on a fresh stack, after a small job to warm up; `count` also counts operations."""
    with Rig(APP, hosts=hosts, env=env, log_requests=count) as rig:
        _send_event(rig, "warm-200")
        wait_until_empty(rig, GIVE_UP_SECONDS)
        rig.stub.reset()
        before, idle, logged = rig.cpu(), rig.memory_mib(), len(rig.emulator_log()) if count else 0
        began = time.monotonic()
        _send_event(rig, f"bench-{tasks}")
        first = _First(rig, began)
        wait_until_empty(rig, GIVE_UP_SECONDS, lambda: first.look(on_look))
        seconds = time.monotonic() - began
        cpu = differences(before, rig.cpu())
        _check(rig, tasks)
        return {
            "tasks_per_second": tasks / seconds,
            "first_delete_after_seconds": first.seconds or seconds,
            "app_cpu_ms": per(cpu["app"], tasks) * 1e3,
            "host_cpu_ms": per(cpu["host"], tasks) * 1e3,
            "emulator_cpu_ms": per(cpu["emulator"], tasks) * 1e3,
            "memory_before_mib": idle,
            "memory_most_mib": rig.memory_mib("VmHWM"),
            **(_operations(rig, logged, tasks) if count else {}),
        }


@dataclass
class _First:
    """Notes when the first DELETE came: until then, two idle queues were polled and the first page listed."""

    rig: Rig
    began: float
    seconds: float = 0

    def look(self, more: Callable[[Rig], None] | None) -> None:
        if not self.seconds and self.rig.stub.counts()["distinct"]:
            self.seconds = time.monotonic() - self.began
        if more:
            more(self.rig)


def loop(tasks: int) -> Figures:
    """The official client's loop on the same kind of stack, which is otherwise idle."""
    with Rig(None) as rig:
        env = {**inherited_environment(), **rig.env}
        command = [sys.executable, "-m", "bench.official_loop", rig.stub.url, f"bench-{tasks}", str(THREADS)]
        shown = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if shown.returncode:
            raise RuntimeError(f"the loop ended with code {shown.returncode}:\n{shown.stderr[-2000:]}")
        found = json.loads(shown.stdout)
        _check(rig, tasks)
        return {"tasks_per_second": tasks / found["seconds"], "app_cpu_ms": per(found["cpu_seconds"], tasks) * 1e3}


def operations(tasks: int) -> Figures:
    """Storage operations per task, in a separate round, because the emulator's log has a cost."""
    with Rig(APP, log_requests=True) as rig:
        begin = len(rig.emulator_log())
        _send_event(rig, f"bench-{tasks}")
        wait_until_empty(rig, GIVE_UP_SECONDS)
        return _operations(rig, begin, tasks)


def _operations(rig: Rig, begin: int, tasks: int) -> Figures:
    inputs = (rig.env["REQUEST_QUEUE_NAME"], rig.env["JOB_COMPLETION_QUEUE_NAME"])
    counts = count_operations(rig.emulator_log()[begin:], inputs, rig.env["RESULT_QUEUE_NAME"])
    return {f"{name.replace(' ', '_')}_operations": per(total, tasks) for name, total in counts.items()}


def _send_event(rig: Rig, job: str) -> None:
    queue = rig.queues().get_queue_client(rig.env["JOB_COMPLETION_QUEUE_NAME"])
    queue.send_message(json.dumps({"clientRequestId": str(uuid.uuid4()), "jobId": job}))


def _check(rig: Rig, tasks: int) -> None:
    counts = rig.stub.counts()
    if counts["distinct"] != tasks:
        raise RuntimeError(f"{counts['distinct']} of {tasks} tasks were deleted; see {rig.logs}")

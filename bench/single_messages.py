"""Part 2: single messages in, results out; the app, a function of official clients and a floor, through one host."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.arithmetic import Figures, differences, per
from bench.load import feed_until_done
from bench.operations import count_operations
from bench.rig import APP, FLOOR, RIVAL, Rig
from bench.rounds import Part, Plan, compare, side_by_side, tabulate

JOB = "bench"
GIVE_UP_SECONDS = 900


def measure(plan: Plan) -> Part:
    """Rate and CPU per message; operations are counted in a separate round, because the log has a cost."""
    part = Part("Single messages", 'make bench ARGS="--parts single-messages"')
    count, warm = plan.of(600, 40), plan.of(100, 10)
    folders = {"app": APP, "rival": RIVAL, "floor": FLOOR}
    sides = {name: partial(messages, folder, count, warm) for name, folder in folders.items()}
    found = side_by_side(plan.rounds, sides)
    for name, folder in folders.items():
        found[name].append(operations(folder, plan.of(200, 20)))
    tabulate(part, found)
    for side in found:
        del found[side][-1]
    for name in ("app", "floor"):
        compare(part, found, name, "rival", "messages_per_second", f"rate, {name} / rival")
        compare(part, found, name, "rival", "app_cpu_ms", f"CPU of the app alone, {name} / rival")
    compare(part, found, "app", "rival", "host_cpu_ms", "CPU with the host, app / rival")
    part.notes.append(
        f"{count} messages after {warm} to warm up, at most 200 waiting, 20 ms for a DELETE, 32 in flight. The floor "
        "makes the same calls with prepared bytes on open sockets: what the host and the emulator leave to win."
    )
    return part


def bodies(count: int, first: int = 1) -> list[str]:
    """Request messages for different tasks."""
    return [
        json.dumps({"clientRequestId": str(uuid.uuid4()), "jobId": JOB, "taskId": f"task-{number:08}"})
        for number in range(first, first + count)
    ]


def messages(
    app_dir: Path,
    count: int,
    warm: int,
    *,
    hosts: int = 1,
    env: dict[str, str] | None = None,
    prepare: Callable[[Rig], None] | None = None,
) -> Figures:
    """The figures of one round on a fresh stack. Raises RuntimeError unless each task had its DELETE."""
    with Rig(app_dir, hosts=hosts, env=env) as rig:
        if prepare:
            prepare(rig)
        feed_until_done(rig, bodies(warm), GIVE_UP_SECONDS)
        rig.stub.reset()
        before = rig.cpu()
        seconds = feed_until_done(rig, bodies(count), GIVE_UP_SECONDS)
        cpu = differences(before, rig.cpu())
        deleted = rig.stub.counts()["distinct"]
        if deleted != count:
            raise RuntimeError(f"{deleted} of {count} tasks were deleted; see {rig.logs}")
        return {
            "messages_per_second": count / seconds,
            "app_cpu_ms": per(cpu["app"], count) * 1e3,
            "host_cpu_ms": per(cpu["host"], count) * 1e3,
            "emulator_cpu_ms": per(cpu["emulator"], count) * 1e3,
            "memory_mib": rig.memory_mib("VmHWM"),
        }


def operations(app_dir: Path, count: int) -> Figures:
    """Storage operations per message, without receives."""
    with Rig(app_dir, log_requests=True) as rig:
        begin = len(rig.emulator_log())
        feed_until_done(rig, bodies(count), GIVE_UP_SECONDS)
        inputs = (rig.env["REQUEST_QUEUE_NAME"], rig.env["JOB_COMPLETION_QUEUE_NAME"])
        counts = count_operations(rig.emulator_log()[begin:], inputs, rig.env["RESULT_QUEUE_NAME"])
        # The bench's own: it puts each message.
        counts["input queues"] -= count
        return {f"{name.replace(' ', '_')}_operations": per(total, count) for name, total in counts.items()}

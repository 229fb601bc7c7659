"""Part 6: a table with many rows, and a large job: memory, CPU and operations, compared with the loop."""

from __future__ import annotations

import time
from functools import partial

from bench.arithmetic import Figures, per
from bench.bare_inserts import insert
from bench.rig import APP, Rig
from bench.rounds import Part, Plan, compare, side_by_side, tabulate
from bench.single_messages import messages
from bench.whole_jobs import clean_up, loop

AT_ONCE = 2
SMALL_JOB = 1_000
SLIM_ROW = {"state": "done", "outcome": "deleted"}
"""Only the number of rows matters here; complete rows would fill the emulator's memory."""


def measure(plan: Plan, rows: int = 1_000_000, tasks: int = 100_000) -> Part:
    """Single messages with 0 rows and with many; a large job once, compared with a small one and the loop."""
    part = Part("Growth", 'make bench ARGS="--parts growth"')
    rows, tasks = plan.of(rows, 1_000), plan.of(tasks, 1_000)
    count = plan.of(400, 40)
    sides = {
        "empty table": partial(messages, APP, count, 50),
        f"{rows:,} rows": partial(messages, APP, count, 50, prepare=partial(fill, rows)),
    }
    found = side_by_side(1 if rows > 100_000 else plan.rounds, sides)
    tabulate(part, found, work="single messages")
    for name in ("messages_per_second", "app_cpu_ms"):
        compare(part, found, f"{rows:,} rows", "empty table", name, f"{name}: {rows:,} rows / empty table")
    memory: dict[int, float] = {}
    found = {
        "app": [_with_memory(tasks, memory)],
        "loop": [loop(tasks)],
        "small job": [clean_up(SMALL_JOB, count=True)],
    }
    tabulate(part, found, work=f"a job of {tasks:,} tasks; the small one of {SMALL_JOB:,}")
    compare(part, found, "app", "loop", "tasks_per_second", f"{tasks:,} tasks: rate, app / loop")
    compare(part, found, "app", "loop", "app_cpu_ms", f"{tasks:,} tasks: CPU of the app alone / loop")
    for name in ("app_cpu_ms", "tables_operations", "input_queues_operations"):
        compare(part, found, "app", "small job", name, f"{name} of a task: {tasks:,} / {SMALL_JOB:,} tasks")
    for second, mib in sorted(memory.items()):
        part.rows.append({"work": f"memory during a job of {tasks:,} tasks", "after_s": second, "memory_mib": mib})
    return part


def fill(rows: int, rig: Rig) -> None:
    """Puts this many finished rows into the table."""
    with rig.tables() as tables:
        table = tables.get_table_client(rig.env["REQUEST_TABLE_NAME"])
        seconds = insert(table, SLIM_ROW, rows, AT_ONCE)
    print(f"  {rows:,} rows in {seconds:.0f} s ({per(seconds, rows) * 1e6:.0f} us each)", flush=True)


def _with_memory(tasks: int, memory: dict[int, float]) -> Figures:
    began = time.monotonic()

    def look(rig: Rig) -> None:
        second = int(time.monotonic() - began) // 30 * 30
        memory.setdefault(second, round(rig.memory_mib(), 1))

    return clean_up(tasks, on_look=look, count=True)

"""Part 5: several worker processes of one instance, and several instances on one storage account."""

from __future__ import annotations

from functools import partial

from bench.rig import APP
from bench.rounds import Part, Plan, compare, side_by_side, tabulate
from bench.single_messages import messages
from bench.whole_jobs import clean_up

BATCH_SIZE = 16
_QUEUES = "AzureFunctionsJobHost__extensions__queues__"


def measure(plan: Plan) -> Part:
    """Rates of 1, 2 and 4 worker processes and of two instances."""
    part = Part("Several processes", 'make bench ARGS="--parts many-processes"')
    shapes = {
        "1 worker process": (1, 1),
        "2 worker processes": (2, 2),
        "4 worker processes": (4, 4),
        "2 instances": (2, 1),
    }
    count, tasks = plan.of(600, 40), plan.of(2_000, 200)
    sides = {
        name: partial(messages, APP, count, 50, hosts=hosts, env=sharing(share))
        for name, (hosts, share) in shapes.items()
    }
    found = side_by_side(plan.rounds, sides)
    tabulate(part, found, work="single messages")
    for name in list(shapes)[1:]:
        compare(part, found, name, "1 worker process", "messages_per_second", f"single messages: {name} / 1")
    jobs = {name: partial(clean_up, tasks, hosts=hosts, env=sharing(share)) for name, (hosts, share) in shapes.items()}
    found = side_by_side(plan.rounds, jobs)
    tabulate(part, found, work=f"a job of {tasks:,} tasks")
    for name in list(shapes)[1:]:
        compare(part, found, name, "1 worker process", "tasks_per_second", f"whole job: {name} / 1")
    part.notes.append(
        "A worker process is a host whose messages in flight are its share of 32; an instance has 32. "
        "On two cores that also run the emulator, more processes find little that is idle."
    )
    return part


def sharing(processes: int) -> dict[str, str]:
    """The settings with which this many hosts together have as many messages in flight as one."""
    share = str(BATCH_SIZE // processes)
    return {f"{_QUEUES}batchSize": share, f"{_QUEUES}newBatchThreshold": share}

"""A sweep of a large account: duration, list calls, memory and storage, and the effect on other callers."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from azure.data.tables import TableServiceClient

from bench.arithmetic import percentile
from bench.processes import memory_mib
from bench.rounds import Part, Plan
from devstack.stack import ROOT, Stack

POLICIES = [{"name": "old", "jobs": "job-*", "deleteAfter": "P3D"}]
TASKS_PER_JOB = 100
"""One task of each job is due."""
SEEDED_AT_ONCE = 500
OTHER_TASKS, SINGLES, PAUSE_SECONDS = 5_000, 100, 0.2
"""Single deletions in another job: its tasks, the deletions made before the sweep, and the pause between two."""
GIVE_UP_SECONDS = 3_600


def measure(plan: Plan) -> Part:
    """A dry run, then a sweep, while single tasks of another job are deleted."""
    jobs = plan.of(10_000, 100)
    part = Part(f"A sweep of {jobs:,} jobs", 'make bench ARGS="--sweep"')
    env = {"RETENTION_POLICIES": json.dumps(POLICIES), "RESULT_MESSAGE_ENCODING": "none"}
    with Stack(ROOT, env=env) as stack:
        _seed(stack, jobs)
        alone = _singles(stack, range(1, SINGLES + 1), threading.Event())
        part.rows.append(_swept(stack, jobs, dry_run=True))
        others: list[float] = []
        over = threading.Event()
        caller = threading.Thread(
            target=lambda: others.extend(_singles(stack, range(SINGLES + 1, OTHER_TASKS + 1), over))
        )
        caller.start()
        part.rows.append(_swept(stack, jobs, dry_run=False))
        over.set()
        caller.join()
        part.rows += [_latency("alone", alone), _latency("during the sweep", others)]
        part.rows.append({"rows": "in the request table", "count": _rows(stack)})
    part.notes.append(
        f"{TASKS_PER_JOB} tasks a job, of which one is due; `list calls` are jobs and pages of jobs. `memory MiB` is the "
        "host's with the app's process before and at the most; the Batch simulator answers without a delay of its own."
    )
    return part


def _seed(stack: Stack, jobs: int) -> None:
    old, new = ((datetime.now(UTC) - timedelta(days=days)).isoformat() for days in (4, 1))
    young = {"count": TASKS_PER_JOB - 1, "prefix": "new-", "endTime": new}
    for start in range(0, jobs, SEEDED_AT_ONCE):
        numbers = range(start, min(jobs, start + SEEDED_AT_ONCE))
        _control(stack, "jobs", [{"id": f"job-{n}", "tasks": [young, {"id": "due", "endTime": old}]} for n in numbers])
    _control(stack, "jobs", [{"id": "other", "tasks": {"count": OTHER_TASKS, "prefix": "t-"}}])


def _swept(stack: Stack, jobs: int, *, dry_run: bool) -> dict[str, Any]:
    requests.delete(f"{stack.batch_url}/_control/journal", timeout=600).raise_for_status()
    before, began = memory_mib(stack.host_pid), time.monotonic()
    sweep = _api(stack, "POST", "retention-sweeps", json={"dryRun": dry_run})["sweepId"]
    most, listed = before, 0.0
    while True:
        status = _api(stack, "GET", f"retention-sweeps/{sweep}")
        most = max(most, memory_mib(stack.host_pid))
        if status["state"] != "running":
            listed = listed or time.monotonic() - began
            if not status["open"]:
                break
        if time.monotonic() - began > GIVE_UP_SECONDS:
            raise TimeoutError(f"the sweep does not end: {status}")
        time.sleep(0.5)
    counters = requests.get(f"{stack.batch_url}/_control/counters", timeout=600).json()
    calls = counters["operations"].get("task-list", 0) + counters["operations"].get("job-list", 0)
    (policy,) = status["policies"]
    if (policy["jobs"], policy["requested"]) != (jobs, jobs):
        raise AssertionError(f"the sweep counts {policy}")
    return {
        "sweep": "dry run" if dry_run else "sweep",
        "jobs": policy["jobs"],
        "requested": policy["requested"],
        "listed_seconds": round(listed, 1),
        "done_seconds": round(time.monotonic() - began, 1),
        "list_calls": calls,
        "most_in_flight": counters["mostInFlight"],
        "memory_before_MiB": round(before),
        "memory_most_MiB": round(most),
    }


def _singles(stack: Stack, numbers: range, over: threading.Event) -> list[float]:
    """Milliseconds of synchronous deletions, a few per second until the sweep is over."""
    found = []
    with requests.Session() as session:
        for number in numbers:
            since = time.monotonic()
            url = f"{stack.http_url}/api/jobs/other/tasks/t-{number}"
            session.delete(url, timeout=600).raise_for_status()
            found.append((time.monotonic() - since) * 1_000)
            if over.wait(PAUSE_SECONDS):
                break
    return found


def _latency(when: str, milliseconds: list[float]) -> dict[str, Any]:
    return {
        "single_deletion": when,
        "calls": len(milliseconds),
        "p50_ms": round(percentile(milliseconds, 0.5), 1),
        "p99_ms": round(percentile(milliseconds, 0.99), 1),
    }


def _rows(stack: Stack) -> int:
    with TableServiceClient.from_connection_string(stack.connection_string) as tables:
        table = tables.get_table_client(stack.env["REQUEST_TABLE_NAME"])
        return sum(1 for _ in table.list_entities(select=["PartitionKey"]))


def _api(stack: Stack, verb: str, path: str, **options: Any) -> dict[str, Any]:
    answer = requests.request(verb, f"{stack.http_url}/api/{path}", timeout=600, **options)
    answer.raise_for_status()
    return dict(answer.json())


def _control(stack: Stack, path: str, body: object) -> None:
    requests.post(f"{stack.batch_url}/_control/{path}", json=body, timeout=600).raise_for_status()

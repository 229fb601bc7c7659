"""A retention policy at work on two jobs: what would be deleted, what is deleted, and what stays."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from devstack.client import AppClient
from devstack.demo.verdict import Row

PATIENCE_SECONDS = 900
SWEPT, KEPT = "nightly-render", "nightly-audit"
POLICIES = [
    {"name": "audit", "jobs": KEPT, "deleteAfter": "never"},
    {"name": "nightly", "jobs": "nightly-*", "deleteAfter": {"succeeded": "P3D", "failed": "P7D"}},
]
SETTINGS = {"RETENTION_POLICIES": json.dumps(POLICIES)}
# Prefix, number, days since their end, exit code; then whether the policy takes them.
TASKS = [("old-", 40, 4, 0, True), ("new-", 20, 2, 0, False), ("bad-", 20, 4, 1, False), ("worse-", 10, 8, 1, True)]
DUE = sum(count for _, count, _, _, is_due in TASKS if is_due)
STAYS = {prefix for prefix, _, _, _, is_due in TASKS if not is_due}


def play(app: AppClient, console: Console) -> Row:
    """Seeds the jobs, runs a dry run and a sweep, and judges what is left."""
    app.seed(*({"id": job, "tasks": list(_tasks())} for job in (SWEPT, KEPT)))
    would = _swept(app, dryRun=True)
    untouched = len(app.tasks(SWEPT))
    console.print(f"By policy, without anybody asking: a dry-run sweep says that {_requested(would)} tasks would go.")
    did = _swept(app)
    left = app.tasks(SWEPT)
    audit = len(app.tasks(KEPT))
    console.print(f"A sweep deleted {did['done'].get('deleted', 0)}; {len(left)} stay, and all {audit} of {KEPT}.\n")
    total = sum(count for _, count, *_ in TASKS)
    ok = (
        (_requested(would), untouched) == (DUE, total)
        and (_requested(did), did["done"]) == (DUE, {"deleted": DUE})
        and {task.partition("-")[0] + "-" for task in left} == STAYS
        and (len(left), audit) == (total - DUE, total)
    )
    words = f"{did['done']}, {len(left)} kept"
    return Row("a retention policy", DUE, f"{DUE} deleted, {total - DUE} kept", words, str(DUE), ok)


def _tasks() -> Iterator[dict[str, Any]]:
    for prefix, count, days, exit_code, _ in TASKS:
        ended = datetime.now(UTC) - timedelta(days=days)
        yield {"count": count, "prefix": prefix, "endTime": ended.isoformat(), "exitCode": exit_code}


def _swept(app: AppClient, **wish: Any) -> dict[str, Any]:
    """The status of a sweep once it and its requests have ended."""
    location = app.sweep(wish)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        status = app.progress(location)
        if (status["state"] != "running" and not status["open"]) or time.monotonic() > deadline:
            return status
        time.sleep(0.2)


def _requested(status: dict[str, Any]) -> int:
    return sum(policy["requested"] for policy in status["policies"])

"""Retention policies on the whole stack: only due tasks are deleted, whatever happens to the host."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import requests

from devstack.client import AppClient
from devstack.stack import Stack
from tests.e2e.quick import quick_stack, wait_until

POLICIES = [
    {"name": "gold", "jobs": "render-gold-*", "deleteAfter": "never"},
    {"name": "render", "jobs": "render-*", "deleteAfter": {"succeeded": "P3D", "failed": "P7D"}},
]
PATIENCE = 900

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def stack() -> Iterator[Stack]:
    """The stack with retention policies."""
    with quick_stack(RETENTION_POLICIES=json.dumps(POLICIES), PROTECTED_JOBS="render-safe") as made:
        yield made


@pytest.fixture
def app(stack: Stack) -> AppClient:
    """The app and its account on that stack."""
    return AppClient(stack)


def ago(days: float) -> str:
    """The instant so many days ago."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def api(stack: Stack, verb: str, path: str, **options: Any) -> requests.Response:
    """One HTTP call to the app."""
    return requests.request(verb, f"{stack.http_url}/api/{path}", timeout=400, **options)


def ended(stack: Stack, sweep: str, *, and_done: bool = True) -> dict[str, Any]:
    """The status of a sweep once it and its requests have ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = api(stack, "GET", f"retention-sweeps/{sweep}")
        if answer.status_code == 200:
            status: dict[str, Any] = answer.json()
            if status["state"] != "running" and not (and_done and status["open"]):
                return status
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.3)


def begun(stack: Stack, **wish: Any) -> str:
    """Starts a sweep and returns its id."""
    answer = api(stack, "POST", "retention-sweeps", json=wish)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/retention-sweeps/{answer.json()['sweepId']}"
    return str(answer.json()["sweepId"])


def tasks_of_all_kinds() -> list[dict[str, Any]]:
    """Two tasks that are due, by class and age, and four that are not."""
    return [
        {"id": "old", "endTime": ago(4)},
        {"id": "new", "endTime": ago(2)},
        {"id": "bad", "endTime": ago(4), "exitCode": 1},
        {"id": "worse", "endTime": ago(8), "exitCode": 1},
        {"id": "unsaved", "endTime": ago(4), "result": "failure"},
        {"id": "busy", "state": "running"},
    ]


def test_a_policy_finds_finished_work_by_itself(stack: Stack, app: AppClient) -> None:
    """A sweep deletes exactly the tasks that its dry run counted, by class and age, with a result for each."""
    tasks = tasks_of_all_kinds()
    jobs = ["render-1", "render-gold-1", "render-safe", "Render-2", "other"]
    marked = {"id": "render-kept", "tasks": tasks, "metadata": {"task-retention": "keep"}}
    waiting = {"id": "render-waits", "tasks": tasks, "usesTaskDependencies": True}
    app.seed(*({"id": job, "tasks": tasks} for job in jobs), marked, waiting)
    (account,) = api(stack, "GET", "retention-policies").json()["accounts"]
    assert (account["batchUrl"], account["lastSweep"]) == (stack.batch_url, None)

    dry = ended(stack, begun(stack, dryRun=True))
    assert app.tasks("render-1") == [task["id"] for task in tasks]
    status = ended(stack, begun(stack))

    counted = [{k: v for k, v in policy.items() if k != "dryRun"} for policy in status["policies"]]
    assert counted == [{k: v for k, v in policy.items() if k != "dryRun"} for policy in dry["policies"]]
    gold, render = status["policies"]
    assert (gold["jobs"], gold["requested"], render["jobs"], render["requested"]) == (1, 0, 2, 4)
    assert status["leftAlone"] == {"protected": 1, "marked": 1, "dependencies": 1, "unlisted": 0}
    assert (status["state"], status["open"], status["done"]) == ("done", 0, {"deleted": 4})
    for job in ("render-1", "Render-2"):
        assert app.tasks(job) == ["new", "bad", "unsaved", "busy"]
    for job in ("render-gold-1", "render-safe", "other", "render-kept", "render-waits"):
        assert len(app.tasks(job)) == len(tasks)
    found = app.results()
    deletions = [event["data"] for event in found if event["type"] == "batch.task-deletion.done"]
    assert {(d["origin"], d["parentId"], d["outcome"]) for d in deletions} == {
        ("retention", status["sweepId"], "deleted")
    }
    closing = {e["id"]: e["data"]["dryRun"] for e in found if e["type"] == "batch.retention-sweep.done"}
    assert closing == {
        str(uuid.uuid5(uuid.UUID(dry["sweepId"]), "done")): True,
        str(uuid.uuid5(uuid.UUID(status["sweepId"]), "done")): False,
    }


def has_listed(app: AppClient, times: int) -> bool:
    """Whether the tasks of so many jobs have been listed."""
    return len(app.journal("task-list")) >= times


def test_a_sweep_survives_the_death_of_its_host(stack: Stack, app: AppClient) -> None:
    """A sweep whose host is killed three times deletes each due task and counts it exactly once."""
    app.seed(*({"id": f"render-{n}", "tasks": {"count": 10, "endTime": ago(4)}} for n in range(30)))
    slow = {"operation": "task-list", "delaySeconds": 0.4}
    app.break_down(slow)
    sweep = begun(stack)
    for lists in (3, 14, 25):
        wait_until(partial(has_listed, app, lists), 0.02)
        stack.kill_host()
        stack.start_host()
    status = ended(stack, sweep)
    assert (status["state"], status["done"]) == ("done", {"deleted": 300})
    assert (status["policies"][1]["jobs"], status["policies"][1]["requested"]) == (30, 300)
    deletes = app.journal()
    assert Counter(entry["effect"] for entry in deletes)["task-deleted"] == 300
    assert all(app.tasks(f"render-{n}") == [] for n in range(30))


def test_a_request_of_somebody_else_is_not_held_up_by_a_sweep(stack: Stack, app: AppClient) -> None:
    """A caller's deletion is carried out while a sweep's 1,500 requests are still in progress."""
    app.seed(*({"id": f"render-{n}", "tasks": {"count": 100, "endTime": ago(4)}} for n in range(15)))
    app.seed({"id": "mine", "tasks": {"count": 5}})
    # Without it, a busy machine can take longer for the caller's first request than for the whole sweep.
    app.break_down({"operation": "task-delete", "job": "render-*", "delaySeconds": 0.3})
    sweep = begun(stack)
    wait_until(lambda: bool(app.journal()), 0.02)
    waits, still_open = [], []
    for number in range(1, 6):
        since = time.monotonic()
        answer = api(stack, "DELETE", f"jobs/mine/tasks/task-{number}")
        waits.append(time.monotonic() - since)
        assert answer.status_code in {200, 202}, answer.text
        still_open.append(api(stack, "GET", f"retention-sweeps/{sweep}").json()["open"])
    status = ended(stack, sweep)
    assert status["done"] == {"deleted": 1_500}
    assert still_open[0] > 0, "the sweep was over before the first request was: nothing is shown"
    assert app.tasks("mine") == []

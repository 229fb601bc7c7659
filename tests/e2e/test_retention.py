"""Policies on the whole stack: finished work goes, the rest stays, whatever happens to the host meanwhile."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from azure.storage.queue import QueueClient, QueueServiceClient

from devstack.stack import ROOT, Stack

POLICIES = [
    {"name": "gold", "jobs": "render-gold-*", "deleteAfter": "never"},
    {"name": "render", "jobs": "render-*", "deleteAfter": {"succeeded": "P3D", "failed": "P7D"}},
]
# A budget of seconds, so that a killed host's messages come back soon; in the cloud it is 90 s of 10 min.
QUICK = {
    "OPERATION_BUDGET_SECONDS": "20",
    "BATCH_RETRY_BASE_SECONDS": "0.5",
    "RESULT_MESSAGE_ENCODING": "none",
    "RETENTION_POLICIES": json.dumps(POLICIES),
    "PROTECTED_JOBS": "render-safe",
}
LEASE_SECONDS = 60
PATIENCE = 900

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def stack() -> Iterator[Stack]:
    """The stack with policies."""
    with Stack(ROOT, env=QUICK, lease_seconds=LEASE_SECONDS) as made:
        yield made


def results_queue(stack: Stack) -> QueueClient:
    """Where results and closing events go."""
    service = QueueServiceClient.from_connection_string(stack.connection_string)
    return service.get_queue_client(stack.env["RESULT_QUEUE_NAME"])


def drained(queue: QueueClient) -> list[dict[str, Any]]:
    """What is there, taken off the queue."""
    found = []
    for message in queue.receive_messages(messages_per_page=32, max_messages=320):
        found.append(json.loads(message.content))
        queue.delete_message(message)
    return found


def ago(days: float) -> str:
    """An instant of the past."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def seed(stack: Stack, *jobs: dict[str, Any]) -> None:
    """Jobs as the simulator takes them."""
    requests.post(f"{stack.batch_url}/_control/jobs", json=jobs, timeout=400).raise_for_status()


def left(stack: Stack, job: str) -> list[str]:
    """The tasks that a job still has."""
    found = requests.get(f"{stack.batch_url}/_control/jobs/{job}", timeout=400).json()
    return [task["id"] for task in found["tasks"]]


def api(stack: Stack, verb: str, path: str, **options: Any) -> requests.Response:
    """One HTTP call of the app's."""
    return requests.request(verb, f"{stack.http_url}/api/{path}", timeout=400, **options)


def ended(stack: Stack, sweep: str, *, and_done: bool = True) -> dict[str, Any]:
    """The status of a sweep once it has ended, and its requests too."""
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
    """The id of a sweep that begins now."""
    answer = api(stack, "POST", "retention-sweeps", json=wish)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/retention-sweeps/{answer.json()['sweepId']}"
    return str(answer.json()["sweepId"])


def test_a_policy_finds_finished_work_by_itself(stack: Stack) -> None:
    """What would go, then what goes: by class and age, with a result for each, and nothing else."""
    tasks: list[dict[str, Any]] = [
        {"id": "old", "endTime": ago(4)},
        {"id": "new", "endTime": ago(2)},
        {"id": "bad", "endTime": ago(4), "exitCode": 1},
        {"id": "worse", "endTime": ago(8), "exitCode": 1},
        {"id": "unsaved", "endTime": ago(4), "result": "failure"},
        {"id": "busy", "state": "running"},
    ]
    jobs = ["render-1", "render-gold-1", "render-safe", "Render-2", "other"]
    marked = {"id": "render-kept", "tasks": tasks, "metadata": {"task-retention": "keep"}}
    waiting = {"id": "render-waits", "tasks": tasks, "usesTaskDependencies": True}
    seed(stack, *({"id": job, "tasks": tasks} for job in jobs), marked, waiting)
    (account,) = api(stack, "GET", "retention-policies").json()["accounts"]
    assert (account["batchUrl"], account["lastSweep"]) == (stack.batch_url, None)

    dry = ended(stack, begun(stack, dryRun=True))
    assert left(stack, "render-1") == [task["id"] for task in tasks]
    status = ended(stack, begun(stack))

    counted = [{k: v for k, v in policy.items() if k != "dryRun"} for policy in status["policies"]]
    assert counted == [{k: v for k, v in policy.items() if k != "dryRun"} for policy in dry["policies"]]
    gold, render = status["policies"]
    assert (gold["jobs"], gold["requested"], render["jobs"], render["requested"]) == (1, 0, 2, 4)
    assert status["leftAlone"] == {"protected": 1, "marked": 1, "dependencies": 1, "unlisted": 0}
    assert (status["state"], status["open"], status["done"]) == ("done", 0, {"deleted": 4})
    for job in ("render-1", "Render-2"):
        assert left(stack, job) == ["new", "bad", "unsaved", "busy"]
    for job in ("render-gold-1", "render-safe", "other", "render-kept", "render-waits"):
        assert len(left(stack, job)) == len(tasks)
    found = drained(results_queue(stack))
    deletions = [event["data"] for event in found if event["type"] == "batch.task-deletion.done"]
    assert {(d["origin"], d["parentId"], d["outcome"]) for d in deletions} == {
        ("retention", status["sweepId"], "deleted")
    }
    closing = {e["id"]: e["data"]["dryRun"] for e in found if e["type"] == "batch.retention-sweep.done"}
    assert closing == {
        str(uuid.uuid5(uuid.UUID(dry["sweepId"]), "done")): True,
        str(uuid.uuid5(uuid.UUID(status["sweepId"]), "done")): False,
    }


def test_a_sweep_survives_the_death_of_its_host(stack: Stack) -> None:
    """SIGKILL again and again while it lists and deletes: each task that is due goes, once, and is counted once."""
    seed(stack, *({"id": f"render-{n}", "tasks": {"count": 10, "endTime": ago(4)}} for n in range(30)))
    slow = {"operation": "task-list", "delaySeconds": 0.4}
    requests.post(f"{stack.batch_url}/_control/faults", json=slow, timeout=400).raise_for_status()
    sweep = begun(stack)
    for lists in (3, 14, 25):
        deadline = time.monotonic() + PATIENCE
        while counters(stack)["operations"].get("task-list", 0) < lists:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        stack.kill_host()
        stack.start_host()
    status = ended(stack, sweep)
    assert (status["state"], status["done"]) == ("done", {"deleted": 300})
    assert (status["policies"][1]["jobs"], status["policies"][1]["requested"]) == (30, 300)
    deletes = journal(stack)
    assert Counter(entry["effect"] for entry in deletes)["task-deleted"] == 300
    assert all(left(stack, f"render-{n}") == [] for n in range(30))


def test_a_request_of_somebody_else_is_not_held_up_by_a_sweep(stack: Stack) -> None:
    """Deleted while the sweep's own thousand are still on their way."""
    seed(stack, *({"id": f"render-{n}", "tasks": {"count": 100, "endTime": ago(4)}} for n in range(10)))
    seed(stack, {"id": "mine", "tasks": {"count": 5}})
    sweep = begun(stack)
    while not journal(stack):
        time.sleep(0.02)
    waits = []
    for number in range(1, 6):
        since = time.monotonic()
        answer = api(stack, "DELETE", f"jobs/mine/tasks/task-{number}")
        waits.append(time.monotonic() - since)
        assert answer.status_code in {200, 202}, answer.text
    open_then = api(stack, "GET", f"retention-sweeps/{sweep}").json()["open"]
    status = ended(stack, sweep)
    assert status["done"] == {"deleted": 1_000}
    assert open_then > 0, "the sweep was over before the requests were: nothing is shown"
    assert left(stack, "mine") == []


def counters(stack: Stack) -> dict[str, Any]:
    """What reached Batch."""
    return requests.get(f"{stack.batch_url}/_control/counters", timeout=400).json()  # type: ignore[no-any-return]


def journal(stack: Stack) -> list[dict[str, Any]]:
    """The DELETEs that reached Batch."""
    url = f"{stack.batch_url}/_control/journal?operation=task-delete"
    return requests.get(url, timeout=400).json()["value"]  # type: ignore[no-any-return]

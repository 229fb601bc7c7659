"""Policies in the genuine Python worker library, on a real storage emulator, identity endpoint and Batch account."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient, QueueServiceClient

from devstack.azurite import Azurite
from devstack.batch import BatchSimulator
from tests.worker.harness import WorkerHarness

ROOT = Path(__file__).resolve().parents[2]
POLICIES = [{"name": "old", "jobs": "*", "deleteAfter": "P3D"}]


@pytest.fixture
def worker(settings: dict[str, str]) -> Iterator[WorkerHarness]:
    """The worker with the app and a policy."""
    with WorkerHarness(ROOT, env={**settings, "RETENTION_POLICIES": json.dumps(POLICIES)}) as opened:
        yield opened


@pytest.fixture
def queues(settings: dict[str, str], azurite: Azurite) -> dict[str, QueueClient]:
    """The queues, by the names of their settings."""
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    return {name: service.get_queue_client(settings[name]) for name in settings if name.endswith("QUEUE_NAME")}


def seed(batch_simulator: BatchSimulator, count: int) -> None:
    """A job of tasks that ended long ago, and one that did not."""
    old, new = datetime.now(UTC) - timedelta(days=4), datetime.now(UTC) - timedelta(days=2)
    batch_simulator.seed(id="job-1", tasks=[{"count": count, "endTime": old}, {"id": "new", "endTime": new}])


def call(worker: WorkerHarness, function: str, verb: str, **options: Any) -> Any:
    """The answer to one HTTP call."""
    return worker.invoke_http(function, verb, **options).unwrap().answer()


def run_steps(worker: WorkerHarness, queue: QueueClient) -> None:
    """Delivers every message of the job-completion queue, as the host would."""
    for _ in range(20):
        messages = list(queue.receive_messages())
        if not messages:
            return
        for message in messages:
            worker.invoke_queue("clean_up_job", message.content.encode()).unwrap()
            queue.delete_message(message)
    raise AssertionError("the sweep does not end")


def deleted(worker: WorkerHarness, queue: QueueClient) -> list[dict[str, Any]]:
    """The results of all messages on the request queue."""
    found: list[dict[str, Any]] = []
    for message in queue.receive_messages():
        done = worker.invoke_queue("delete_tasks", message.content.encode()).unwrap()
        found += [json.loads(base64.b64decode(text)) for text in done.messages("results")]
        queue.delete_message(message)
    return found


def test_a_sweep_goes_from_its_call_to_its_event(
    worker: WorkerHarness, batch_simulator: BatchSimulator, queues: dict[str, QueueClient]
) -> None:
    """A sweep on demand deletes the due tasks through real rows and queues, with a result for each."""
    seed(batch_simulator, 120)
    begun = call(worker, "begin_retention_sweep", "POST", body=b"{}")
    assert begun.status == 202
    sweep = begun.json()["sweepId"]
    assert call(worker, "begin_retention_sweep", "POST", body=b"{}").status == 409
    run_steps(worker, queues["JOB_COMPLETION_QUEUE_NAME"])
    results = deleted(worker, queues["REQUEST_QUEUE_NAME"])
    assert {(r["data"]["origin"], r["data"]["parentId"], r["data"]["outcome"]) for r in results} == {
        ("retention", sweep, "deleted")
    }
    assert (len(results), batch_simulator.task_ids("job-1")) == (120, ["new"])
    status = call(worker, "get_retention_sweep", "GET", route_params={"id": sweep}).json()
    assert (status["state"], status["open"], status["done"]) == ("done", 0, {"deleted": 120})
    (event,) = queues["RESULT_QUEUE_NAME"].receive_messages()
    assert json.loads(base64.b64decode(event.content))["type"] == "batch.retention-sweep.done"
    assert call(worker, "stop_retention_sweep", "DELETE", route_params={"id": sweep}).status == 409


def test_the_timer_sees_new_policies_and_begins_nothing_yet(
    worker: WorkerHarness, batch_simulator: BatchSimulator, queues: dict[str, QueueClient]
) -> None:
    """The timer plans the first sweep of new policies for later, which leaves time for a dry run."""
    seed(batch_simulator, 1)
    before = call(worker, "get_retention_policies", "GET").json()
    assert [account["nextSweepAt"] for account in before["accounts"]] == [None]
    worker.invoke_timer("sweep_accounts").unwrap()
    (account,) = call(worker, "get_retention_policies", "GET").json()["accounts"]
    assert datetime.fromisoformat(account["nextSweepAt"]) > datetime.now(UTC) + timedelta(hours=5)
    queues["JOB_COMPLETION_QUEUE_NAME"].create_queue()
    assert list(queues["JOB_COMPLETION_QUEUE_NAME"].receive_messages()) == []


def test_a_stopped_sweep_deletes_nothing_more(
    worker: WorkerHarness, batch_simulator: BatchSimulator, queues: dict[str, QueueClient]
) -> None:
    """After a sweep is stopped, its open requests end as cancelled and no task is deleted."""
    seed(batch_simulator, 5)
    sweep = call(worker, "begin_retention_sweep", "POST", body=b"{}").json()["sweepId"]
    run_steps(worker, queues["JOB_COMPLETION_QUEUE_NAME"])
    stopped = call(worker, "stop_retention_sweep", "DELETE", route_params={"id": sweep})
    assert (stopped.status, stopped.json()["open"]) == (202, 5)
    outcomes = [result["data"]["outcome"] for result in deleted(worker, queues["REQUEST_QUEUE_NAME"])]
    assert outcomes == ["cancelled"] * 5
    assert len(batch_simulator.task_ids("job-1")) == 6

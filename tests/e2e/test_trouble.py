"""Outages of storage and identity under the whole stack: nothing is lost, and HTTP calls promise nothing."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest
import requests

from devstack.azurite import Azurite
from devstack.client import AppClient
from devstack.promises import judge_run
from tests.e2e.quick import PATIENCE, quick_stack

pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]

OUTAGE_SECONDS = 15


def send(app: AppClient, count: int) -> set[str]:
    """Queues requests for tasks of a new job, and returns their ids."""
    app.seed({"id": "job-1", "state": "active", "tasks": {"count": count}})
    ids = {str(uuid.uuid4()): f"task-{n}" for n in range(1, count + 1)}
    for client_request_id, task in ids.items():
        app.put({"clientRequestId": client_request_id, "jobId": "job-1", "taskId": task})
    return set(ids)


def test_storage_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    """In a storage outage HTTP answers 503 within 15 seconds, and queued requests are completed afterwards."""
    azurite = Azurite(tmp_path, in_memory=False)
    with quick_stack(azurite) as stack:
        app = AppClient(stack)
        ids = send(app, 30)
        azurite.stop()
        began = time.monotonic()
        answer = requests.post(
            f"{stack.http_url}/api/task-deletions",
            json={"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "taskId": "task-31"},
            timeout=400,
        )
        assert (answer.status_code, answer.json()["code"]) == (503, "StorageUnavailable")
        assert int(answer.headers["retry-after"]) <= 15
        assert requests.get(f"{stack.http_url}/api/health", timeout=400).status_code == 503
        time.sleep(max(0.0, OUTAGE_SECONDS - (time.monotonic() - began)))
        azurite.start()
        found = app.collect(lambda seen: {r["data"]["clientRequestId"] for r in seen} >= ids, PATIENCE)
        deletes = app.journal()
    assert judge_run(ids, found, deletes) == []
    assert {result["data"]["outcome"] for result in found} == {"deleted"}


def test_an_identity_endpoint_that_fails_then_recovers() -> None:
    """While no token can be had, requests wait and are retried; none is lost or reported wrongly."""
    with quick_stack() as stack:
        app = AppClient(stack)
        control = f"{stack.identity_url}/_control/fault"
        requests.post(control, json={"status": 500, "times": 1000}, timeout=400).raise_for_status()
        ids = send(app, 10)
        time.sleep(OUTAGE_SECONDS / 2)
        assert requests.get(f"{stack.http_url}/api/health", timeout=400).json()["checks"]["identity"] != "ok"
        requests.delete(control, timeout=400).raise_for_status()
        found = app.collect(lambda seen: {r["data"]["clientRequestId"] for r in seen} >= ids, PATIENCE)
    assert {(r["data"]["outcome"], r["data"]["certainty"]) for r in found} == {("deleted", "confirmed")}

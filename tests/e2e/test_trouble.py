"""Storage and identity in trouble, under the whole stack: nothing is lost, and HTTP promises nothing."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest
import requests

from devstack.azurite import Azurite
from devstack.stack import Stack
from tests.e2e.test_main_job import LEASE_SECONDS, QUICK, ROOT, collect, queue, seed

pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]

OUTAGE_SECONDS = 15


def send(stack: Stack, first: int, count: int) -> set[str]:
    """Puts requests for tasks of job-1 on the queue; their ids."""
    sender, ids = queue(stack, "REQUEST_QUEUE_NAME"), set()
    for n in range(first, first + count):
        body = {"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "taskId": f"task-{n}"}
        sender.send_message(json.dumps(body))
        ids.add(body["clientRequestId"])
    return ids


def test_storage_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    """Requests in flight are finished afterwards; meanwhile HTTP says 503 with Retry-After within 15 seconds."""
    azurite = Azurite(tmp_path, in_memory=False)
    with Stack(ROOT, env=QUICK, lease_seconds=LEASE_SECONDS, azurite=azurite) as stack:
        seed(stack, "job-1", 40)
        ids = send(stack, 1, 30)
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
        found = collect(stack, lambda seen: {r["data"]["clientRequestId"] for r in seen} >= ids)
    assert {result["data"]["outcome"] for result in found} == {"deleted"}
    assert len({result["id"] for result in found}) == 30


def test_an_identity_endpoint_that_fails_then_recovers() -> None:
    """No token is to be had for a while: the requests wait, are tried again, and none is lost or reported wrongly."""
    with Stack(ROOT, env=QUICK, lease_seconds=LEASE_SECONDS) as stack:
        seed(stack, "job-1", 10)
        control = f"{stack.identity_url}/_control/fault"
        requests.post(control, json={"status": 500, "times": 1000}, timeout=400).raise_for_status()
        ids = send(stack, 1, 10)
        time.sleep(OUTAGE_SECONDS / 2)
        assert requests.get(f"{stack.http_url}/api/health", timeout=400).json()["checks"]["identity"] != "ok"
        requests.delete(control, timeout=400).raise_for_status()
        found = collect(stack, lambda seen: {r["data"]["clientRequestId"] for r in seen} >= ids)
    assert {(r["data"]["outcome"], r["data"]["certainty"]) for r in found} == {("deleted", "confirmed")}

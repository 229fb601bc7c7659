"""The whole stack, as callers and operators see it: over HTTP and queues alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.storage.queue import QueueClient, QueueServiceClient

from devstack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
# A budget of seconds, so that a killed host's messages come back soon; in the cloud it is 90 s of 10 min.
QUICK = {"OPERATION_BUDGET_SECONDS": "20", "BATCH_RETRY_BASE_SECONDS": "0.5", "RESULT_MESSAGE_ENCODING": "none"}
LEASE_SECONDS = 60

pytestmark = pytest.mark.timeout(1800)


def queue(stack: Stack, setting: str) -> QueueClient:
    """The client of a queue of the stack."""
    service = QueueServiceClient.from_connection_string(stack.connection_string)
    return service.get_queue_client(stack.env[setting])


def seed(stack: Stack, job: str, count: int, state: str = "active") -> None:
    """A job with completed tasks `task-1` and on."""
    body = {"id": job, "state": state, "tasks": {"count": count}}
    requests.post(f"{stack.batch_url}/_control/jobs", json=body, timeout=400).raise_for_status()


def journal(stack: Stack) -> list[dict[str, Any]]:
    """The DELETEs that reached Batch."""
    url = f"{stack.batch_url}/_control/journal?operation=task-delete"
    return requests.get(url, timeout=400).json()["value"]  # type: ignore[no-any-return]


def drain(results: QueueClient) -> list[dict[str, Any]]:
    """The results that are there, taken off the queue."""
    found = []
    for message in results.receive_messages(messages_per_page=32, max_messages=320):
        found.append(json.loads(message.content))
        results.delete_message(message)
    return found


def collect(stack: Stack, done: Callable[[list[dict[str, Any]]], bool], seconds: float = 1500) -> list[dict[str, Any]]:
    """Results until `done` says so; fails when that takes too long."""
    found: list[dict[str, Any]] = []
    results, deadline = queue(stack, "RESULT_QUEUE_NAME"), time.monotonic() + seconds
    while not done(found):
        assert time.monotonic() < deadline, f"only {len(found)} results came"
        found += drain(results)
        time.sleep(0.2)
    return found


def test_a_killed_host_loses_nothing_and_repeats_nothing() -> None:
    """SIGKILL in the middle of 200 requests: 200 results by distinct id, and no DELETE after a recorded outcome."""
    with Stack(ROOT, env=QUICK, lease_seconds=LEASE_SECONDS) as stack:
        seed(stack, "job-1", 200)
        # Slow enough that the host has work in hand when it is killed, however busy the machine is.
        slow = {"operation": "task-delete", "delaySeconds": 0.5}
        requests.post(f"{stack.batch_url}/_control/faults", json=slow, timeout=60).raise_for_status()
        ids = {str(uuid.uuid4()): f"task-{n}" for n in range(1, 201)}
        sender = queue(stack, "REQUEST_QUEUE_NAME")
        for client_request_id, task in ids.items():
            sender.send_message(json.dumps({"clientRequestId": client_request_id, "jobId": "job-1", "taskId": task}))
        while len(journal(stack)) < 40:
            time.sleep(0.05)
        stack.kill_host()
        killed_after = len(journal(stack))
        stack.start_host()
        found = collect(stack, lambda seen: len({r["data"]["clientRequestId"] for r in seen}) == 200)
        deletes = journal(stack)
    assert killed_after < 200
    assert len({result["id"] for result in found}) == 200
    assert {result["data"]["clientRequestId"] for result in found} == set(ids)
    assert {result["data"]["outcome"] for result in found} == {"deleted"}
    ends = {result["data"]["clientRequestId"]: result["data"]["completedAt"] for result in found}
    late = [entry for entry in deletes if entry["time"] > ends[entry["headers"]["client-request-id"]]]
    assert late == []


@pytest.mark.slow
def test_the_demonstration_succeeds() -> None:
    """`make demo` ends with 0 only if every outcome is as expected."""
    done = subprocess.run(
        [sys.executable, "-m", "devstack.demo", "--size", "15"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every outcome is as expected." in done.stdout
    assert "WRONG" not in done.stdout

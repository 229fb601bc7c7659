"""The app beside what it replaces: a loop that deletes one task after another, at the same account in one run."""

from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from azure.identity import ManagedIdentityCredential

from devstack.batch.access import AUDIENCE
from devstack.client import AppClient
from devstack.stack import Stack

ROOT = Path(__file__).resolve().parents[1]
JOB = "bench"
LOOPED = 200
ANSWER_SECONDS = 0.05
"""How long the account takes for a DELETE, so that both sides wait for something, as they do in the cloud."""


def against_a_loop(tasks: int, seconds: float) -> bool:
    """Runs and prints both rates and their ratio; True when the app deleted every task that it was given."""
    with Stack(ROOT) as stack:
        app = AppClient(stack)
        app.seed([{"id": JOB, "tasks": {"count": LOOPED, "prefix": "loop-"}}])
        app.seed([{"id": JOB, "tasks": {"count": tasks, "prefix": "app-"}}])
        app.break_down({"operation": "task-delete", "delaySeconds": ANSWER_SECONDS})
        looped = LOOPED / _loop(stack, LOOPED)
        took, outcomes = _app(stack, app, tasks, seconds)
    rate = len(outcomes) / took
    print(f"one after another, on one connection: {looped:.1f} DELETEs a second ({LOOPED} tasks)")
    print(f"the app, from its call to its last result: {rate:.1f} a second ({len(outcomes)} tasks)")
    print(f"ratio: {rate / looped:.1f}")
    return len(outcomes) == tasks and set(outcomes.values()) == {"deleted"}


def _loop(stack: Stack, count: int) -> float:
    """Seconds for a loop that keeps its token and connection, which a shell loop around `az` does not."""
    os.environ |= {name: stack.env[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}
    token = ManagedIdentityCredential().get_token(f"{AUDIENCE}/.default").token
    began = time.monotonic()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        for number in range(1, count + 1):
            url = f"{stack.batch_url}/jobs/{JOB}/tasks/loop-{number}"
            session.delete(url, params={"api-version": "2024-07-01.20.0"}, timeout=60).raise_for_status()
    return time.monotonic() - began


def _app(stack: Stack, app: AppClient, tasks: int, seconds: float) -> tuple[float, dict[str, str]]:
    """Seconds from the call to the last result, and the outcomes by result id."""
    body = {
        "clientRequestId": str(uuid.uuid4()),
        "jobId": JOB,
        "taskIds": [f"app-{number}" for number in range(1, tasks + 1)],
    }
    began = time.monotonic()
    outcomes: dict[str, str] = {}
    # Results come while the call is still being answered; the emulator gets slow with a queue that nobody reads.
    with ThreadPoolExecutor(1) as caller:
        call = caller.submit(requests.post, f"{stack.http_url}/api/task-deletions", json=body, timeout=300)
        while len(outcomes) < tasks and time.monotonic() - began < seconds:
            outcomes |= {result["id"]: result["data"]["outcome"] for result in app.results()}
            time.sleep(0.05)
        took = time.monotonic() - began
        call.result().raise_for_status()
    return took, outcomes

"""The whole stack as callers and operators see it, over HTTP and queues alone."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from devstack.client import AppClient
from devstack.promises import judge_run
from devstack.stack import ROOT
from tests.e2e.quick import PATIENCE, quick_stack, wait_until

pytestmark = pytest.mark.timeout(1800)


def test_a_killed_host_loses_nothing_and_repeats_nothing() -> None:
    """If the host is killed in the middle of 200 requests, each is still deleted and no promise is broken."""
    with quick_stack() as stack:
        app = AppClient(stack)
        app.seed({"id": "job-1", "state": "active", "tasks": {"count": 200}})
        # Slow enough that the host has work in hand when it is killed, however busy the machine is.
        app.break_down({"operation": "task-delete", "delaySeconds": 0.5})
        ids = {str(uuid.uuid4()): f"task-{n}" for n in range(1, 201)}
        for client_request_id, task in ids.items():
            app.put({"clientRequestId": client_request_id, "jobId": "job-1", "taskId": task})
        wait_until(lambda: len(app.journal()) >= 40)
        stack.kill_host()
        killed_after = len(app.journal())
        stack.start_host()
        found = app.collect(lambda seen: len({r["data"]["clientRequestId"] for r in seen}) == 200, PATIENCE)
        deletes = app.journal()
    assert killed_after < 200
    assert judge_run(ids, found, deletes) == []
    assert {result["data"]["clientRequestId"] for result in found} == set(ids)
    assert {result["data"]["outcome"] for result in found} == {"deleted"}


@pytest.mark.slow
def test_the_demonstration_succeeds() -> None:
    """`make demo` ends with 0 and reports that every outcome is as expected."""
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

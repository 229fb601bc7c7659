"""A stop of the host, as at a deployment or a scale-in, in the middle of every kind of invocation."""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.client import AppClient
from devstack.stack import Stack
from tests.e2e.test_main_job import LEASE_SECONDS, QUICK, ROOT, collect, journal, queue, seed

pytestmark = pytest.mark.timeout(1800)

KINDS = ("delete_tasks", "clean_up_job", "end_poisoned_requests", "keep_house", "delete_task", "submit_task_deletion")
PATIENCE = 300
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def body(task: int) -> dict[str, Any]:
    """A request for one task of job-1."""
    return {"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "taskId": f"task-{task}"}


class Caller:
    """Calls the app and, as a careful client, repeats the call when it gets no answer or a 503."""

    def __init__(self, stack: Stack, request: dict[str, Any], *, direct: bool = False) -> None:
        self._stack = stack
        self._request = request
        self._direct = direct
        self.calls = 0
        self._thread = threading.Thread(target=self._insist, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Returns when the call was answered."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _insist(self) -> None:
        status = 0
        while status not in {200, 202}:
            self.calls += 1
            with suppress(requests.RequestException):
                status = self._call().status_code
            time.sleep(1)

    def _call(self) -> requests.Response:
        if not self._direct:
            headers = {"traceparent": TRACE}
            url = f"{self._stack.http_url}/api/task-deletions"
            return requests.post(url, json=self._request, headers=headers, timeout=PATIENCE)
        headers = {"client-request-id": self._request["clientRequestId"], "traceparent": TRACE}
        url = f"{self._stack.http_url}/api/jobs/job-1/tasks/{self._request['taskId']}"
        return requests.delete(url, headers=headers, timeout=PATIENCE)


def in_hand(log: Path) -> set[str]:
    """The functions that the host has begun and not ended."""
    lines = log.read_text(errors="replace").splitlines()

    def named(verb: str, kind: str) -> int:
        return sum(f" {verb} function={kind} " in line for line in lines)

    return {kind for kind in KINDS if named("executing", kind) > named("executed", kind)}


def put_in_hand(stack: Stack, log: Path, poisoned: list[dict[str, Any]], posted: dict[str, Any]) -> Caller:
    """Has the poison function, the daily round and a call wait for storage, which answers no more."""
    AppClient(stack).put({"requests": poisoned}, "poison")
    deadline = time.monotonic() + PATIENCE
    while "end_poisoned_requests" not in in_hand(log):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    stack.azurite.freeze()
    assert "end_poisoned_requests" in in_hand(log), "it was over before storage froze"
    requests.post(f"{stack.http_url}/admin/functions/keep_house", json={}, timeout=PATIENCE).raise_for_status()
    caller = Caller(stack, posted)
    while in_hand(log) != set(KINDS):
        assert time.monotonic() < deadline, in_hand(log)
        time.sleep(0.05)
    return caller


def test_a_stop_in_the_middle_of_everything_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """After ten seconds the worker dies under single and large messages, a clean-up, poison, the round and calls.

    Each request ends with one result, no DELETE follows a recorded outcome, and results name the callers' traces.
    """
    with Stack(ROOT, env=QUICK, lease_seconds=LEASE_SECONDS, logs=tmp_path) as stack:
        seed(stack, "job-1", 60)
        seed(stack, "job-2", 120, state="completed")
        faults = f"{stack.batch_url}/_control/faults"
        for operation in ("task-delete", "task-list"):
            requests.post(faults, json={"operation": operation, "hold": True}, timeout=PATIENCE).raise_for_status()
        singles, large = [body(n) for n in range(1, 6)], [body(n) for n in range(6, 16)]
        for message in [*singles, {"requests": large}]:
            AppClient(stack).put(message)
        event = {"clientRequestId": str(uuid.uuid4()), "jobId": "job-2"}
        queue(stack, "JOB_COMPLETION_QUEUE_NAME").send_message(json.dumps(event))
        direct, posted, poisoned = body(16), body(17), [body(n) for n in range(18, 58)]
        callers = [Caller(stack, direct, direct=True)]
        deadline = time.monotonic() + PATIENCE
        while len(journal(stack)) < 16 or "clean_up_job" not in in_hand(tmp_path / "host.log"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        callers.append(put_in_hand(stack, tmp_path / "host.log", poisoned, posted))
        began = time.monotonic()
        stack.stop_host()
        took = time.monotonic() - began
        stack.azurite.thaw()
        requests.delete(faults, timeout=PATIENCE).raise_for_status()
        stack.start_host()
        for caller in callers:
            caller.wait()
        wanted = {request["clientRequestId"] for request in [*singles, *large, direct, posted, *poisoned]}
        found = collect(stack, lambda seen: is_all(seen, wanted, event["clientRequestId"]))
        deletes = journal(stack)
        requests.post(f"{stack.http_url}/admin/functions/keep_house", json={}, timeout=PATIENCE).raise_for_status()
    assert 9 < took < 20
    assert [caller.calls > 1 for caller in callers] == [True, True]
    ends = {r["data"]["clientRequestId"]: r for r in found if r["type"] == "batch.task-deletion.done"}
    ids = {(r["data"]["clientRequestId"], r["id"]) for r in ends.values()}
    assert len({r["id"] for r in found if r["type"] == "batch.task-deletion.done"}) == len(ids)
    outcomes = {request_id: ends[request_id]["data"]["outcome"] for request_id in wanted}
    assert {outcomes[request["clientRequestId"]] for request in poisoned} == {"exhausted"}
    assert {outcomes[i] for i in wanted - {r["clientRequestId"] for r in poisoned}} == {"deleted"}
    assert {ends[request["clientRequestId"]]["traceparent"] for request in (direct, posted)} == {TRACE}
    late = [
        entry
        for entry in deletes
        if (end := ends.get(entry["headers"]["client-request-id"])) and entry["time"] > end["data"]["completedAt"]
    ]
    assert late == []


def is_all(seen: list[dict[str, Any]], wanted: set[str], event_id: str) -> bool:
    """Whether every request has a result, and so has every task of the event's job."""
    done = [result["data"] for result in seen if result["type"] == "batch.task-deletion.done"]
    of_the_job = {data["clientRequestId"] for data in done if data["parentId"] == event_id}
    return {data["clientRequestId"] for data in done} >= wanted and len(of_the_job) == 120

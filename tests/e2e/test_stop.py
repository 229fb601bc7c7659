"""The host is stopped, as by a deployment or a scale-in, in the middle of every kind of invocation."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.client import AppClient
from devstack.promises import RESULT, judge_run
from devstack.stack import Stack
from tests.e2e.quick import PATIENCE, quick_stack, wait_until

pytestmark = pytest.mark.timeout(1800)

KINDS = ("delete_tasks", "clean_up_job", "end_poisoned_requests", "keep_house", "delete_task", "submit_task_deletion")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def bodies(first: int, last: int) -> list[dict[str, Any]]:
    """Requests for these tasks of job-1."""
    ids = (str(uuid.uuid4()) for _ in range(first, last + 1))
    return [{"clientRequestId": i, "jobId": "job-1", "taskId": f"task-{n}"} for n, i in enumerate(ids, start=first)]


@dataclass
class Work:
    """Requests that arrive by every way in, and the event of a job of 120 tasks."""

    singles: list[dict[str, Any]] = field(default_factory=lambda: bodies(1, 5))
    large: list[dict[str, Any]] = field(default_factory=lambda: bodies(6, 15))
    called: list[dict[str, Any]] = field(default_factory=lambda: bodies(16, 17))
    poisoned: list[dict[str, Any]] = field(default_factory=lambda: bodies(18, 57))
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def ids(self, *parts: list[dict[str, Any]]) -> set[str]:
        """The request ids of some parts of the work, or of all of it."""
        return {body["clientRequestId"] for part in parts or (self.live, self.poisoned) for body in part}

    @property
    def live(self) -> list[dict[str, Any]]:
        """The tasks that are to be deleted."""
        return [*self.singles, *self.large, *self.called]

    def is_done(self, seen: list[dict[str, Any]]) -> bool:
        """Whether every request, and every task of the event's job, has a result."""
        done = [result["data"] for result in seen if result["type"] == RESULT]
        of_the_job = {data["clientRequestId"] for data in done if data["parentId"] == self.event_id}
        return {data["clientRequestId"] for data in done} >= self.ids() and len(of_the_job) == 120


class Caller:
    """Calls the app, and repeats the call when it gets no answer or a 503, as a careful client does."""

    def __init__(self, stack: Stack, request: dict[str, Any], *, direct: bool = False) -> None:
        self._stack = stack
        self._request = request
        self._direct = direct
        self.calls = 0
        self._thread = threading.Thread(target=self._call_until_answered, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Waits until the call is answered."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _call_until_answered(self) -> None:
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
    """The functions that the host has started and not finished."""
    lines = log.read_text(errors="replace").splitlines()

    def named(verb: str, kind: str) -> int:
        return sum(f" {verb} function={kind} " in line for line in lines)

    return {kind for kind in KINDS if named("executing", kind) > named("executed", kind)}


def keep_house(stack: Stack) -> None:
    """Starts the daily round."""
    requests.post(f"{stack.http_url}/admin/functions/keep_house", json={}, timeout=PATIENCE).raise_for_status()


def put_in_hand(stack: Stack, work: Work) -> list[Caller]:
    """Makes every kind of function hang, on a Batch account or a storage account that does not answer."""
    app, log = AppClient(stack), stack.logs / "host.log"
    app.seed({"id": "job-1", "state": "active", "tasks": {"count": 60}})
    app.seed({"id": "job-2", "state": "completed", "tasks": {"count": 120}})
    for operation in ("task-delete", "task-list"):
        app.break_down({"operation": operation, "hold": True})
    for message in [*work.singles, {"requests": work.large}]:
        app.put(message)
    app.put({"clientRequestId": work.event_id, "jobId": "job-2"}, "job-completion")
    callers = [Caller(stack, work.called[0], direct=True)]
    wait_until(lambda: len(app.journal()) >= 16 and "clean_up_job" in in_hand(log))
    app.put({"requests": work.poisoned}, "poison")
    wait_until(lambda: "end_poisoned_requests" in in_hand(log), 0.005)
    stack.azurite.freeze()
    assert "end_poisoned_requests" in in_hand(log), "it was over before storage froze"
    keep_house(stack)
    callers.append(Caller(stack, work.called[1]))
    wait_until(lambda: in_hand(log) == set(KINDS))
    return callers


def test_a_stop_in_the_middle_of_everything_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """If the worker is killed ten seconds after a stop, with every kind of work in it, nothing is lost or repeated.

    Each request ends with one result, no DELETE follows a recorded outcome, and results name the callers' traces.
    """
    work = Work()
    with quick_stack(logs=tmp_path) as stack:
        app, callers = AppClient(stack), put_in_hand(stack, work)
        began = time.monotonic()
        stack.stop_host()
        took = time.monotonic() - began
        stack.azurite.thaw()
        app.recover()
        stack.start_host()
        for caller in callers:
            caller.wait()
        found = app.collect(work.is_done, PATIENCE)
        deletes = app.journal()
        keep_house(stack)
    assert 9 < took < 20
    assert [caller.calls > 1 for caller in callers] == [True, True]
    assert judge_run(work.ids(), found, deletes) == []
    ends = {result["data"]["clientRequestId"]: result for result in found if result["type"] == RESULT}
    assert {ends[request_id]["data"]["outcome"] for request_id in work.ids(work.poisoned)} == {"exhausted"}
    assert {ends[request_id]["data"]["outcome"] for request_id in work.ids(work.live)} == {"deleted"}
    assert {ends[request_id]["traceparent"] for request_id in work.ids(work.called)} == {TRACE}

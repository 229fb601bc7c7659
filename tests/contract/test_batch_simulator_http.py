"""The simulated Batch account over HTTP: tokens, faults that cut connections, the control API, its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from devstack.batch import API_VERSION, BatchSimulator
from devstack.identity import IdentityEndpoint

ROOT = Path(__file__).parents[2]
GUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
VERSION = {"api-version": API_VERSION}


@pytest.fixture
def session(batch_token: str) -> Iterator[requests.Session]:
    """An HTTP session with a valid token that follows no redirects."""
    with requests.Session() as made:
        made.trust_env = False
        made.headers["Authorization"] = f"Bearer {batch_token}"
        yield made


@pytest.fixture
def account(batch_simulator: BatchSimulator) -> BatchSimulator:
    """An account with a job `j1` of three completed tasks."""
    batch_simulator.seed(id="j1", tasks={"count": 3})
    return batch_simulator


def task_url(account: BatchSimulator, task_id: str = "task-1") -> str:
    """The URL of a task of `j1`."""
    return f"{account.url}/jobs/j1/tasks/{task_id}"


def delete(session: requests.Session, account: BatchSimulator, task_id: str = "task-1") -> requests.Response:
    """Deletes a task of `j1`, with no more than the required headers."""
    return session.delete(task_url(account, task_id), params=VERSION, allow_redirects=False, timeout=90)


def test_a_deletion_answers_as_the_rest_reference_says(session: requests.Session, account: BatchSimulator) -> None:
    """The simulator answers a deletion with 200, request ids in the headers, and no body, ETag or Last-Modified."""
    headers = {"client-request-id": GUID, "return-client-request-id": "true"}
    answer = session.delete(task_url(account), params=VERSION, headers=headers, timeout=90)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["client-request-id"] == GUID
    assert answer.headers["request-id"] == account.deletes()[0].request_id
    assert not {"ETag", "Last-Modified"} & set(answer.headers)


def test_a_refusal_has_the_service_s_error_document(session: requests.Session, account: BatchSimulator) -> None:
    """The simulator's errors have the service's document, whose message ends with request id and time."""
    answer = delete(session, account, "nope")
    document = answer.json()
    assert (answer.status_code, document["code"]) == (404, "TaskNotFound")
    assert document["odata.metadata"].endswith("Entities.Container.errors/@Element")
    text, request_id, moment = document["message"]["value"].split("\n")
    assert text == "The specified task does not exist."
    assert request_id == f"RequestId:{answer.headers['request-id']}"
    assert moment.startswith("Time:2")


@pytest.mark.parametrize("resource", ["https://batch.core.windows.net", "https://storage.azure.com/"])
def test_a_token_for_another_audience_is_refused(
    account: BatchSimulator, identity_endpoint: IdentityEndpoint, resource: str
) -> None:
    """The simulator refuses a token for another audience with 401 and the reason, and keeps the task."""
    token = identity_endpoint.token(resource)["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.delete(task_url(account), params=VERSION, headers=headers, timeout=90)
    assert (answer.status_code, answer.json()["code"]) == (401, "AuthenticationFailed")
    assert answer.json()["values"][0]["key"] == "AuthenticationErrorDetail"
    assert "task-1" in account.task_ids("j1")


def test_a_revoked_token_is_refused_until_a_new_one_comes(
    session: requests.Session, account: BatchSimulator, identity_endpoint: IdentityEndpoint
) -> None:
    """The simulator answers 401 to a revoked token and accepts the next one."""
    account.revoke_tokens()
    assert delete(session, account).status_code == 401
    fresh = identity_endpoint.token("https://batch.core.windows.net/")["access_token"]
    session.headers["Authorization"] = f"Bearer {fresh}"
    assert delete(session, account).status_code == 200


def test_a_read_that_brings_nothing_new_is_304(session: requests.Session, account: BatchSimulator) -> None:
    """A read with the current ETag in `If-None-Match` answers 304 without a body; the connection stays usable."""
    etag = session.get(task_url(account), params=VERSION, timeout=90).headers["ETag"]
    answer = session.get(task_url(account), params=VERSION, headers={"If-None-Match": etag}, timeout=90)
    assert (answer.status_code, answer.content) == (304, b"")
    assert delete(session, account).status_code == 200


@pytest.mark.parametrize(("after_effect", "left"), [(False, 3), (True, 2)])
def test_a_connection_is_cut_before_or_after_the_effect(
    session: requests.Session, account: BatchSimulator, after_effect: bool, left: int
) -> None:
    """The simulator can cut the connection before or after the deletion, and its journal tells which."""
    account.fault(drop=True, after_effect=after_effect, times=1)
    with pytest.raises(requests.ConnectionError):
        delete(session, account)
    (entry,) = account.deletes()
    assert entry.dropped
    assert entry.effect == ("task-deleted" if after_effect else None)
    assert len(account.task_ids("j1")) == left
    assert delete(session, account).status_code == (404 if after_effect else 200)


def test_a_server_error_after_the_effect(session: requests.Session, account: BatchSimulator) -> None:
    """The simulator can answer 500 although it deleted the task, so the next call gets a 404."""
    account.fault(status=500, after_effect=True, times=1)
    assert delete(session, account).status_code == 500
    assert delete(session, account).json()["code"] == "TaskNotFound"


def test_a_held_request_waits_until_it_is_released(session: requests.Session, account: BatchSimulator) -> None:
    """A held request is in the journal, without effect, until the test releases it."""
    rule = account.fault(hold=True)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(delete, session, account)
        (entry,) = account.journal.wait(1, operation="task-delete")
        assert (entry.status, account.task_ids("j1")) == (None, ["task-1", "task-2", "task-3"])
        account.faults.release(rule)
        assert pending.result(timeout=90).status_code == 200
    assert account.task_ids("j1") == ["task-2", "task-3"]


def test_a_slow_answer_outlasts_the_client_s_patience(session: requests.Session, account: BatchSimulator) -> None:
    """A delayed deletion takes effect even if the client has stopped waiting for the answer."""
    account.fault(delay_seconds=0.3, after_effect=True)
    with pytest.raises(requests.ReadTimeout):
        session.delete(task_url(account), params=VERSION, timeout=0.1)
    assert account.task_ids("j1") == ["task-2", "task-3"]


def test_a_redirect_and_a_foreign_next_page_can_be_ordered(session: requests.Session, account: BatchSimulator) -> None:
    """The simulator can answer with a redirect or a next-page link to another host."""
    account.fault(status=302, location="http://127.0.0.1:9/stolen", times=1)
    account.fault(operation="task-list", next_link="http://127.0.0.1:9/stolen")
    moved = delete(session, account)
    assert (moved.status_code, moved.headers["Location"]) == (302, "http://127.0.0.1:9/stolen")
    page = session.get(f"{account.url}/jobs/j1/tasks", params=VERSION, timeout=90).json()
    assert page["odata.nextLink"] == "http://127.0.0.1:9/stolen"


def test_the_control_api_seeds_breaks_and_reports(session: requests.Session, batch_simulator: BatchSimulator) -> None:
    """The control API, which needs no token, seeds jobs, sets faults and reports calls to other processes."""
    control = f"{batch_simulator.url}/_control"
    seeds = [{"id": "big", "tasks": {"count": 2000, "prefix": "f-"}}, {"id": "j1", "tasks": ["a"]}]
    assert requests.post(f"{control}/jobs", json=seeds, timeout=90).json() == {"jobs": 2, "tasks": 2001}
    fault = {"task": "f-7", "status": 503, "retryAfter": 2, "times": 1}
    rule = requests.post(f"{control}/faults", json=fault, timeout=90).json()["id"]
    url = f"{batch_simulator.url}/jobs/big/tasks/f-7"
    statuses = [session.delete(url, params=VERSION, timeout=90).status_code for _ in range(2)]
    assert statuses == [503, 200]
    journal = requests.get(f"{control}/journal", params={"task": "f-7"}, timeout=90).json()["value"]
    assert [(entry["status"], entry["fault"], entry["effect"]) for entry in journal] == [
        (503, rule, None),
        (200, None, "task-deleted"),
    ]
    assert requests.get(f"{control}/jobs/big", timeout=90).json()["state"] == "active"
    assert requests.get(f"{control}/counters", timeout=90).json()["effects"] == {"task-deleted": 1}
    requests.post(f"{control}/reset", timeout=90)
    summary = requests.get(control, timeout=90).json()
    assert (summary["jobs"], summary["counters"]["requests"]) == ([], 0)


@pytest.mark.parametrize(
    ("line", "body", "status"),
    [
        ("POST faults", b'{"taks": "x"}', 400),
        ("POST faults", b"[1]", 400),
        ("POST faults", b"{", 400),
        ("POST faults", b'{"times": "x"}', 400),
        ("POST jobs", b'{"name": "x"}', 400),
        ("POST jobs", b"", 400),
        ("POST jobs", b'[{"id": "good"}, {"id": 7}]', 400),
        ("POST jobs", b"\xff", 400),
        ("POST jobs", b"[" * 100_000, 400),
        ("GET jobs", b"", 400),
        ("GET jobs/nope", b"", 404),
        ("GET journal?task=a&opration=b", b"", 400),
        ("POST faults/fault-9/release", b"", 404),
        ("POST faults/fault-9/relase", b"", 404),
        ("POST nope", b"{}", 404),
        ("GET jobs/a/b/c", b"", 404),
    ],
)
def test_a_control_call_with_a_mistake_is_refused(
    batch_simulator: BatchSimulator, line: str, body: bytes, status: int
) -> None:
    """The control API refuses an invalid call with an explanation and changes nothing."""
    method, _, call = line.partition(" ")
    answer = requests.request(method, f"{batch_simulator.url}/_control/{call}", data=body, timeout=90)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert batch_simulator.account.jobs() == []


def test_an_operation_that_is_not_simulated_says_so(session: requests.Session, account: BatchSimulator) -> None:
    """An operation that Batch has but the simulator lacks answers 501 `OperationNotSimulated`."""
    url = f"{task_url(account)}/reactivate"
    answer = session.post(url, params=VERSION, timeout=90)
    assert (answer.status_code, answer.json()["code"]) == (501, "OperationNotSimulated")
    assert "does not carry it out" in answer.json()["message"]["value"]
    assert answer.json()["values"] == [{"key": "Operation", "value": "POST /jobs/j1/tasks/task-1/reactivate"}]
    head = session.head(f"{account.url}/pools/p1", params=VERSION, timeout=90)
    assert (head.status_code, head.content) == (501, b"")
    assert session.get(task_url(account), params=VERSION, timeout=90).status_code == 200


def test_many_clients_delete_at_the_same_time(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """32 clients deleting at once over kept connections delete each task exactly once."""
    batch_simulator.seed(id="j1", tasks={"count": 160})
    local = threading.local()

    def remove(number: int) -> int:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
            local.session.headers["Authorization"] = f"Bearer {batch_token}"
        with local.session.delete(task_url(batch_simulator, f"task-{number}"), params=VERSION, timeout=180) as answer:
            return int(answer.status_code)

    with ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(remove, [*range(1, 161), *range(1, 41)]))
    assert (statuses.count(200), statuses.count(404)) == (160, 40)
    assert batch_simulator.journal.counters().effects["task-deleted"] == 160


def test_a_stopped_account_keeps_its_state_and_port(session: requests.Session, account: BatchSimulator) -> None:
    """A stopped simulator refuses connections and, when started again, has the same URL and state."""
    url = account.url
    assert delete(session, account).status_code == 200
    account.stop()
    with pytest.raises(requests.ConnectionError):
        delete(session, account, "task-2")
    account.start()
    assert account.url == url
    assert delete(session, account, "task-2").status_code == 200


@pytest.mark.parametrize("module", ["devstack.batch", "devstack.identity"])
def test_each_stand_in_runs_as_a_process_of_its_own(module: str) -> None:
    """The Batch and identity stand-ins run as processes, print their URL when ready, and end on SIGTERM with 0."""
    command = [sys.executable, "-m", module, "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert requests.get(f"{url}/_control", timeout=90).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=90) == 0

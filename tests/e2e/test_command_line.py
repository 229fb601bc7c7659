"""The command line against the whole stack: a person's terminal, the real app, and the simulated Batch account."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.storage.queue import QueueServiceClient

from devstack.stack import Stack
from tests.contract.cli.command import Ended, environment, in_process, program

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "OPERATION_BUDGET_SECONDS": "20",
    "BATCH_RETRY_BASE_SECONDS": "0.5",
    "BATCH_RETRY_MAX_SECONDS": "1",
    "BATCH_MAX_ATTEMPTS": "2",
    "PROTECTED_JOBS": "prod-*",
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One stack for all tests of this file."""
    with Stack(ROOT, env=SETTINGS, lease_seconds=60) as running:
        yield running


@pytest.fixture
def job(stack: Stack) -> str:
    """A completed job with twenty completed tasks."""
    return seed(stack, 20)


def seed(stack: Stack, count: int) -> str:
    """A completed job with completed tasks `task-1` and on."""
    name = f"job-{uuid.uuid4().hex[:8]}"
    body = {"id": name, "state": "completed", "tasks": {"count": count}}
    requests.post(f"{stack.batch_url}/_control/jobs", json=body, timeout=400).raise_for_status()
    return name


def run(stack: Stack, *arguments: str, stdin: bytes = b"") -> Ended:
    """The command, pointed at the stack."""
    return in_process(arguments, environment(stack.http_url), stdin=stdin)


def deletes(stack: Stack, job: str) -> Counter[str]:
    """How many DELETEs of each task of a job have reached Batch."""
    url = f"{stack.batch_url}/_control/journal?operation=task-delete"
    entries: list[dict[str, Any]] = requests.get(url, timeout=400).json()["value"]
    targets = (str(entry["target"]) for entry in entries)
    return Counter(target.partition("?")[0] for target in targets if f"/jobs/{job}/tasks/" in target)


def test_health_is_well(stack: Stack) -> None:
    """The first thing that a person asks."""
    ended = run(stack, "health")
    assert ended.code == 0, ended.err
    assert "storage" in ended.out


def test_tasks_are_deleted_and_waited_for(stack: Stack, job: str) -> None:
    """Two that are there and one that is not end as asked."""
    ended = run(stack, "delete", job, "task-1", "task-2", "no-such-task", "--wait")
    assert ended.code == 0, ended.err
    assert "done: 2 deleted, 1 notFound" in ended.out


def test_a_file_that_is_sent_twice_deletes_once(stack: Stack, job: str, tmp_path: Path) -> None:
    """In another order and another form the second time."""
    lines, table = tmp_path / "tasks.jsonl", tmp_path / "tasks.csv"
    lines.write_text("".join(json.dumps({"jobId": job, "taskId": f"task-{n}"}) + "\n" for n in range(1, 11)))
    table.write_text("taskId;jobId\r\n" + "".join(f"task-{n};{job.upper()}\r\n" for n in range(10, 0, -1)))
    assert run(stack, "delete", "--file", str(lines), "--wait").code == 0
    second = run(stack, "delete", "--file", str(table), "--wait")
    assert second.code == 0, second.err
    assert "10 asked for before" in second.out
    assert set(deletes(stack, job).values()) == {1}
    assert len(deletes(stack, job)) == 10


def test_a_dry_run_deletes_nothing(stack: Stack, job: str) -> None:
    """It tells what would happen, and its status is found by its id."""
    ended = run(stack, "delete", job, "task-1", "--dry-run", "--wait", "--json")
    assert ended.code == 0, ended.err
    done = ended.documents[-1]
    assert done["result"]["data"]["outcome"] == "wouldDelete"
    assert deletes(stack, job) == {}
    assert "wouldDelete" in run(stack, "status", done["clientRequestId"]).out


def test_a_scheduled_deletion_is_cancelled(stack: Stack, job: str) -> None:
    """Once; the repeat is as good as the first, and what is cancelled did not end as asked."""
    asked = run(stack, "delete", job, "task-1", "--delete-after", "PT1H", "--json").documents[0]
    wanted = asked["items"][0]["clientRequestId"]
    assert "scheduled" in run(stack, "status", wanted).out
    assert [run(stack, "cancel", wanted).code for _ in range(2)] == [0, 0]
    ended = run(stack, "watch", wanted)
    assert ended.code == 1
    assert "cancelled" in ended.out


def test_a_protected_job_is_refused_item_by_item(stack: Stack) -> None:
    """1, in the app's own words."""
    ended = run(stack, "delete", "prod-1", "task-1", "--wait")
    assert ended.code == 1
    assert "ProtectedJob" in ended.err


def test_a_clean_up_is_waited_for(stack: Stack, job: str) -> None:
    """All twenty tasks, and its id is found again."""
    ended = run(stack, "clean-up", job, "--wait", "--json")
    assert ended.code == 0, ended.err
    last = ended.documents[-1]
    assert (last["state"], last["open"], last["done"]) == ("listed", 0, {"deleted": 20})
    assert "20" in run(stack, "status", last["eventId"]).out


def test_a_timeout_ends_the_waiting_and_the_command_that_it_names_goes_on(stack: Stack, job: str) -> None:
    """4, and then 0 from the words on standard error."""
    ended = run(stack, "delete", job, "task-1", "--delete-after", "PT8S", "--wait", "--timeout", "PT1S")
    assert ended.code == 4
    words = ended.err.splitlines()[-1].split()
    assert words[0] == "batch-task-deletion"
    assert run(stack, *words[1:]).code == 0


def test_a_dead_letter_is_seen_and_redriven(stack: Stack) -> None:
    """What the app gave up is listed with its reason, shown whole, and put back once."""
    wanted = dead_letter(stack)
    listed = run(stack, "dead-letters")
    assert wanted["id"] in listed.out
    assert "ProtectedJob" in listed.out
    assert wanted["clientRequestId"] in run(stack, "dead-letters", wanted["id"]).out
    assert run(stack, "redrive", wanted["id"]).code == 0
    again = run(stack, "redrive", wanted["id"])
    assert again.code == 1
    assert "AlreadyRedriven" in again.err


def dead_letter(stack: Stack) -> dict[str, Any]:
    """The letter of a request that came over the queue, for a job from which nothing is deleted."""
    body = {"clientRequestId": str(uuid.uuid4()), "jobId": "prod-2", "taskId": "t"}
    service = QueueServiceClient.from_connection_string(stack.connection_string)
    service.get_queue_client(stack.env["REQUEST_QUEUE_NAME"]).send_message(json.dumps(body))
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for letter in run(stack, "dead-letters", "--json").documents:
            if letter["clientRequestId"] == body["clientRequestId"]:
                return dict(letter)
        time.sleep(0.5)
    raise AssertionError("no dead letter came")


@pytest.mark.parametrize("number", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(1800)
def test_ctrl_c_in_the_middle_and_the_same_command_again(stack: Stack, tmp_path: Path, number: int) -> None:
    """Thousands of ids, interrupted in their midst: the second run completes them, and each is deleted once."""
    job = seed(stack, number)
    path = tmp_path / "tasks.txt"
    path.write_text("".join(f"{job}/task-{n}\n" for n in range(1, number + 1)))
    arguments = ["delete", "--file", str(path), "--wait"]
    with subprocess.Popen(program(*arguments), env=environment(stack.http_url), stderr=subprocess.PIPE) as process:
        while sum(deletes(stack, job).values()) < 50:
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.stderr
        said = process.stderr.read().decode()
        assert process.wait(60) == 130
    assert f"delete --file {path} --wait" in said
    assert len(deletes(stack, job)) < number
    second = run(stack, *arguments)
    assert second.code == 0, second.err
    assert "asked for before" in second.out
    assert f"done: {number:,} deleted" in second.out
    found = deletes(stack, job)
    assert len(found) == number
    assert set(found.values()) == {1}

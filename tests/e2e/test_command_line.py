"""The command line against the whole stack: a terminal, the real app, and the simulated Batch account."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from devstack.client import AppClient
from devstack.stack import Stack
from tests.contract.cli.command import Ended, environment, in_process, program
from tests.e2e.quick import wait_until

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "OPERATION_BUDGET_SECONDS": "20",
    "BATCH_RETRY_BASE_SECONDS": "0.5",
    "BATCH_RETRY_MAX_SECONDS": "1",
    "BATCH_MAX_ATTEMPTS": "2",
    "PROTECTED_JOBS": "prod-*",
    "RETENTION_POLICIES": json.dumps(
        [
            {"name": "old", "jobs": "old-*", "deleteAfter": "P3D"},
            {"name": "counting", "jobs": "counted-*", "deleteAfter": "P3D", "dryRun": True},
        ]
    ),
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One stack for all tests of this file."""
    with Stack(ROOT, env=SETTINGS, lease_seconds=60) as running:
        yield running


@cache
def client(stack: Stack) -> AppClient:
    """Access to the stack besides the command."""
    return AppClient(stack)


@pytest.fixture
def job(stack: Stack) -> str:
    """A completed job with twenty completed tasks."""
    return seed(stack, 20)


def seed(stack: Stack, count: int, prefix: str = "job", **tasks: str) -> str:
    """Creates a completed job with completed tasks `task-1`, `task-2` and so on."""
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    body = {"id": name, "state": "completed", "tasks": {"count": count, **tasks}}
    client(stack).seed(body)
    return name


def run(stack: Stack, *arguments: str, stdin: bytes = b"") -> Ended:
    """Runs the command against the stack."""
    return in_process(arguments, environment(stack.http_url), stdin=stdin)


def deletes(stack: Stack, job: str) -> Counter[str]:
    """The number of DELETE calls that Batch received for each task of a job."""
    targets = (str(entry["target"]) for entry in client(stack).journal())
    return Counter(target.partition("?")[0] for target in targets if f"/jobs/{job}/tasks/" in target)


def test_health_is_well(stack: Stack) -> None:
    """`health` ends with code 0 on a healthy stack and lists the checks."""
    ended = run(stack, "health")
    assert ended.code == 0, ended.err
    assert "storage" in ended.out


def test_tasks_are_deleted_and_waited_for(stack: Stack, job: str) -> None:
    """`delete --wait` with two existing tasks and one missing ends with code 0 and counts 2 deleted, 1 notFound."""
    ended = run(stack, "delete", job, "task-1", "task-2", "no-such-task", "--wait")
    assert ended.code == 0, ended.err
    assert "done: 2 deleted, 1 notFound" in ended.out


def test_a_file_that_is_sent_twice_deletes_once(stack: Stack, job: str, tmp_path: Path) -> None:
    """Sending the file again in another order and format deletes nothing a second time."""
    lines, table = tmp_path / "tasks.jsonl", tmp_path / "tasks.csv"
    lines.write_text("".join(json.dumps({"jobId": job, "taskId": f"task-{n}"}) + "\n" for n in range(1, 11)))
    table.write_text("taskId;jobId\r\n" + "".join(f"task-{n};{job.upper()}\r\n" for n in range(10, 0, -1)))
    assert run(stack, "delete", "--file", str(lines), "--wait").code == 0
    second = run(stack, "delete", "--file", str(table), "--wait")
    assert second.code == 0, second.err
    assert "10 accepted earlier" in second.out
    assert set(deletes(stack, job).values()) == {1}
    assert len(deletes(stack, job)) == 10


def test_a_dry_run_deletes_nothing(stack: Stack, job: str) -> None:
    """`delete --dry-run` reports `wouldDelete`, deletes nothing, and `status` finds it by its id."""
    ended = run(stack, "delete", job, "task-1", "--dry-run", "--wait", "--json")
    assert ended.code == 0, ended.err
    done = ended.documents[-1]
    assert done["result"]["data"]["outcome"] == "wouldDelete"
    assert deletes(stack, job) == {}
    assert "wouldDelete" in run(stack, "status", done["clientRequestId"]).out


def test_a_scheduled_deletion_is_cancelled(stack: Stack, job: str) -> None:
    """A scheduled deletion can be cancelled, twice with the same result; `watch` then ends with code 1."""
    asked = run(stack, "delete", job, "task-1", "--delete-after", "PT1H", "--json").documents[0]
    wanted = asked["items"][0]["clientRequestId"]
    assert "scheduled" in run(stack, "status", wanted).out
    assert [run(stack, "cancel", wanted).code for _ in range(2)] == [0, 0]
    ended = run(stack, "watch", wanted)
    assert ended.code == 1
    assert "cancelled" in ended.out


def test_a_protected_job_is_refused_item_by_item(stack: Stack) -> None:
    """Deleting tasks of a protected job ends with code 1 and an error for each item."""
    ended = run(stack, "delete", "prod-1", "task-1", "--wait")
    assert ended.code == 1
    assert "ProtectedJob" in ended.err
    (answer,) = run(stack, "delete", "prod-1", "task-1", "task-2", "--json").documents
    assert answer["code"] == "InvalidRequest"
    assert answer["counts"] == {"accepted": 0, "replayed": 0, "conflict": 0, "invalid": 2}
    assert [item["taskId"] for item in answer["items"]] == ["task-1", "task-2"]


def test_a_clean_up_is_waited_for(stack: Stack, job: str) -> None:
    """`clean-up --wait` deletes all twenty tasks, and `status` and `clean-ups` then show it by its id."""
    ended = run(stack, "clean-up", job, "--wait", "--json")
    assert ended.code == 0, ended.err
    last = ended.documents[-1]
    assert (last["state"], last["open"], last["done"]) == ("listed", 0, {"deleted": 20})
    assert "20" in run(stack, "status", last["eventId"]).out
    listed = run(stack, "clean-ups", "--state", "listed", "--json").documents
    assert next(one["done"] for one in listed if one["eventId"] == last["eventId"]) == {"deleted": 20}
    assert job in run(stack, "clean-ups").out


def test_a_timeout_ends_the_waiting_and_the_command_that_it_names_goes_on(stack: Stack, job: str) -> None:
    """When waiting times out with code 4, the printed command continues it and ends with code 0."""
    ended = run(stack, "delete", job, "task-1", "--delete-after", "PT8S", "--wait", "--timeout", "PT1S")
    assert ended.code == 4
    words = ended.err.splitlines()[-1].split()
    assert words[0] == "batch-task-deletion"
    assert run(stack, *words[1:]).code == 0


def test_a_dead_letter_is_seen_and_redriven(stack: Stack) -> None:
    """A dead letter is listed with its reason, shown whole, and redriven once; a second redrive is refused."""
    wanted = dead_letter(stack)
    listed = run(stack, "dead-letters")
    assert wanted["id"] in listed.out
    assert "ProtectedJob" in listed.out
    assert wanted["clientRequestId"] in run(stack, "dead-letters", wanted["id"]).out
    assert run(stack, "redrive", wanted["id"]).code == 0
    again = run(stack, "redrive", wanted["id"])
    assert again.code == 1
    assert "AlreadyRedriven" in again.err


def test_dead_letters_are_redriven_and_settled_in_passes(stack: Stack) -> None:
    """Bulk redrive and settle act on what matches, at most `--most`, and need `--yes` without a terminal."""
    for _ in range(3):
        put_protected(stack, "prod-3")
    of_job = ["--job", "prod-3"]
    letters_of(stack, "prod-3", 3)
    assert run(stack, "redrive", *of_job).code == 2
    assert "2 dead letters would be redriven" in run(stack, "redrive", *of_job, "--most", "2", "--dry-run").out
    assert "redriven: 2 of 2" in run(stack, "redrive", *of_job, "--yes", "--most", "2").out
    letters_of(stack, "prod-3", 5)
    settled = run(stack, "settle", *of_job, "--yes", "--json")
    assert (settled.code, sum(answer["settled"] for answer in settled.documents)) == (0, 5)
    assert run(stack, "dead-letters", *of_job, "--json").documents == []
    assert "nothing to settle" in run(stack, "settle", *of_job, "--yes").out
    again = run(stack, "dead-letters", *of_job, "--settled", "--json").documents
    assert run(stack, "settle", again[0]["id"]).code == 0
    assert run(stack, "settle", str(uuid.uuid4())).code == 1


def dead_letter(stack: Stack) -> dict[str, Any]:
    """The dead letter of a queued request for a protected job."""
    put_protected(stack, "prod-2")
    return letters_of(stack, "prod-2", 1)[0]


def put_protected(stack: Stack, job: str) -> None:
    """Queues a request for a protected job."""
    body = {"clientRequestId": str(uuid.uuid4()), "jobId": job, "taskId": "t"}
    client(stack).put(body)


def letters_of(stack: Stack, job: str, count: int) -> list[dict[str, Any]]:
    """Waits until a job has so many dead letters, and returns them."""
    found: list[dict[str, Any]] = []

    def are_there() -> bool:
        found[:] = run(stack, "dead-letters", "--job", job, "--json").documents
        return len(found) == count

    wait_until(are_there, 0.5)
    return found


def test_a_sweep_is_previewed_carried_out_and_told_of(stack: Stack) -> None:
    """A dry-run sweep counts, a real one deletes, a dry-run policy only counts; an ended sweep cannot be cancelled."""
    finished = (datetime.now(UTC) - timedelta(days=4)).isoformat()
    job, counted = (seed(stack, 3, prefix, endTime=finished) for prefix in ("old", "counted"))
    preview = run(stack, "sweep", "--dry-run", "--wait")
    assert (preview.code, deletes(stack, job)) == (0, {})
    assert "done: 6 wouldDelete" in preview.out
    ended = run(stack, "sweep", "--wait")
    assert ended.code == 0, ended.err
    assert "done: 3 deleted, 3 wouldDelete" in ended.out
    assert (len(deletes(stack, job)), deletes(stack, counted)) == (3, {})
    (shown,) = run(stack, "policies", "--json").documents
    assert [policy["name"] for policy in shown["policies"]] == ["old", "counting"]
    last = shown["accounts"][0]["lastSweep"]
    assert (last["state"], run(stack, "cancel", last["sweepId"]).code) == ("done", 1)
    assert "counting" in run(stack, "policies").out
    (told,) = run(stack, "summary", "--json").documents
    assert [(one["sweepId"], one["state"]) for one in told["sweeps"]] == [(last["sweepId"], "done")]
    alone = run(stack, "sweep", "--policy", "old", "--json", "--wait").documents[-1]
    assert [policy["name"] for policy in alone["policies"]] == ["old"]
    refused = run(stack, "sweep", "--policy", "no-such")
    assert refused.code == 1
    assert "PolicyNotFound" in refused.err


def test_the_summary_tells_of_queues_and_letters(stack: Stack) -> None:
    """`summary` prints the app's document as text, and unchanged with `--json`."""
    (told,) = run(stack, "summary", "--json").documents
    assert {queue["name"] for queue in told["queues"]} >= {stack.env["REQUEST_QUEUE_NAME"]}
    shown = run(stack, "summary")
    assert shown.code == 0, shown.err
    assert stack.env["REQUEST_QUEUE_NAME"] in shown.out


@pytest.mark.parametrize("number", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(1800)
def test_ctrl_c_in_the_middle_and_the_same_command_again(stack: Stack, tmp_path: Path, number: int) -> None:
    """After Ctrl-C in the middle of thousands of ids, the same command completes them, each deleted once."""
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
    assert "accepted earlier" in second.out
    assert f"done: {number:,} deleted" in second.out
    found = deletes(stack, job)
    assert len(found) == number
    assert set(found.values()) == {1}

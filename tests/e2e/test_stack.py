"""The local stack itself: it starts, survives what tests do to it, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from devstack.program import ProgramFailed
from devstack.stack import ROOT, Stack

PATIENCE = 300


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with the app in it."""
    with Stack(ROOT, lease_seconds=5, logs=tmp_path_factory.mktemp("logs")) as running:
        yield running


def test_the_app_is_in_health(stack: Stack) -> None:
    """With the stack's settings the app is healthy: it reaches its storage and its identity endpoint."""
    answer = requests.get(f"{stack.http_url}/api/health", timeout=PATIENCE)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_the_queues_and_tables_are_there(stack: Stack) -> None:
    """The stack creates the same queues and tables as a deployment, each input queue with its poison queue."""
    with QueueServiceClient.from_connection_string(stack.connection_string) as queues:
        names = {queue.name for queue in queues.list_queues()}
    with TableServiceClient.from_connection_string(stack.connection_string) as tables:
        names |= {table.name for table in tables.list_tables()}
    read = {stack.env["REQUEST_QUEUE_NAME"], stack.env["JOB_COMPLETION_QUEUE_NAME"]}
    stored = {stack.env[name] for name in ("RESULT_QUEUE_NAME", "REQUEST_TABLE_NAME", "DEAD_LETTER_TABLE_NAME")}
    assert names >= read | {f"{name}-poison" for name in read} | stored


def test_a_killed_host_comes_back_where_it_was(stack: Stack) -> None:
    """A host that is killed and started again has the same address and still knows what it accepted."""
    request = {"clientRequestId": str(uuid.uuid4()), "jobId": "killed", "taskId": "task", "deleteAfter": "PT1H"}
    posted = requests.post(f"{stack.http_url}/api/task-deletions", json=request, timeout=PATIENCE)
    url = stack.http_url
    stack.kill_host()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/api/health", timeout=PATIENCE)
    assert not stack.host_running
    stack.start_host()
    assert stack.http_url == url
    known = requests.get(url + posted.headers["location"], timeout=PATIENCE)
    assert known.json()["state"] in {"accepted", "scheduled"}


def test_each_part_has_a_log(stack: Stack) -> None:
    """Each part of the stack writes a log file that can be read while it runs."""
    assert {path.name for path in stack.logs.iterdir()} == {"azurite.log", "batch.log", "host.log", "identity.log"}


def test_the_core_tools_host_is_up_when_its_routes_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the Core Tools, the host counts as started when its routes answer, even without any log line."""
    tool = tmp_path / "func"  # plays the real one, silently
    own = f'"{sys.executable}" -m devstack.host --app . --settings {os.devnull} --quiet'
    tool.write_text(f'#!/bin/sh\n[ "$1 $2" = "start --port" ] && exec {own} --port "$3" > {os.devnull}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with Stack(ROOT, core_tools=True) as stack:
        assert requests.get(f"{stack.http_url}/api/health", timeout=PATIENCE).status_code == 200
        stack.stop_host()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{stack.http_url}/api/health", timeout=PATIENCE)


def test_an_app_that_cannot_start_takes_everything_down(tmp_path: Path) -> None:
    """If the app cannot start, the error quotes the host and all parts of the stack are stopped."""
    (tmp_path / "host.json").write_text(json.dumps({"extensions": {"queues": {"messageEncoding": "none"}}}))
    (tmp_path / "function_app.py").write_text("raise RuntimeError('no such app')\n")
    stack = Stack(tmp_path)
    with pytest.raises(ProgramFailed, match=r"(?s)host ended with code 1 before it was ready.*no such app"):
        stack.__enter__()
    for url in (stack.batch_url, stack.identity_url, stack.azurite.queue_url):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)).close()
    assert not stack.logs.exists()

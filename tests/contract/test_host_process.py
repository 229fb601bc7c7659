"""The local host as a process: how it starts, what it says, and how it ends."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
import requests

from tests.contract.host_process import HostProcess, eventually
from tests.contract.test_host_http import SETTINGS

pytestmark = pytest.mark.xdist_group("host_process")


def test_sigterm_lets_a_request_in_flight_have_its_answer(tmp_path: Path) -> None:
    """The exit code is 0."""
    with HostProcess(tmp_path, SETTINGS, "--quiet") as host:
        replies: list[int] = []
        client = threading.Thread(
            target=lambda: replies.append(requests.get(f"{host.url}/api/waiting", timeout=180).status_code)
        )
        client.start()
        eventually(lambda: {"route": "waiting"} in host.attempts(), "the request")
        host.signal(signal.SIGTERM)
        host.open_gate()
        assert host.wait() == 0
        client.join()
        assert replies == [200]
        assert "executed" not in host.log(), "--quiet silences the lines of single invocations"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import azure.functions as func\napp = func.FunctionApp()\n@app.route('x')\ndef f(): ...\n", "function f: "),
        ("raise RuntimeError('no such setting')\n", "no such setting"),
    ],
)
def test_an_app_that_cannot_be_loaded_keeps_the_host_from_starting(tmp_path: Path, source: str, reason: str) -> None:
    """Exit code 1 and the reason; a host that starts without half of its functions would hide it."""
    host = HostProcess(tmp_path, SETTINGS)
    (tmp_path / "function_app.py").write_text(source)
    host.launch()
    assert host.wait() == 1
    assert "host cannot start: " in host.log()
    assert reason in host.log()


def test_each_invocation_is_logged_with_its_id_and_duration(tmp_path: Path) -> None:
    """One line at its start and one at its end."""
    with HostProcess(tmp_path, SETTINGS) as host:
        requests.get(f"{host.url}/api/things/1", timeout=180)
        lines = [line for line in host.log().splitlines() if "function=things" in line]
    assert "executing function=things invocation_id=" in lines[0]
    assert "executed function=things invocation_id=" in lines[1]
    assert "duration_ms=" in lines[1]
    assert lines[1].endswith("result=succeeded")

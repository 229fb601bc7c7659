"""The Functions host as a process: how it starts, and what becomes of running work when host or worker ends."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import requests

from devstack.azurite import Azurite
from tests.contract.host_process import HostProcess, eventually
from tests.contract.host_storage import Queues


@pytest.fixture
def settings(azurite: Azurite) -> dict[str, str]:
    """The app settings of a host for one test."""
    return Queues(azurite.connection_string).create().settings


class Caller:
    """A call to the waiting function, under way in a thread."""

    def __init__(self, host: HostProcess, gate: str = "gate") -> None:
        self._url = f"{host.url}/api/waiting?gate={gate}"
        self._status: int | None = None
        self._thread = threading.Thread(target=self._call)
        before = len(host.seen(route="waiting"))
        self._thread.start()
        host.wait_for(before + 1, route="waiting")

    def status(self) -> int | None:
        """The answer's status once it has arrived; None if the connection was cut."""
        self._thread.join()
        return self._status

    def _call(self) -> None:
        try:
            self._status = requests.get(self._url, timeout=600).status_code
        except requests.RequestException:
            self._status = None


def test_sigterm_refuses_new_calls_and_lets_those_in_hand_have_their_answers(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """On SIGTERM the host refuses new calls, answers those in progress, and ends with code 0."""
    with HostProcess(tmp_path, settings) as host:
        caller = Caller(host)
        host.terminate()
        eventually(lambda: _refuses(host), "the refusal")
        host.open_gate()
        assert host.wait() == 0
        assert caller.status() == 200


def test_sigterm_gives_work_in_hand_a_limited_time(settings: dict[str, str], tmp_path: Path) -> None:
    """On SIGTERM the host waits a limited time for running calls, then kills the worker and ends with 0."""
    with HostProcess(tmp_path, settings, drain_seconds=1) as host:
        caller = Caller(host)
        host.terminate()
        assert host.wait() == 0
        assert caller.status() != 200


def test_a_function_past_its_time_takes_the_others_of_its_process_with_it(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """A function past its time limit ends its process and the calls in it; later calls run in a new process."""
    with HostProcess(tmp_path, settings, timeout="00:00:05", drain_seconds=1) as host:
        late = Caller(host)
        eventually(_after(2), "a part of its time")
        victim = Caller(host)
        assert (late.status(), victim.status()) == (500, 500)
        host.open_gate()
        assert requests.get(f"{host.url}/api/waiting", timeout=180).status_code == 200


def test_a_call_that_ends_while_another_has_run_out_of_time_has_its_answer(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """A call that ends soon after another one in its process timed out still gets its answer."""
    with HostProcess(tmp_path, settings, timeout="00:00:05", drain_seconds=10) as host:
        late = Caller(host)
        eventually(_after(3), "a part of its time")
        other = Caller(host, "other")
        eventually(_after(3), "the end of its time")
        host.open_gate("other")
        assert (late.status(), other.status()) == (500, 200)


def test_a_worker_that_exits_fails_what_it_had_and_the_third_exit_ends_the_host(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """A worker that exits fails all calls in it and is replaced; the third exit ends the host."""
    with HostProcess(tmp_path, settings) as host:
        caller = Caller(host)
        assert requests.get(f"{host.url}/api/leaving", timeout=180).status_code == 500
        assert caller.status() == 500
        assert requests.get(f"{host.url}/api/things/1", timeout=180).status_code == 202
        assert requests.get(f"{host.url}/api/leaving", timeout=180).status_code == 500
        with contextlib.suppress(requests.RequestException):  # the host may be gone before it answers
            requests.get(f"{host.url}/api/leaving", timeout=180)
        assert host.wait() == (0 if HostProcess.real else 1)


def test_a_timer_fires_by_its_schedule_and_makes_up_for_a_tick_that_it_missed(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """A timer fires on schedule; a tick missed during a long run fires right after it."""
    (tmp_path / "hold").touch()
    with HostProcess(tmp_path, {**settings, "SCHEDULE": "*/4 * * * * *"}) as host:
        (first,) = host.wait_for(late=False)
        held_until = datetime.fromisoformat(first["status"]["Next"]).timestamp() + 6
        eventually(lambda: time.time() > held_until, "the end of the hold")
        (tmp_path / "hold").unlink()
        host.open_gate("tick")
        _, second = host.wait_for(2, late=False)[:2]
    assert datetime.fromisoformat(second["status"]["Next"]).timestamp() < held_until
    assert first["status"].keys() >= {"Last", "Next", "LastUpdated"}


@pytest.mark.local_host
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import azure.functions as func\napp = func.FunctionApp()\n@app.route('x')\ndef f(): ...\n", "function f: "),
        ("raise RuntimeError('no such setting')\n", "no such setting"),
        ("import os\nos._exit(7)\n", "ended with code 7"),
    ],
)
def test_an_app_that_cannot_be_loaded_keeps_the_host_from_starting(
    settings: dict[str, str], tmp_path: Path, source: str, reason: str
) -> None:
    """If the app cannot be loaded, the local host ends with code 1 and the reason."""
    host = HostProcess(tmp_path, settings)
    (tmp_path / "function_app.py").write_text(source)
    with contextlib.closing(host):
        host.launch()
        assert host.wait() == 1
        assert "host cannot start: " in host.log()
        assert reason in host.log()


@pytest.mark.local_host
def test_each_invocation_is_logged_with_its_id_and_duration(settings: dict[str, str], tmp_path: Path) -> None:
    """The local host logs the start and end of each invocation, with its id and duration; not with --quiet."""
    with HostProcess(tmp_path, settings) as host:
        requests.get(f"{host.url}/api/things/1", timeout=180)
        lines = [line for line in host.log().splitlines() if "function=things" in line]
    assert "executing function=things invocation_id=" in lines[0]
    assert "executed function=things invocation_id=" in lines[1]
    assert "duration_ms=" in lines[1]
    assert lines[1].endswith("result=succeeded")
    (tmp_path / "host.log").unlink()
    with HostProcess(tmp_path, settings, "--quiet") as host:
        requests.get(f"{host.url}/api/things/1", timeout=180)
        assert "executed" not in host.log()


def _refuses(host: HostProcess) -> bool:
    try:
        requests.get(f"{host.url}/admin/host/ping", timeout=180)
    except requests.ConnectionError:
        return True
    return False


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end

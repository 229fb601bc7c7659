"""Ctrl-C and SIGTERM, at any moment of a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from devstack.http1 import Answer
from tests.contract.cli.command import SOURCES, environment, program
from tests.contract.cli.played_app import Call, PlayedApp, answer, never

SLOW_IMPORT = """
import os, pathlib, time
pathlib.Path(os.environ["REACHED"]).touch()
time.sleep(30)
"""


def signalled(process: subprocess.Popen[bytes], number: int) -> tuple[int, str, str]:
    """Sends a signal; returns the exit code as a shell reports it, and both outputs."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    code = process.returncode
    return 128 - code if code < 0 else code, out.decode(), err.decode()


def begun(arguments: list[str], **env: str) -> subprocess.Popen[bytes]:
    """Starts the command in a separate process, without a terminal."""
    return subprocess.Popen(
        arguments,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("library", ["typer", "rich", "requests"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_program_loads_is_quiet(tmp_path: Path, library: str, number: int, code: int) -> None:
    """A signal while the program is still loading ends it without any output or traceback."""
    (tmp_path / f"{library}.py").write_text(SLOW_IMPORT)
    reached = tmp_path / "reached"
    start = [sys.executable, "-c", "import batch_task_deletion.entry as e; e.script()", "health"]
    path = os.pathsep.join((str(tmp_path), str(SOURCES)))
    with begun(start, REACHED=str(reached), PYTHONPATH=path) as process:
        wait_for(reached.exists)
        assert signalled(process, number) == (code, "", "")


def test_sigterm_says_what_was_sent_and_what_continues(app: PlayedApp, tmp_path: Path) -> None:
    """SIGTERM in the middle of a file ends with 143 and the same lines as Ctrl-C: what was sent, how to continue."""
    path = tmp_path / "tasks.txt"
    path.write_text("".join(f"t{n}\n" for n in range(3000)))
    reached, released = threading.Event(), threading.Event()

    def second_hangs(call: Call) -> Answer:
        if len(app.calls) == 2:
            reached.set()
            released.wait(60)
        return app._bulk(call.body)

    app.routes["POST /task-deletions"] = second_hangs
    with begun(program("delete", "--file", str(path), "--job", "j"), url=app.url) as process:
        assert reached.wait(60)
        code, _, said = signalled(process, signal.SIGTERM)
        released.set()
    assert code == 143
    assert said.splitlines() == [
        "terminated",
        "sent: 1,000 of 3,000 requests, up to line 1,000; 1,000 more may have arrived",
        "to continue, run the same command; nothing is deleted twice:",
        f"  batch-task-deletion delete --file {path} --job j",
    ]


def test_sigterm_while_waiting_ends_it_at_once(app: PlayedApp) -> None:
    """SIGTERM while waiting ends the command at once, without waiting for calls in other threads."""
    app.outcome = never
    with begun(program("delete", "j", "a", "b", "--wait"), url=app.url) as process:
        wait_for(lambda: app.lines("GET"))
        code, _, said = signalled(process, signal.SIGTERM)
    assert code == 143
    assert f"watch {' '.join(app.effects)}" in said


def test_a_signal_that_the_caller_ignores_stays_ignored(app: PlayedApp) -> None:
    """Signals that the parent process ignores, as `nohup` does, stay ignored: the command runs to its end."""
    sent = threading.Event()

    def late(_: Call) -> Answer:
        sent.wait(60)
        return answer(200, {"at": "x"})

    app.routes["GET /operations/summary"] = late
    ignoring = ["sh", "-c", 'trap "" INT TERM; exec "$@"', "sh", *program("summary", "--json")]
    with begun(ignoring, url=app.url) as process:
        wait_for(lambda: app.calls)
        process.send_signal(signal.SIGINT)
        threading.Timer(0.5, sent.set).start()
        assert signalled(process, signal.SIGTERM) == (0, '{"at":"x"}\n', "")


def wait_for(holds: object) -> None:
    """Waits until another process or thread has made a condition true."""
    deadline = time.monotonic() + 60
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)

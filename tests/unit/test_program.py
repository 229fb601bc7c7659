"""A child process of the local stack: started, waited for, and never left behind."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.program import Program, ProgramFailed

StartProgram = Callable[[str], Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartProgram]:
    """Starts a few lines of Python as a program, and ends it after the test."""
    started: list[Program] = []

    def _start(code: str) -> Program:
        program = Program("the part", [sys.executable, "-uc", code], log=tmp_path / "part.log", env=os.environ)
        started.append(program)
        program.start()
        return program

    yield _start
    for program in started:
        program.kill()


def test_ready_is_what_the_pattern_finds(start: StartProgram) -> None:
    """Waiting for a program returns the match in its output, such as the port it chose."""
    program = start("print('ready on 4711'); import time; time.sleep(60)")
    assert program.wait_for(r"ready on (\d+)", 15)[1] == "4711"
    assert program.running


def test_an_end_before_ready_shows_the_output(start: StartProgram) -> None:
    """If a program ends before it is ready, the error shows its exit code and output."""
    program = start("print('no port left'); raise SystemExit(3)")
    with pytest.raises(ProgramFailed, match=r"(?s)the part ended with code 3 before it was ready.*no port left"):
        program.wait_for("ready", 15)


def test_silence_is_an_error_too(start: StartProgram) -> None:
    """A program that is not ready within its time raises ProgramFailed."""
    program = start("import time; time.sleep(60)")
    with pytest.raises(ProgramFailed, match=r"was not ready within 0\.1 s"):
        program.wait_for("ready", 0.1)


def test_stop_ends_a_program_that_refuses(start: StartProgram) -> None:
    """A program that ignores SIGTERM is ended by SIGKILL."""
    program = start("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)")
    program.wait_for("deaf", 15)
    program.stop(0.1)
    assert not program.running


def test_kill_takes_what_the_program_started(start: StartProgram) -> None:
    """Killing a program also kills the processes that it started."""
    child = "import time; time.sleep(60)"
    code = f"import subprocess, sys, time; print('child', subprocess.Popen([sys.executable, '-c', {child!r}]).pid, '.'); time.sleep(60)"
    program = start(code)
    child_id = int(program.wait_for(r"child (\d+) \.", 15)[1])
    program.kill()
    assert _ended(child_id)


def test_output_counts_from_the_latest_start(start: StartProgram) -> None:
    """After a restart, only output since then counts, while the log keeps all of it."""
    program = start("print('ready')")
    program.wait_for("ready", 15)
    program.stop()
    program.command[-1] = "print('not yet')"
    program.start()
    program.wait_for("not yet", 15)
    assert "ready" not in program.output()
    assert program.log.read_text() == "ready\nnot yet\n"


def _ended(process_id: int, seconds: float = 10) -> bool:
    """Whether a process is gone, or a zombie that its parent has not collected yet."""
    status = Path(f"/proc/{process_id}/stat")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if status.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False

"""Runs one program of the local stack as a child process: starts it, waits for it, stops it, never leaves it behind."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

POLL_SECONDS = 0.02
SHOWN_CHARACTERS = 4000
"""How much of the end of a log an error shows."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ProgramFailed(Exception):
    """Raised when a program ended or did not become ready; the text ends with its output."""


class Program:
    """A command whose output goes to a log file, which also tells when it is ready."""

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.env = dict(env)
        self.cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id. Raises ProgramFailed if it is not running."""
        if self._process is None:
            raise ProgramFailed(f"{self.name} does not run")
        return self._process.pid

    def start(self) -> None:
        """Starts the program; its output is added to what the log file holds already."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C reaches the launcher alone, which then stops its parts in order.
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 -- the stack starts its parts from one thread
            )

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        """The first match in what the program has written since its start. Raises ProgramFailed."""
        return self.wait_until(lambda: re.search(pattern, self.output()), seconds)

    def wait_until(self, look: Callable[[], Found | None], seconds: float) -> Found:
        """What `look` finds, once it finds something, which means that the program is ready. Raises ProgramFailed."""
        deadline = time.monotonic() + seconds
        while True:
            ended = not self.running
            if found := look():
                return found
            if ended:
                raise ProgramFailed(self._complaint(f"ended with code {self._code()} before it was ready"))
            if time.monotonic() > deadline:
                raise ProgramFailed(self._complaint(f"was not ready within {seconds:g} s"))
            time.sleep(POLL_SECONDS)

    def output(self) -> str:
        """The output since the program's start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    def stop(self, seconds: float = 15) -> None:
        """Asks the program to end, and kills it if it does not within `seconds`."""
        if self.running and self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self.kill()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the program alone."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """The exit code, once it has ended. Raises TimeoutExpired."""
        if self._process is None:
            raise RuntimeError(f"{self.name} does not run")
        return self._process.wait(seconds)

    def kill(self) -> None:
        """Kills the program and all that it started, without warning."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _code(self) -> int | None:
        return self._process.returncode if self._process else None

    def _complaint(self, what: str) -> str:
        return f"{self.name} {what}; the end of its output:\n{self.output()[-SHOWN_CHARACTERS:].strip() or '(none)'}"


def _end_with_parent() -> None:
    """Has the kernel end the child if the launcher dies before it can stop it, as a killed test run does."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

"""Runs the local Functions host as a process of its own, with a sample app, for the tests of this tier."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

REPOSITORY = Path(__file__).parents[2]
SAMPLE = Path(__file__).with_name("host_sample_app.py")
_SECONDS = 300.0

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], what: str) -> Found:
    """What `look` finds once it finds something; fails the test when that takes too long."""
    end = time.monotonic() + _SECONDS
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not within {_SECONDS} s"
        time.sleep(0.05)
    return found


class HostProcess:
    """One host with the sample app in a directory of its own; ends with the `with` block."""

    def __init__(
        self, directory: Path, settings: Mapping[str, str], *options: str, queues: Mapping[str, Any] | None = None
    ) -> None:
        """Prepares the directory; `queues` are the queue options of host.json."""
        self.directory = directory
        self._options = options
        self._environment = {**os.environ, "STATE": str(directory), **settings}
        shutil.copy(SAMPLE, directory / "function_app.py")
        document = {"version": "2.0", "extensions": {"queues": dict(queues or {})}, "functionTimeout": "00:00:30"}
        (directory / "host.json").write_text(json.dumps(document))
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self.wait()

    def start(self) -> None:
        """Starts the host and returns when it is ready."""
        self.launch()
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("host ready http://127.0.0.1:"), self.log()
        self.url = line.split()[2]

    def launch(self) -> None:
        """Starts the host without waiting for it."""
        command = [sys.executable, "-m", "devstack.host", "--app", str(self.directory), "--port", "0", *self._options]
        with (self.directory / "host.log").open("a") as log:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once the host has ended."""
        assert self._process is not None
        code = self._process.wait(_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def log(self) -> str:
        """What the host has logged."""
        return (self.directory / "host.log").read_text()

    def attempts(self) -> list[dict[str, Any]]:
        """What each invocation of the sample's queue functions saw, in order."""
        path = self.directory / "attempts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for_attempts(self, count: int) -> list[dict[str, Any]]:
        """The attempts, once there are as many."""

        def enough() -> list[dict[str, Any]]:
            found = self.attempts()
            return found if len(found) >= count else []

        return eventually(enough, f"{count} attempts")

    def open_gate(self) -> None:
        """Lets the sample's waiting functions go on."""
        (self.directory / "gate").touch()

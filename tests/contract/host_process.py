"""Runs a Functions host with the sample app, for the host tests: the local host, or `func` with `--func`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from devstack import core_tools
from devstack.program import Program
from devstack.stack_settings import free_port

REPOSITORY = Path(__file__).parents[2]
SAMPLE = Path(__file__).with_name("host_sample_app.py")
BUNDLE = {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}
NEVER = "0 0 3 1 1 *"
"""A schedule that is not met while a test runs."""

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], what: str) -> Found:
    """Calls `look` until it returns something, and returns that; fails the test if it takes too long."""
    seconds = 1500.0 if HostProcess.real else 300.0
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)
    return found


class HostProcess:
    """A host process with the sample app in a directory; the `with` block ends it."""

    real: ClassVar[bool] = False
    """Whether hosts are `func` of the Core Tools, whose leases and drains are fixed."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str],
        *options: str,
        queues: Mapping[str, Any] | None = None,
        timeout: str = "00:05:00",
        lease_seconds: float = 600,
        drain_seconds: float = 10,
    ) -> None:
        """Prepares the directory; `queues` are the queue options of host.json, `options` the local host's own."""
        self.directory = directory
        self.lease_seconds = 600 if self.real else lease_seconds
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        shutil.copy(SAMPLE, directory / "function_app.py")
        document = {
            "version": "2.0",
            "functionTimeout": timeout,
            "extensions": {"queues": {"messageEncoding": "none", **(queues or {})}},
            "extensionBundle": BUNDLE,
        }
        (directory / "host.json").write_text(f"// As people write it.\n{json.dumps(document)}")
        own = [*("--app", str(directory), "--port", str(port), "--lease-seconds", str(lease_seconds)), *options]
        local = [sys.executable, "-m", "devstack.host", *own, "--drain-seconds", str(drain_seconds)]
        env = {**os.environ, "FUNCTIONS_WORKER_RUNTIME": "python", "STATE": str(directory), "SCHEDULE": NEVER}
        self._program = Program(
            "host",
            core_tools.command(port) if self.real else local,
            log=directory / "host.log",
            env={**env, **settings},
            cwd=directory if self.real else REPOSITORY,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts the host and returns when it is ready."""
        self.launch()
        if self.real:
            core_tools.wait_until_up(self._program, self.url, "/api/things/1", 600)
        else:
            self._program.wait_for(rf"(?m)^host ready {self.url}$", 300)

    def launch(self) -> None:
        """Starts the host without waiting for it."""
        core_tools.write_settings(self.directory)
        self._program.start()

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self._program.signal(signal.SIGTERM)

    def close(self) -> None:
        """Kills the host and its worker, whatever they are doing."""
        self._program.kill()

    def wait(self) -> int:
        """The exit code, once the host has ended."""
        return self._program.wait(1500 if self.real else 300)

    def log(self) -> str:
        """What the host has logged."""
        return (self.directory / "host.log").read_text(errors="replace")

    def has_failed(self) -> bool:
        """Whether the log reports a failed invocation, in the format of either host."""
        return "result=failed" in self.log() or "(Failed, Id=" in self.log()

    def attempts(self) -> list[dict[str, Any]]:
        """What each invocation of the sample app's functions recorded, in order."""
        path = self.directory / "attempts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def seen(self, **values: object) -> list[dict[str, Any]]:
        """The recorded invocations with these values."""
        return [attempt for attempt in self.attempts() if values.items() <= attempt.items()]

    def wait_for(self, count: int = 1, **values: object) -> list[dict[str, Any]]:
        """Waits until at least so many invocations with these values are recorded, and returns them."""

        def enough() -> list[dict[str, Any]]:
            found = self.seen(**values)
            return found if len(found) >= count else []

        return eventually(enough, f"{count} attempts with {values}")

    def open_gate(self, name: str = "gate") -> None:
        """Lets the sample app's waiting functions continue."""
        (self.directory / name).touch()

"""The whole local stack: storage, identity, a Batch account, and the Functions host with the app."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack import core_tools
from devstack.azurite import Azurite
from devstack.program import Program, ProgramFailed
from devstack.stack_settings import Ports, app_settings, free_port, inherited_environment
from devstack.storage_layout import create_queues_and_tables

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 600
STOP_SECONDS = 45
"""Longer than the ten seconds that a host gives to running work, and the 25 that the real host was seen to take."""

_URL = r"http://127\.0\.0\.1:\d+"


class Stack:
    """Runs `app_dir` on the local stack, as a context manager.

    `env` adds to the app's settings, or replaces some.
    `lease_seconds` is how long a message stays invisible once the host has it; ten minutes in the cloud.
    `azurite` is the emulator to start, if not the usual one.
    `core_tools` runs the app in `func` of the Azure Functions Core Tools in place of our host.
    `logs` is where each part's output goes; by default a temporary folder that is removed at the end.
    Start it from a thread that outlives it: the kernel ends the parts together with that thread.
    """

    def __init__(
        self,
        app_dir: Path,
        *,
        ports: Ports | None = None,
        lease_seconds: float = 600,
        env: Mapping[str, str] | None = None,
        logs: Path | None = None,
        host_options: Sequence[str] = (),
        azurite: Azurite | None = None,
        core_tools: bool = False,
    ) -> None:
        self.env: dict[str, str] = {}
        """The app's settings, once the stack is up."""
        self.http_url = self.batch_url = self.identity_url = ""
        self._app_dir = app_dir.resolve()
        self._chosen = dict(env or {})
        self._ports = ports or Ports()
        self._host_options = ["--lease-seconds", str(lease_seconds), *host_options]
        self._core_tools = core_tools
        self._cleanup = ExitStack()
        self.logs = logs or self._temporary_folder()
        self.azurite = azurite or Azurite(ports=self._ports.storage, log=self.logs / "azurite.log")
        self._host: Program | None = None

    @property
    def connection_string(self) -> str:
        return self.azurite.connection_string

    @property
    def host_running(self) -> bool:
        """False after `kill_host`, and when the host ended by itself."""
        return self._host is not None and self._host.running

    @property
    def host_pid(self) -> int:
        """The process of the host, whose children run the app."""
        if self._host is None:
            raise ProgramFailed("the host was not started")
        return self._host.pid

    def __enter__(self) -> Self:
        """Returns when everything accepts requests. Raises ProgramFailed or InstallFailed, after stopping what was started."""
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._cleanup.close()

    def start_host(self) -> None:
        """Starts the host and returns when it is ready; after a stop or a kill, on the same port."""
        if self._host is None:
            self._host = self._core_tools_host() if self._core_tools else self._own_host()
        self._host.start()
        if self._core_tools:
            core_tools.wait_until_up(self._host, self.http_url, "/api/openapi.json", START_SECONDS)
        else:
            self.http_url = self._host.wait_for(rf"(?m)^host ready ({_URL})$", START_SECONDS)[1]
            self._host.command[-1] = self.http_url.rpartition(":")[2]

    def stop_host(self) -> None:
        """Stops the host with SIGTERM; it first finishes what it can of its running work."""
        if self._host is not None:
            self._host.stop(STOP_SECONDS)

    def kill_host(self) -> None:
        """Ends the host with SIGKILL, whatever it is doing."""
        if self._host is not None:
            self._host.kill()

    def _start(self) -> None:
        batch = self._server("devstack.batch", self._ports.batch)
        identity = self._server("devstack.identity", self._ports.identity)
        self._cleanup.enter_context(self.azurite)
        self.batch_url = batch.wait_for(rf"(?m)^{_URL}$", START_SECONDS)[0]
        self.identity_url = identity.wait_for(rf"(?m)^{_URL}$", START_SECONDS)[0]
        self.env = app_settings(self.connection_string, self.batch_url, self.identity_url, self._chosen)
        create_queues_and_tables(self.connection_string, self.env)
        self.start_host()

    def _server(self, module: str, port: int) -> Program:
        program = self._program(module.rpartition(".")[2], [sys.executable, "-m", module, "--port", str(port)])
        program.start()
        return program

    def _own_host(self) -> Program:
        # No settings file: a developer's local.settings.json must not influence the stack.
        options = ["--app", str(self._app_dir), "--settings", os.devnull, *self._host_options]
        command = [sys.executable, "-m", "devstack.host", *options, "--port", str(self._ports.http)]
        return self._program("host", command)

    def _core_tools_host(self) -> Program:
        port = self._ports.http or free_port()
        self.http_url = f"http://127.0.0.1:{port}"
        return self._program("func", core_tools.command(port), self._app_dir)

    def _program(self, name: str, command: Sequence[str], cwd: Path = ROOT) -> Program:
        env = {**inherited_environment(), **self.env}
        program = Program(name, command, log=self.logs / f"{name}.log", env=env, cwd=cwd)
        self._cleanup.callback(program.stop, STOP_SECONDS)
        return program

    def _temporary_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="stack-"))
        self._cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

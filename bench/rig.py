"""The stack of a measurement: a fresh emulator, an identity endpoint, the Batch stub and one or more hosts."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from bench.batch_stub import BatchStub
from bench.processes import app_cpu_seconds, cpu_seconds, memory_mib
from devstack.azurite import Azurite
from devstack.program import Program
from devstack.stack_settings import app_settings, inherited_environment
from devstack.storage_layout import create_queues_and_tables

ROOT = Path(__file__).resolve().parents[1]
APP, RIVAL, FLOOR = ROOT, ROOT / "bench" / "rival_app", ROOT / "bench" / "floor_app"
NO_COLLECTOR = ROOT / "bench" / "no_garbage_collection.js"
PAUSED = {
    f"AzureWebJobs.{function}.Disabled": "true"
    for function in ("delete_tasks", "end_poisoned_requests", "clean_up_job", "end_poisoned_clean_ups")
}
"""Settings that pause the queue functions."""
LATENCY_MS = 20.0
"""The simulated latency of a DELETE in the end-to-end measurements."""
START_SECONDS = 300
WARM_CALLS = 300
_URL = r"(?m)^http://127\.0\.0\.1:\d+$"


class Rig:
    """The stack of one round, as a context manager; the emulator is new, because it gets slower with all it ever held.

    `env` adds to the app's settings, `host_env` to those of each host by its number.
    `log_requests` lets operations be counted, at some cost in the emulator.
    """

    def __init__(
        self,
        app_dir: Path | None = APP,
        *,
        hosts: int = 1,
        env: Mapping[str, str] | None = None,
        latency_ms: float = LATENCY_MS,
        log_requests: bool = False,
    ) -> None:
        self.env: dict[str, str] = {}
        self.hosts: list[Program] = []
        self.urls: list[str] = []
        self._app_dir = app_dir
        self._wanted_hosts = hosts if app_dir else 0
        self._chosen = dict(env or {})
        self._cleanup = ExitStack()
        self.logs = Path(tempfile.mkdtemp(prefix="bench-"))
        self._cleanup.callback(shutil.rmtree, self.logs, ignore_errors=True)
        self.azurite = Azurite(log=self.logs / "azurite.log", log_requests=log_requests, preload=NO_COLLECTOR)
        self.stub = BatchStub(latency_ms=latency_ms, logs=self.logs)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._cleanup.close()

    @property
    def connection_string(self) -> str:
        return self.azurite.connection_string

    @property
    def api(self) -> str:
        """Base URL of the first host's calls."""
        return f"{self.urls[0]}/api"

    def queues(self) -> QueueServiceClient:
        """A client of the emulator's queues."""
        return QueueServiceClient.from_connection_string(self.connection_string)

    def tables(self) -> TableServiceClient:
        """A client of the emulator's tables."""
        return TableServiceClient.from_connection_string(self.connection_string)

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far: hosts with the app in them, the app alone, the emulator, the stub."""
        return {
            "host": sum(cpu_seconds(host.pid) for host in self.hosts),
            "app": sum(app_cpu_seconds(host.pid) for host in self.hosts),
            "emulator": cpu_seconds(self.azurite.pid),
            "stub": self.stub.cpu_seconds(),
        }

    def memory_mib(self, field: str = "VmRSS") -> float:
        """The memory of all hosts."""
        return sum(memory_mib(host.pid, field) for host in self.hosts)

    def emulator_log(self) -> list[str]:
        """The emulator's log, with a line for each request if `log_requests` is set."""
        return (self.logs / "azurite.log").read_text(errors="replace").splitlines()

    def _start(self) -> None:
        identity = self._program("identity", [sys.executable, "-m", "devstack.identity", "--port", "0"], {})
        identity.start()
        self._cleanup.enter_context(self.azurite)
        self._cleanup.enter_context(self.stub)
        identity_url = identity.wait_for(_URL, START_SECONDS)[0]
        self.env = app_settings(self.connection_string, self.stub.url, identity_url, self._chosen)
        create_queues_and_tables(self.connection_string, self.env)
        self._warm()
        for number in range(self._wanted_hosts):
            self._start_host(number)

    def _start_host(self, number: int) -> None:
        options = ["--app", str(self._app_dir), "--settings", os.devnull, "--port", "0", "--quiet"]
        command = [sys.executable, "-m", "devstack.host", *options]
        host = self._program(f"host-{number}", command, self.env)
        host.start()
        self.urls.append(host.wait_for(r"(?m)^host ready (\S+)$", START_SECONDS)[1])
        self.hosts.append(host)

    def _warm(self) -> None:
        """Warms up the emulator, which at first costs two or three times as much as after some hundred requests."""
        with self.queues() as queues, self.tables() as tables:
            queue, table = queues.create_queue("warm"), tables.create_table("warm")
            for number in range(WARM_CALLS):
                table.create_entity({"PartitionKey": "p", "RowKey": str(number)})
                queue.send_message("warm")
            queue.clear_messages()
            queue.delete_queue()
            tables.delete_table("warm")

    def _program(self, name: str, command: list[str], env: Mapping[str, str]) -> Program:
        program = Program(
            name, command, log=self.logs / f"{name}.log", env={**inherited_environment(), **env}, cwd=ROOT
        )
        self._cleanup.callback(program.stop)
        return program

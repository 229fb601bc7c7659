"""A running Azurite and how to reach it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType

from devstack.azurite.install import ensure_installed
from devstack.program import Program, ProgramFailed

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and key of every emulator, published by Microsoft, worth nothing anywhere else.

https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key
"""

SERVICES = ("blob", "queue", "table")
START_SECONDS = 300


class Azurite:
    """The emulator on free ports of the loopback address, or on the given ones (blob, queue, table).

    Keeps everything in memory unless `in_memory` is false; then in `data_dir`, or a folder removed at the end.
    After a stop, `start` brings it back on the same ports.
    `log_requests` adds a line for each request to the log; Node loads `preload` before it.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        in_memory: bool = True,
        *,
        ports: tuple[int, int, int] = (0, 0, 0),
        log: Path | None = None,
        log_requests: bool = False,
        preload: Path | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._in_memory = in_memory
        self._ports = dict(zip(SERVICES, ports, strict=True))
        self._log = log
        self._log_requests = log_requests
        self._preload = preload
        self._workspace: Path | None = None
        self._program: Program | None = None

    def __enter__(self) -> Azurite:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={self._url('blob')};QueueEndpoint={self.queue_url};TableEndpoint={self.table_url};"
        )

    @property
    def queue_url(self) -> str:
        return self._url("queue")

    @property
    def table_url(self) -> str:
        return self._url("table")

    @property
    def pid(self) -> int:
        """The emulator's process id. Raises ProgramFailed if it is not running."""
        if self._program is None:
            raise ProgramFailed("Azurite does not run")
        return self._program.pid

    def start(self) -> None:
        """Returns when all services listen. Raises ProgramFailed or InstallFailed."""
        if self._workspace is None:
            self._workspace = Path(tempfile.mkdtemp(prefix="azurite-"))
        log = self._log or self._workspace / "azurite.log"
        self._program = Program("Azurite", self._command(self._workspace), log=log, env=os.environ, cwd=self._workspace)
        self._program.start()
        for service in SERVICES:
            ready = rf"Azurite {service.title()} service is successfully listening at http://127\.0\.0\.1:(\d+)"
            self._ports[service] = int(self._program.wait_for(ready, START_SECONDS)[1])

    def stop(self) -> None:
        """Ends the emulator; what it kept in memory is gone, what it kept in a folder stays until `close`."""
        if self._program is not None:
            self._program.stop()

    def freeze(self) -> None:
        """Suspends the process, so that calls under way stay unanswered until `thaw`."""
        if self._program is not None:
            self._program.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets the process continue."""
        if self._program is not None:
            self._program.signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends the emulator for good and removes its files, except those in the caller's `data_dir`."""
        self.stop()
        if self._workspace is not None:
            shutil.rmtree(self._workspace, ignore_errors=True)
            self._workspace = None

    def _command(self, workspace: Path) -> list[str]:
        ports = [part for service in SERVICES for part in (f"--{service}Port", str(self._ports[service]))]
        keeping = ["--inMemoryPersistence"] if self._in_memory else ["--location", str(self._data_dir or workspace)]
        quiet = [] if self._log_requests else ["--silent"]
        node, script = ensure_installed()
        first = ["--require", str(self._preload)] if self._preload else []
        # Every release of the storage libraries sends a service version that Azurite does not know yet.
        return [node, *first, script, *ports, *keeping, "--skipApiVersionCheck", "--disableTelemetry", *quiet]

    def _url(self, service: str) -> str:
        return f"http://127.0.0.1:{self._ports[service]}/{ACCOUNT}"

"""The host's half of the worker: starts the process with the app's code, replaces it, and ends it."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from multiprocessing.connection import Connection
from pathlib import Path

from devstack.host.bindings import IndexedFunction
from devstack.host.errors import AttemptFailed, StartUpFailed, WorkerEnded
from devstack.host.exchange import Done, Failed, Indexed, Invocation, Refused

_log = logging.getLogger(__name__)
MOST_EXITS = 3
"""The exit with this number ends the host, as seen on the real one."""
_END_SECONDS = 10.0

Result = Future[Done | Failed]


class WorkerProcess:
    """One process with the app. Raises StartUpFailed when the app cannot be served."""

    def __init__(self, app_dir: Path, environment: Mapping[str, str], *, quiet: bool) -> None:
        mine, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "devstack.host.worker_process", "--app", str(app_dir)]
            self._process = subprocess.Popen(
                [*command, "--channel", str(theirs.fileno()), *(["--quiet"] if quiet else [])],
                env=environment,
                pass_fds=[theirs.fileno()],
            )
        self._socket = mine
        self._channel = Connection(os.dup(mine.fileno()))
        # Two locks: results must get in while a large invocation goes out, or both ends wait for each other.
        self._sending = threading.Lock()
        self._guard = threading.Lock()
        self._pending: dict[str, Result] = {}
        self.functions = self._announced()

    def _announced(self) -> tuple[IndexedFunction, ...]:
        try:
            told: Indexed | Refused = self._channel.recv()
        except (EOFError, OSError):
            told = Refused((f"the worker process ended with code {self._process.wait()}",))
        if isinstance(told, Refused):
            self.end()
            self._close()
            raise StartUpFailed(told.reasons)
        return told.functions

    @property
    def pending(self) -> list[Result]:
        """The invocations under way."""
        with self._guard:
            return list(self._pending.values())

    def send(self, invocation: Invocation) -> Result:
        """Starts an invocation; its future fails when the process ends before it."""
        future: Result = Future()
        with self._guard:
            self._pending[invocation.invocation_id] = future
        # A process that is gone is noticed by `listen`, and what is pending then failed.
        with self._sending, contextlib.suppress(OSError):
            self._channel.send(invocation)
        return future

    def listen(self) -> int:
        """Passes results on until the process ends; returns its exit code."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                invocation_id, result = self._channel.recv()
                with self._guard:
                    future = self._pending.pop(invocation_id)
                future.set_result(result)
        self._close()
        return self._process.wait()

    def fail_pending(self, reason: str) -> None:
        """Fails the invocations that can have no result any more."""
        for future in self.pending:
            future.set_exception(AttemptFailed(reason))

    def end(self) -> None:
        """Lets the process end by itself if nothing runs in it, and kills it otherwise."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kills the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()

    def _close(self) -> None:
        with self._sending:
            self._channel.close()
        self._socket.close()


class Worker:
    """The current process; a new one replaces each that ended. Its constructor raises StartUpFailed."""

    def __init__(self, start: Callable[[], WorkerProcess], drain_seconds: float) -> None:
        self._start = start
        self._drain_seconds = drain_seconds
        self._exits = 0
        self._ready = threading.Condition()
        self._stopping = threading.Event()
        self._on_fault: Callable[[BaseException], None] = lambda _: None
        self._current: WorkerProcess | None = start()
        self.functions = self._current.functions

    def watch(self, on_fault: Callable[[BaseException], None]) -> None:
        """Passes results on from now on; `on_fault` is called when processes end too often."""
        self._on_fault = on_fault
        with self._ready:
            self._watch(self._current)

    def run(self, invocation: Invocation) -> Result:
        """Starts an invocation, once a process accepts it."""
        with self._ready:
            self._ready.wait_for(lambda: self._current is not None or self._stopping.is_set())
            if self._current is None or self._stopping.is_set():
                raise AttemptFailed("the host is stopping")
            return self._current.send(invocation)

    def replace(self, process_of: Result) -> None:
        """After a function exceeded its time limit: its process accepts no more work, and has ten seconds for the rest.

        What is not done by then fails with it; the next process takes what was waiting.
        """
        with self._ready:
            old = self._current
            if old is None or process_of not in old.pending:
                return  # already replaced, because of another function's time limit
            self._current = None
        wait([future for future in old.pending if future is not process_of], self._drain_seconds)
        _log.error("worker process restarts: a function ran into its time limit")
        old.kill()

    def stop(self) -> None:
        """Ends the process, in which nothing may be running."""
        with self._ready:
            self._stopping.set()
            current, self._current = self._current, None
            self._ready.notify_all()
        if current is not None:
            current.end()

    def abandon(self) -> None:
        """Kills the process; its invocations have no result."""
        self._stopping.set()
        if self._current is not None:
            self._current.kill()

    def _watch(self, process: WorkerProcess | None) -> None:
        threading.Thread(target=self._follow, args=(process,), name="worker", daemon=True).start()

    def _follow(self, process: WorkerProcess) -> None:
        code = process.listen()
        with self._ready:
            if self._stopping.is_set():
                return
            exited = self._current is process
            self._current = None
        self._exits += exited
        process.fail_pending(f"the worker process ended with code {code}")
        try:
            if self._exits >= MOST_EXITS:
                raise WorkerEnded(f"the worker process ended {self._exits} times by itself, last with code {code}")  # noqa: TRY301
            successor = self._start()
        except (StartUpFailed, WorkerEnded) as error:
            self._on_fault(error)
            return
        with self._ready:
            if self._stopping.is_set():
                successor.kill()
                return
            self._current = successor
            self._watch(successor)
            self._ready.notify_all()

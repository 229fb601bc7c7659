"""The host's half of an invocation: run it within the time limit, send its outputs, write two log lines."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass
from typing import Protocol

from devstack.host.bindings import IndexedFunction
from devstack.host.errors import AttemptFailed
from devstack.host.exchange import Done, Failed, Invocation, Reply
from devstack.host.queue_registry import QueueRegistry
from devstack.host.worker import Result

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """The result of one invocation."""

    succeeded: bool
    reply: Reply | None = None
    """The response of an HTTP function."""


@dataclass(frozen=True)
class Renewal:
    """Something to do every `interval_seconds` while the function runs."""

    interval_seconds: float
    renew: Callable[[], None]


class Runner(Protocol):
    """What runs the app's code."""

    def run(self, invocation: Invocation) -> Result: ...

    def replace(self, process_of: Result) -> None: ...


class Invoker:
    """Runs invocations to their end; safe to use from many threads."""

    def __init__(self, worker: Runner, queues: QueueRegistry, timeout_seconds: float | None) -> None:
        self._worker = worker
        self._queues = queues
        self._timeout_seconds = timeout_seconds
        self._guard = threading.Lock()
        self.running = 0
        """How many invocations are under way."""

    def run(self, invocation: Invocation, renewal: Renewal | None = None) -> Attempt:
        """Runs the function and sends its outputs; a failure of any part is logged and returned, not raised."""
        with self._guard:
            self.running += 1
        try:
            return self._run(invocation, renewal)
        finally:
            with self._guard:
                self.running -= 1

    def _run(self, invocation: Invocation, renewal: Renewal | None) -> Attempt:
        name, invocation_id = invocation.function.name, invocation.invocation_id
        began = time.monotonic()
        _log.info("executing function=%s invocation_id=%s", name, invocation_id)
        try:
            result = self._wait(self._worker.run(invocation), began, renewal)
            if isinstance(result, Done):
                self._send(invocation.function, result)
        except Exception as error:  # noqa: BLE001 -- whatever went wrong fails the attempt alone
            result = Failed(type(error).__name__, str(error))
        ended = f"executed function={name} invocation_id={invocation_id} duration_ms={_milliseconds_since(began)}"
        if isinstance(result, Failed):
            _log.error("%s result=failed error=%s\n%s", ended, result.error, result.stack)
            return Attempt(succeeded=False)
        _log.info("%s result=succeeded", ended)
        return Attempt(succeeded=True, reply=result.reply)

    def _wait(self, running: Result, began: float, renewal: Renewal | None) -> Done | Failed:
        renew_at = began + renewal.interval_seconds if renewal else float("inf")
        end = began + self._timeout_seconds if self._timeout_seconds else float("inf")
        while not wait([running], _pause_until(min(renew_at, end))).done:
            if time.monotonic() >= end:
                self._worker.replace(running)
                raise AttemptFailed(f"timed out after {self._timeout_seconds} s (functionTimeout)")
            if renewal and time.monotonic() >= renew_at:
                renewal.renew()
                renew_at += renewal.interval_seconds
        return running.result()

    def _send(self, function: IndexedFunction, done: Done) -> None:
        """Sends one message after the other, each text unchanged: elements of a list are not parsed again."""
        for output in function.outputs:
            queue = self._queues.queue(output.connection, output.queue)
            for text in done.messages[output.name]:
                self._queues.put(queue, text)


def _pause_until(moment: float) -> float | None:
    return None if moment == float("inf") else max(0.0, moment - time.monotonic())


def _milliseconds_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)

"""The host's half of an invocation: run it, wait within the time limit, send its outputs, write two log lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass

from azure.functions.meta import Datum

from devstack.host.bindings import HttpOutput, IndexedFunction, QueueOutput
from devstack.host.errors import AttemptFailed
from devstack.host.output_messages import enqueued_bodies
from devstack.host.queue_registry import QueueRegistry
from devstack.host.worker import Invocation, Worker

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """How one invocation went."""

    succeeded: bool
    reply: Datum | None = None
    """What an HTTP function answered."""


@dataclass(frozen=True)
class Renewal:
    """Something to do every `interval_seconds` while the function runs."""

    interval_seconds: float
    renew: Callable[[], None]


class Invoker:
    """Runs invocations to their end; safe to use from many threads."""

    def __init__(self, worker: Worker, queues: QueueRegistry, timeout_seconds: float | None) -> None:
        self._worker = worker
        self._queues = queues
        self._timeout_seconds = timeout_seconds
        self.has_abandoned_work = False
        """True once a function ran into the time limit while its thread goes on."""

    def run(self, invocation: Invocation, renewal: Renewal | None = None) -> Attempt:
        """Runs the function and sends its outputs; a failure of any part is logged and returned, not raised."""
        name, invocation_id = invocation.function.name, invocation.invocation_id
        began = time.monotonic()
        _log.info("executing function=%s invocation_id=%s", name, invocation_id)
        try:
            values = self._wait(self._worker.start(invocation), began, renewal)
            reply = self._send(invocation.function, values)
        except BaseException as error:  # noqa: BLE001 -- whatever the app raises, SystemExit too, fails the attempt alone
            _log.error(
                "executed function=%s invocation_id=%s duration_ms=%d result=failed error=%s",
                *(name, invocation_id, _milliseconds_since(began), type(error).__name__),
                exc_info=error,
            )
            return Attempt(succeeded=False)
        _log.info(
            "executed function=%s invocation_id=%s duration_ms=%d result=succeeded",
            *(name, invocation_id, _milliseconds_since(began)),
        )
        return Attempt(succeeded=True, reply=reply)

    def _wait(self, running: Future[dict[str, Datum]], began: float, renewal: Renewal | None) -> dict[str, Datum]:
        renew_at = began + renewal.interval_seconds if renewal else float("inf")
        end = began + self._timeout_seconds if self._timeout_seconds else float("inf")
        while not wait([running], _pause_until(min(renew_at, end))).done:
            if time.monotonic() >= end:
                self.has_abandoned_work |= not running.cancel()
                raise AttemptFailed(f"timed out after {self._timeout_seconds} s (functionTimeout)")
            if renewal and time.monotonic() >= renew_at:
                renewal.renew()
                renew_at += renewal.interval_seconds
        return running.result()

    def _send(self, function: IndexedFunction, values: dict[str, Datum]) -> Datum | None:
        reply = None
        for output in function.outputs:
            value = values.get(output.name)
            if value is None:
                continue
            if isinstance(output, HttpOutput):
                reply = value
            else:
                self._send_messages(output, value)
        return reply

    def _send_messages(self, output: QueueOutput, value: Datum) -> None:
        queue = self._queues.queue(output.connection, output.queue)
        for body in enqueued_bodies(str(value.type), value.value):
            self._queues.put_body(queue, body)


def _pause_until(moment: float) -> float | None:
    return None if moment == float("inf") else max(0.0, moment - time.monotonic())


def _milliseconds_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)

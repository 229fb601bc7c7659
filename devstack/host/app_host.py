"""The whole host: starts everything that one app needs, and stops it in the right order."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from devstack.ending import Ending
from devstack.host.admin import AdminEndpoints
from devstack.host.app_settings import AppSettings
from devstack.host.bindings import QueueTrigger, TimerTrigger
from devstack.host.errors import StartUpFailed
from devstack.host.host_json import HostOptions, read_host_options
from devstack.host.http_functions import HttpFunctions, is_disabled
from devstack.host.invoker import Invoker
from devstack.host.keys import keys_from
from devstack.host.queue_delivery import DeliveryProcessor
from devstack.host.queue_listener import QueueListener
from devstack.host.queue_registry import QueueRegistry
from devstack.host.timers import Timer
from devstack.host.tracing import Tracing
from devstack.host.worker import Worker, WorkerProcess
from devstack.http1 import Answer, Incoming
from devstack.loopback import LoopbackServer
from shared.clock import SystemClock

_log = logging.getLogger(__name__)
_DEFAULT_BODY_LIMIT = 104_857_600  # ScriptConstants.DefaultMaxRequestBodySize of azure-functions-host
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class HostArguments:
    """The options of the command line."""

    app_dir: Path
    port: int = 0
    """The port to listen on; 0 for any free one."""
    lease_seconds: float = 600.0
    """How long a received message stays invisible; fixed at ten minutes in the real host."""
    drain_seconds: float = 10.0
    """How long running work may continue after SIGTERM, or after another function exceeded its time limit."""
    enable_auth: bool = False
    quiet: bool = False


class AppHost:
    """Serves one app from `start` to `stop`. The constructor raises StartUpFailed with every problem."""

    def __init__(self, arguments: HostArguments, settings: AppSettings, ending: Ending) -> None:
        self._arguments = arguments
        self._settings = settings
        self._ending = ending
        self.fault: BaseException | None = None
        """The error that ended the host, if it was not told to stop."""
        options = read_host_options(arguments.app_dir, settings)
        keys = keys_from(settings, required=arguments.enable_auth)
        self._worker = Worker(self._start_worker, arguments.drain_seconds)
        functions = self._worker.functions
        try:
            self._queues = QueueRegistry()
            self._open_outputs()
            self._invoker = Invoker(self._worker, self._queues, options.function_timeout_seconds)
            self._parts: list[Timer | QueueListener] = [*self._make_timers(), *self._make_listeners(options)]
            self._routes = HttpFunctions(functions, options.route_prefix, keys, self._invoker, settings)
            self._admin = AdminEndpoints({function.name: function for function in functions}, keys, self._invoker)
            body_limit = int(settings.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT") or _DEFAULT_BODY_LIMIT)
            self._http = LoopbackServer(self._respond, arguments.port, name="Kestrel", most_body=body_limit).bind()
        except BaseException as error:
            self._worker.stop()
            if isinstance(error, OSError):
                raise StartUpFailed([f"port {arguments.port}: {error}"]) from error
            raise

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return self._http.url

    def start(self) -> None:
        """Starts accepting requests, messages and ticks."""
        self._worker.watch(self._on_fault)
        self._http.start()
        for part in self._parts:
            part.start()

    def stop(self) -> bool:
        """Accepts no more work and gives running work its time; returns whether all of it was done.

        What was not done dies with the worker: its messages stay hidden for the rest of their leases.
        """
        for part in self._parts:
            part.begin_stop()
        self._http.close_door()
        end = time.monotonic() + self._arguments.drain_seconds
        while self._is_busy() and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        if self._is_busy():
            _log.warning("stopped with work in hand invocations=%d", self._invoker.running)
            self._worker.abandon()
            return False
        self._worker.stop()
        self._queues.close()
        return True

    def _is_busy(self) -> bool:
        return self._invoker.running > 0 or not self._http.wait_idle(0) or any(part.busy for part in self._parts)

    def _start_worker(self) -> WorkerProcess:
        environment = {**os.environ, **self._settings.values}
        return WorkerProcess(self._arguments.app_dir, environment, quiet=self._arguments.quiet)

    def _respond(self, request: Incoming) -> Answer:
        return self._admin.respond(request) or self._routes.respond(request)

    def _on_fault(self, error: BaseException) -> None:
        """A fault that a listener cannot survive ends the host, as the real one's exception handler does."""
        _log.critical("unhandled fault, stopping", exc_info=error)
        self.fault = error
        self._ending.end()

    def _open_outputs(self) -> None:
        """Reads the connection strings now, so that an invalid one is not found only at the first message."""
        for function in self._worker.functions:
            for output in function.outputs:
                self._queues.queue(output.connection, output.queue)

    def _make_timers(self) -> list[Timer]:
        timers = []
        for function in self._worker.functions:
            if isinstance(function.trigger, TimerTrigger):
                self._settings.connection_string(None)  # the real host keeps its schedules there
                try:
                    timer = Timer(function, function.trigger, self._invoker, SystemClock())
                except ValueError as error:
                    raise StartUpFailed([f"function {function.name}: {error}"]) from error
                if not is_disabled(function.name, self._settings):
                    timers.append(timer)
        return timers

    def _make_listeners(self, options: HostOptions) -> list[QueueListener]:
        listeners = []
        lease_seconds, new_trace = self._arguments.lease_seconds, Tracing(self._settings).of_message
        for function in self._worker.functions:
            trigger = function.trigger
            if isinstance(trigger, QueueTrigger) and not is_disabled(function.name, self._settings):
                processor = DeliveryProcessor(
                    function, trigger, self._invoker, self._queues, options.queues, lease_seconds, new_trace
                )
                queue = self._queues.queue(trigger.connection, trigger.queue)
                listener = QueueListener(
                    function.name, queue, options.queues, lease_seconds, processor.process, self._on_fault
                )
                self._queues.on_message(queue, listener.wake)
                listeners.append(listener)
        return listeners

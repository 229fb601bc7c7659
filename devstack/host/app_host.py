"""The host put together: starts everything that one app needs, and stops it in the right order."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from devstack.host.admin import AdminEndpoints
from devstack.host.app_settings import AppSettings
from devstack.host.bindings import IndexedFunction, QueueOutput, QueueTrigger, TimerTrigger
from devstack.host.errors import StartUpFailed
from devstack.host.host_json import HostOptions, read_host_options
from devstack.host.http_functions import HttpFunctions
from devstack.host.http_messages import HttpReply, HttpRequest
from devstack.host.http_server import HttpServer
from devstack.host.indexing import index_app
from devstack.host.invoker import Invoker
from devstack.host.keys import keys_from
from devstack.host.queue_delivery import DeliveryProcessor
from devstack.host.queue_listener import QueueListener
from devstack.host.queue_registry import QueueRegistry
from devstack.host.timers import Timer
from devstack.host.worker import Worker, pool_size
from shared.clock import SystemClock

_log = logging.getLogger(__name__)
_DEFAULT_BODY_LIMIT = 104_857_600  # ScriptConstants.DefaultMaxRequestBodySize of azure-functions-host


@dataclass(frozen=True)
class HostArguments:
    """What the command line decides."""

    app_dir: Path
    port: int = 0
    """0 takes a free one."""
    lease_seconds: float = 600.0
    """How long a received message stays invisible; fixed at ten minutes in the real host."""
    enable_auth: bool = False


class AppHost:
    """Serves one app from `start` to `stop`. The constructor raises StartUpFailed with all that is wrong."""

    def __init__(self, arguments: HostArguments, settings: AppSettings) -> None:
        self._arguments = arguments
        self._ended = threading.Event()
        self._fault: BaseException | None = None
        options = read_host_options(arguments.app_dir, settings)
        functions = index_app(arguments.app_dir, settings)
        keys = keys_from(settings, required=arguments.enable_auth)
        self._queues = QueueRegistry(base64=options.queues.base64)
        self._open_outputs(functions)
        self._worker = Worker(pool_size(settings))
        self._invoker = Invoker(self._worker, self._queues, options.function_timeout_seconds)
        self._parts: list[Timer | QueueListener] = [
            *self._make_timers(functions),
            *self._make_listeners(functions, options),
        ]
        self._routes = HttpFunctions(functions, options.route_prefix, keys, self._invoker)
        self._admin = AdminEndpoints({function.name: function for function in functions}, keys, self._invoker)
        body_limit = int(settings.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT") or _DEFAULT_BODY_LIMIT)
        try:
            self._http = HttpServer(arguments.port, self._respond, body_limit)
        except OSError as error:
            raise StartUpFailed([f"port {arguments.port}: {error}"]) from error

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return self._http.url

    @property
    def has_abandoned_work(self) -> bool:
        """Whether threads may still run that nobody waits for."""
        return self._invoker.has_abandoned_work

    def start(self) -> None:
        """Takes requests, messages and ticks from now on."""
        self._http.start()
        for part in self._parts:
            part.start()

    def end(self) -> None:
        """Asks the host to stop; safe to call from a signal handler."""
        self._ended.set()

    def wait(self) -> BaseException | None:
        """Returns when somebody asked the host to stop; the fault that did, if one did."""
        self._ended.wait()
        return self._fault

    def stop(self) -> None:
        """Stops taking work, finishes what is in flight, and lets go of everything."""
        for part in self._parts:
            part.begin_stop()
        self._http.stop()
        self._admin.wait_stopped()
        for part in self._parts:
            part.wait_stopped()
        self._worker.stop()
        self._queues.close()

    def _respond(self, request: HttpRequest) -> HttpReply:
        return self._admin.respond(request) or self._routes.respond(request)

    def _on_fault(self, error: BaseException) -> None:
        """What a listener does not survive ends the host, as the real one's exception handler does."""
        _log.critical("unhandled fault in a listener, stopping", exc_info=error)
        self._fault = error
        self._ended.set()

    def _open_outputs(self, functions: tuple[IndexedFunction, ...]) -> None:
        """A connection string that cannot be read is found now, not by the first message."""
        for output in (output for function in functions for output in function.outputs):
            if isinstance(output, QueueOutput):
                self._queues.queue(output.connection, output.queue)

    def _make_timers(self, functions: tuple[IndexedFunction, ...]) -> list[Timer]:
        timers = []
        for function in functions:
            if isinstance(function.trigger, TimerTrigger):
                try:
                    timers.append(Timer(function, function.trigger, self._invoker, SystemClock()))
                except ValueError as error:
                    raise StartUpFailed([f"function {function.name}: {error}"]) from error
        return timers

    def _make_listeners(self, functions: tuple[IndexedFunction, ...], options: HostOptions) -> list[QueueListener]:
        listeners = []
        lease_seconds = self._arguments.lease_seconds
        for function in functions:
            trigger = function.trigger
            if isinstance(trigger, QueueTrigger):
                processor = DeliveryProcessor(
                    function, trigger, self._invoker, self._queues, options.queues, lease_seconds
                )
                queue = self._queues.queue(trigger.connection, trigger.queue)
                listener = QueueListener(
                    function.name, queue, options.queues, lease_seconds, processor.process, self._on_fault
                )
                self._queues.on_message(queue, listener.wake)
                listeners.append(listener)
        return listeners

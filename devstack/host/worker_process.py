"""The process that runs the app's code, as the Python worker does: each `def` in a pool of threads.

The host starts it with a socket for pickled values of `exchange`; it ends when the host goes away.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import threading
import traceback
import types
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions import http, queue, timer

from devstack.host.app_settings import AppSettings
from devstack.host.errors import AttemptFailed, StartUpFailed
from devstack.host.exchange import (
    Done,
    Failed,
    HttpInput,
    Indexed,
    Invocation,
    QueueInput,
    Refused,
    Reply,
    TimerInput,
)
from devstack.host.indexing import LoadedFunction, index_app
from devstack.host.process_log import set_up_logging

_log = logging.getLogger(__name__)
_NEVER = "0001-01-01T00:00:00"


class Out:
    """Holds the value of one output; a second `set` replaces the first, as in the worker."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


def pool_size(settings: AppSettings) -> int:
    """PYTHON_THREADPOOL_THREAD_COUNT, or the default of Python's own executor when it is absent or no number."""
    default = min(32, (os.cpu_count() or 1) + 4)
    text = settings.get("PYTHON_THREADPOOL_THREAD_COUNT")
    if text is None:
        return default
    if not text.isdecimal() or int(text) < 1:
        _log.warning("PYTHON_THREADPOOL_THREAD_COUNT=%s is not a positive integer, using %d", text, default)
        return default
    return int(text)


def run(loaded: LoadedFunction, invocation: Invocation) -> Done | Failed:
    """Calls the function. What it raises is returned, except what would end a worker process."""
    outs = {output.name: Out() for output in loaded.indexed.outputs}
    arguments: dict[str, Any] = {loaded.indexed.trigger.name: _input(invocation.given), **outs}
    if loaded.wants_context:
        arguments["context"] = types.SimpleNamespace(
            invocation_id=invocation.invocation_id,
            function_name=loaded.indexed.name,
            trace_context=invocation.trace,
        )
    try:
        returned = loaded.call(**arguments)
        return Done(_reply(invocation, returned), {name: _texts(name, out) for name, out in outs.items()})
    except Exception as error:  # noqa: BLE001 -- whatever the app raises fails the attempt alone
        return Failed(type(error).__name__, traceback.format_exc())


def _input(given: HttpInput | QueueInput | TimerInput) -> Any:
    """The library's own object, as its converters make it."""
    if isinstance(given, QueueInput):
        properties = given.properties
        return queue.QueueMessage(  # type: ignore[no-untyped-call]  # the library has no hints
            id=properties.message_id,
            body=given.body,
            dequeue_count=properties.dequeue_count,
            expiration_time=properties.expires,
            insertion_time=properties.inserted,
            time_next_visible=properties.next_visible,
            pop_receipt=properties.pop_receipt,
        )
    if isinstance(given, TimerInput):
        status = {"Last": _instant(given.last), "Next": _instant(given.due), "LastUpdated": _instant(given.last)}
        return timer.TimerRequest(past_due=False, schedule_status=status, schedule={"AdjustForDST": True})
    return func.HttpRequest(
        given.method,
        given.url,
        headers=given.headers,
        params=given.query,
        route_params=given.route_parameters,
        body=given.body,
    )


def _instant(moment: datetime | None) -> str:
    return moment.isoformat() if moment else _NEVER


def _reply(invocation: Invocation, returned: Any) -> Reply | None:
    if not isinstance(invocation.given, HttpInput):
        if returned is not None:
            raise AttemptFailed("a function without a $return binding returned a non-None value")
        return None
    if not isinstance(returned, func.HttpResponse):
        raise AttemptFailed(f"the answer is a {type(returned).__name__} and no HttpResponse")
    parts = http.HttpResponseConverter.encode(returned, expected_type=None).value
    if parts["cookies"]:
        raise AttemptFailed("cookies are not imitated")
    headers = {name: datum.value for name, datum in parts["headers"].items()}
    if not all(f"{name}{value}".isascii() for name, value in headers.items()):
        raise AttemptFailed("a header of the answer is not ASCII, which the real host does not send")
    return Reply(int(parts["status_code"].value), headers, parts["body"].value)


def _texts(name: str, out: Out) -> list[str]:
    value = out.get()
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise AttemptFailed(f"output {name} was set to something else than a list of texts")
    return value


class _Process:
    """Takes invocations from the channel and answers each when it is done."""

    def __init__(self, channel: Connection, functions: tuple[LoadedFunction, ...], threads: int) -> None:
        self._channel = channel
        self._functions = {loaded.indexed.name: loaded for loaded in functions}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._sending = threading.Lock()
        self._guard = threading.Lock()
        self._running = 0

    def serve(self) -> None:
        """Returns when the host is gone and nothing runs; otherwise ends the process."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                invocation = self._channel.recv()
                with self._guard:
                    self._running += 1
                self._pool.submit(self._run, invocation)
        if self._running:
            os._exit(1)

    def _run(self, invocation: Invocation) -> None:
        try:
            result = run(self._functions[invocation.function.name], invocation)
        except BaseException as error:  # noqa: BLE001 -- SystemExit in a function is the end of a real worker
            _log.critical("the function asked the process to end function=%s", invocation.function.name)
            logging.shutdown()
            os._exit(error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1)
        with self._sending, contextlib.suppress(OSError):
            self._channel.send((invocation.invocation_id, result))
        with self._guard:
            self._running -= 1


def main() -> None:
    """Loads the app, reports it to the host, and serves."""
    parser = argparse.ArgumentParser(prog="python -m devstack.host.worker_process", description=__doc__)
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--channel", type=int, required=True, help="file descriptor of the socket to the host")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    set_up_logging(quiet=options.quiet)
    # Ctrl-C at a terminal reaches this process too, but it is the host that ends, in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings, channel = AppSettings(os.environ), Connection(options.channel)
    try:
        functions = index_app(options.app, settings)
    except StartUpFailed as error:
        channel.send(Refused(error.reasons))
        return
    channel.send(Indexed(tuple(loaded.indexed for loaded in functions)))
    _Process(channel, functions, pool_size(settings)).serve()


if __name__ == "__main__":
    main()

"""Runs the app's code as the Python worker does: `def` in a pool of threads, `async def` on one event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from azure.functions.meta import Datum

from devstack.host.app_settings import AppSettings
from devstack.host.bindings import RETURN, IndexedFunction
from devstack.host.context import InvocationContext, TraceContext, invocation_of_thread
from devstack.host.errors import AttemptFailed

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Invocation:
    """One call of one function, before its input is decoded."""

    function: IndexedFunction
    payload: Datum
    metadata: Mapping[str, Datum]
    trace: TraceContext = field(default_factory=TraceContext)
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))


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


class Worker:
    """Executes invocations; one per host."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._loop.run_forever, name="function-loop", daemon=True)
        self._loop_thread.start()

    def start(self, invocation: Invocation) -> Future[dict[str, Datum]]:
        """Starts the function; the future holds its encoded outputs by binding name, or what it raised.

        Raises what decoding the trigger raises: bad metadata fails before the function's own code runs.
        """
        function = invocation.function
        outs = {output.name: Out() for output in function.outputs if output.name != RETURN}
        arguments: dict[str, Any] = {function.trigger.name: _decode(invocation), **outs}
        if function.wants_context:
            arguments["context"] = InvocationContext(
                function.name, function.directory, invocation.invocation_id, invocation.trace
            )
        if function.is_async:
            return asyncio.run_coroutine_threadsafe(_run_async(function, arguments, outs), self._loop)
        return self._pool.submit(_run, invocation, arguments, outs)

    def stop(self) -> None:
        """Ends the pool and the loop; running functions are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop_thread.join()
        self._loop.close()


def _decode(invocation: Invocation) -> Any:
    converter = invocation.function.converters[invocation.function.trigger.name]
    return converter.decode(invocation.payload, trigger_metadata=invocation.metadata)


def _run(invocation: Invocation, arguments: dict[str, Any], outs: dict[str, Out]) -> dict[str, Datum]:
    invocation_of_thread.invocation_id = invocation.invocation_id
    try:
        return _encode(invocation.function, invocation.function.call(**arguments), outs)
    finally:
        invocation_of_thread.invocation_id = None


async def _run_async(function: IndexedFunction, arguments: dict[str, Any], outs: dict[str, Out]) -> dict[str, Datum]:
    try:
        return _encode(function, await function.call(**arguments), outs)
    except (SystemExit, KeyboardInterrupt) as error:
        # On an event loop these would end the loop, and with it every other invocation.
        raise AttemptFailed(f"the function asked the process to end: {error!r}") from error


def _encode(function: IndexedFunction, returned: Any, outs: dict[str, Out]) -> dict[str, Datum]:
    has_return = function.output(RETURN) is not None
    if returned is not None and not has_return:
        raise AttemptFailed(f"function {function.name} without a $return binding returned a non-None value")
    values = {name: out.get() for name, out in outs.items() if out.get() is not None}
    if has_return:
        values[RETURN] = returned
    return {name: _encode_one(function.converters[name], name, value) for name, value in values.items()}


def _encode_one(converter: Any, name: str, value: Any) -> Datum:
    try:
        encoded: Datum = converter.encode(value, expected_type=None)
    except NotImplementedError as error:
        raise AttemptFailed(f"output {name} cannot carry a {type(value).__name__}") from error
    return encoded

"""Drives the genuine Python worker library within the test process, for one app directory.

The library under test, `azure_functions_runtime`, is the part of the language worker that indexes function_app.py,
decodes trigger payloads, runs user code and encodes outputs. It exists for Python 3.13 and newer; test modules that
import this one are skipped below.

    with WorkerHarness(app_dir, env={"REQUEST_QUEUE_NAME": "requests"}) as worker:
        worker.invoke_http("submit", "POST", body=b"{}").answer().status
        worker.invoke_queue("worker", b"{}", Delivery(dequeue_count=2)).messages("results")

Not modelled: keys, routing, polling, visibility, poison queues and time limits; the local host has those.
The library keeps its state in module globals, so only one harness may be open in a process at a time.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import logging
import os
import threading
import types
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from tests.worker.answers import crash_result, read_answer
from tests.worker.app_modules import FreshApp
from tests.worker.log_capture import LogRouter, task_invocation_id
from tests.worker.payloads import Delivery, http_payload, invocation_request, queue_payload, timer_payload
from tests.worker.protos import build_protos
from tests.worker.results import FunctionRecord, HarnessError, IndexingFailed, InvocationResult

pytest.importorskip("azure_functions_runtime", reason="the worker library exists for Python 3.13 and newer")

Pending = concurrent.futures.Future[InvocationResult]
_SECONDS = 400.0
_one_at_a_time = threading.Lock()


class WorkerHarness:
    """The worker with one app loaded; opened by `with` or the constructor, closed by `close`."""

    def __init__(self, app_dir: Path, *, env: Mapping[str, str] | None = None, log_level: int = logging.INFO) -> None:
        """Starts the worker with the app settings `env` and indexes the app. Raises IndexingFailed."""
        if not _one_at_a_time.acquire(blocking=False):
            raise HarnessError("another WorkerHarness is still open in this process")
        self._protos = build_protos()
        self._records: dict[str, FunctionRecord] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="worker-loop", daemon=True)
        self._cleanup = contextlib.ExitStack()
        self._cleanup.callback(_one_at_a_time.release)
        try:
            self._open(app_dir.resolve(), env or {}, log_level)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the worker and restores the process. Safe to call twice."""
        self._cleanup.close()

    def functions(self) -> dict[str, FunctionRecord]:
        """Every function of the app, by name."""
        return dict(self._records)

    def function(self, name: str) -> FunctionRecord:
        """One function; raises HarnessError for an unknown name."""
        if name not in self._records:
            raise HarnessError(f"no function {name!r}; indexed: {sorted(self._records)}")
        return self._records[name]

    def submit_http(
        self,
        name: str,
        method: str = "GET",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        route_params: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Pending:
        """Starts an HTTP function."""
        record = self._fired_by("httpTrigger", name)
        parts: dict[str, Any] = {"query": query or {}, "headers": headers or {}, "route_params": route_params or {}}
        return self._submit(record, http_payload(self._protos, record, method, body=body, **parts), {})

    def submit_queue(self, name: str, body: bytes, delivery: Delivery | None = None) -> Pending:
        """Starts a queue function on a decoded message body."""
        record = self._fired_by("queueTrigger", name)
        return self._submit(record, *queue_payload(self._protos, record, body, delivery or Delivery()))

    def invoke_http(self, name: str, method: str = "GET", **request: Any) -> InvocationResult:
        """Runs an HTTP function, with the parameters of `submit_http`."""
        return self.submit_http(name, method, **request).result(_SECONDS)

    def invoke_queue(self, name: str, body: bytes, delivery: Delivery | None = None) -> InvocationResult:
        """Runs a queue function."""
        return self.submit_queue(name, body, delivery).result(_SECONDS)

    def invoke_timer(self, name: str, *, past_due: bool = False) -> InvocationResult:
        """Runs a timer function."""
        record = self._fired_by("timerTrigger", name)
        return self._submit(record, timer_payload(self._protos, past_due=past_due), {}).result(_SECONDS)

    def wait(self, pending: Iterable[Pending]) -> list[InvocationResult]:
        """The results of started invocations, in the order given."""
        return [future.result(_SECONDS) for future in list(pending)]

    def _fired_by(self, trigger_type: str, name: str) -> FunctionRecord:
        record = self.function(name)
        if record.trigger_type != trigger_type:
            raise HarnessError(f"{name} is fired by a {record.trigger_type}, not by a {trigger_type}")
        return record

    def _open(self, app_dir: Path, settings: Mapping[str, str], log_level: int) -> None:
        import azure_functions_runtime as runtime
        from azure_functions_runtime import functions, handle_event

        self._runtime = runtime
        fresh = FreshApp(app_dir, settings)
        fresh.enter()
        self._cleanup.callback(fresh.leave)
        self._router = self._cleanup.enter_context(_root_logging(LogRouter(runtime.invocation_id_cv), log_level))
        handle_event._functions = functions.Registry()
        handle_event._metadata_result = None
        # Before the first request, or synchronous functions run in the loop's own pool and ignore the setting.
        runtime.start_threadpool_executor()
        self._cleanup.callback(runtime.stop_threadpool_executor)
        self._thread.start()
        self._cleanup.callback(self._stop_loop)
        self._index(app_dir, handle_event)

    def _index(self, app_dir: Path, handle_event: types.ModuleType) -> None:
        init = types.SimpleNamespace(capabilities={}, function_app_directory=os.fspath(app_dir))
        self._call(self._runtime.worker_init_request, worker_init_request=init)
        listing = self._call(
            self._runtime.functions_metadata_request, functions_metadata_request=types.SimpleNamespace()
        )
        for item in listing.function_metadata_results or ():
            load = types.SimpleNamespace(function_id=item.function_id)
            self._call(self._runtime.function_load_request, function_load_request=load)
            self._records[item.name] = FunctionRecord(
                name=item.name,
                function_id=item.function_id,
                is_async=handle_event._functions.get_function(item.function_id).is_async,
                bindings=tuple(json.loads(raw) for raw in item.raw_bindings),
            )

    def _submit(self, record: FunctionRecord, payload: Any, metadata: Mapping[str, Any]) -> Pending:
        invocation_id = str(uuid.uuid4())
        request = invocation_request(self._protos, record, invocation_id, payload, metadata)
        return asyncio.run_coroutine_threadsafe(self._invoke(record, invocation_id, request), self._loop)

    async def _invoke(self, record: FunctionRecord, invocation_id: str, request: Any) -> InvocationResult:
        task_invocation_id.set(invocation_id)  # of this task alone
        self._router.open(invocation_id)
        try:
            response = await self._runtime.invocation_request(self._envelope(invocation_request=request))
        except (SystemExit, KeyboardInterrupt) as error:
            # They escape the library and would end the worker process; here they must not end the harness's loop.
            return crash_result(record, invocation_id, error, self._router.take(invocation_id))
        return read_answer(self._protos, record, response, self._router.take(invocation_id))

    def _envelope(self, **request: Any) -> Any:
        return types.SimpleNamespace(
            request=types.SimpleNamespace(**request), properties={"host": "127.0.0.1", "protos": self._protos}
        )

    def _call(self, operation: Any, **request: Any) -> Any:
        response = asyncio.run_coroutine_threadsafe(operation(self._envelope(**request)), self._loop).result(_SECONDS)
        if response.result.status != self._protos.StatusResult.Success:
            fault = response.result.exception
            raise IndexingFailed(f"{fault.message}\n{fault.stack_trace}")
        return response

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextlib.contextmanager
def _root_logging(router: LogRouter, level: int) -> Iterator[LogRouter]:
    root = logging.getLogger()
    level_before = root.level
    root.setLevel(level)
    root.addHandler(router)
    try:
        yield router
    finally:
        root.removeHandler(router)
        root.setLevel(level_before)

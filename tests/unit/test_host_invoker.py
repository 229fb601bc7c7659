"""How the local host runs one function and what counts as a failed attempt."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest

from devstack.host.app_settings import AppSettings
from devstack.host.bindings import HttpTrigger, IndexedFunction, QueueOutput, QueueTrigger, TimerTrigger, Trigger
from devstack.host.exchange import (
    Done,
    Failed,
    HttpInput,
    Invocation,
    MessageProperties,
    QueueInput,
    Reply,
    TimerInput,
    TraceContext,
)
from devstack.host.indexing import LoadedFunction
from devstack.host.invoker import Attempt, Invoker, Renewal
from devstack.host.queue_registry import QueueRegistry
from devstack.host.worker import Result
from devstack.host.worker_process import pool_size, run

AT = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
PROPERTIES = MessageProperties("m-1", "receipt", 3, inserted=AT, expires=AT, next_visible=AT)
REQUEST = HttpInput("POST", "http://h/api/x?a=1", {"x-one": "1"}, {"a": "1"}, {"id": "7"}, b"body")
TRACE = TraceContext("00-trace", "state")
_TRIGGERS: dict[type, Trigger] = {
    HttpInput: HttpTrigger("given", "x", None, "anonymous"),
    QueueInput: QueueTrigger("given", "q", "UseThis=1"),
    TimerInput: TimerTrigger("given", "0 0 3 * * *"),
}
OUTPUT = QueueOutput("out", "results", "UseThis=1")


def outcome(call: Callable[..., Any], given: HttpInput | QueueInput | TimerInput) -> Done | Failed:
    """The result of one call in the worker."""
    wanted = inspect.signature(call).parameters
    indexed = IndexedFunction("f", _TRIGGERS[type(given)], (OUTPUT,) if "out" in wanted else ())
    loaded = LoadedFunction(indexed, call, "context" in wanted)
    return run(loaded, Invocation(indexed, given, TRACE, "the-id"))


def test_a_request_reaches_its_function_and_the_answer_comes_back() -> None:
    """An HTTP function gets the library's request and a context with invocation id and trace; its answer returns."""

    def call(given: func.HttpRequest, context: Any) -> func.HttpResponse:
        assert (given.method, given.url, given.headers["X-ONE"]) == ("POST", "http://h/api/x?a=1", "1")
        assert (dict(given.params), dict(given.route_params), given.get_body()) == ({"a": "1"}, {"id": "7"}, b"body")
        assert (context.invocation_id, context.function_name) == ("the-id", "f")
        assert (context.trace_context.trace_parent, context.trace_context.trace_state) == ("00-trace", "state")
        return func.HttpResponse(b"{}", status_code=202, mimetype="application/json", headers={"Location": "/x"})

    headers = {"Location": "/x", "content-type": "application/json"}
    assert outcome(call, REQUEST) == Done(Reply(202, headers, b"{}"), {})


def test_a_message_and_a_tick_reach_their_functions() -> None:
    """Queue and timer functions get the library's objects with ids, counts, instants and schedule status."""

    def on_message(given: Any, out: func.Out[list[str]]) -> None:
        assert (given.id, given.dequeue_count, given.pop_receipt, given.get_body()) == ("m-1", 3, "receipt", b"\xff")
        assert given.insertion_time == given.expiration_time == given.time_next_visible == AT
        out.set(["replaced"])
        out.set(["one", "two"])

    def on_tick(given: Any) -> None:
        status = given.schedule_status
        assert (status["Last"], status["Next"]) == ("0001-01-01T00:00:00", AT.isoformat())

    assert outcome(on_message, QueueInput(b"\xff", PROPERTIES)) == Done(None, {"out": ["one", "two"]})
    assert outcome(on_tick, TimerInput(due=AT)) == Done(None, {})


def returning(value: object) -> Callable[..., object]:
    """A function that returns this value."""

    def call(given: object) -> object:
        return value

    return call


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("text", "no HttpResponse"),
        (None, "no HttpResponse"),
        (func.HttpResponse(headers={"x-name": "hü"}), "not ASCII"),
        (func.HttpResponse(headers={"Set-Cookie": "a=b"}), "cookies"),
    ],
)
def test_an_answer_that_is_not_imitated_fails_the_attempt(answer: Any, reason: str) -> None:
    """An answer that is no HttpResponse, or has cookies or non-ASCII headers, fails the invocation."""
    found = outcome(returning(answer), REQUEST)
    assert isinstance(found, Failed)
    assert reason in found.stack


@pytest.mark.parametrize("value", ["text", b"bytes", [b"bytes"]])
def test_an_output_that_is_no_list_of_texts_fails_the_attempt(value: object) -> None:
    """An invalid output fails the invocation, as does a return value without a binding."""

    def call(given: Any, out: func.Out[Any]) -> None:
        out.set(value)

    assert isinstance(outcome(call, QueueInput(b"", PROPERTIES)), Failed)
    assert isinstance(outcome(returning(value), QueueInput(b"", PROPERTIES)), Failed)


def test_what_a_function_raises_is_told_with_its_stack() -> None:
    """An exception of a function fails the invocation, with its class and stack; SystemExit ends the process."""

    def raises(given: Any) -> None:
        raise ValueError("asked for")

    def exits(given: Any) -> None:
        raise SystemExit(3)

    found = outcome(raises, TimerInput())
    assert isinstance(found, Failed)
    assert found.error == "ValueError"
    assert "asked for" in found.stack
    with pytest.raises(SystemExit):
        outcome(exits, TimerInput())


class ScriptedWorker:
    """A worker that ends each invocation as told, or never."""

    def __init__(self, result: Done | Failed | None) -> None:
        self.future: Result = Future()
        self.replaced = False
        if result is not None:
            self.future.set_result(result)

    def run(self, invocation: Invocation) -> Result:
        """The one future."""
        return self.future

    def replace(self, process_of: Result) -> None:
        """Records that the worker was replaced."""
        self.replaced = True


def attempt(worker: ScriptedWorker, seconds: float | None = None, renewal: Renewal | None = None) -> Attempt:
    """One attempt of a timer function."""
    invocation = Invocation(IndexedFunction("f", _TRIGGERS[TimerInput], ()), TimerInput(), TRACE, "the-id")
    return Invoker(worker, QueueRegistry(), seconds).run(invocation, renewal)


def test_the_log_says_which_invocation_failed(caplog: pytest.LogCaptureFixture) -> None:
    """A failed invocation is logged with its function, its id and the class of the exception."""
    assert attempt(ScriptedWorker(Done(None, {}))).succeeded
    assert not attempt(ScriptedWorker(Failed("ValueError", "stack"))).succeeded
    (failure,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "function=f invocation_id=the-id" in failure
    assert "result=failed error=ValueError" in failure


def test_running_into_the_time_limit_replaces_the_worker_and_fails_the_attempt() -> None:
    """An invocation that exceeds its time limit fails, and its worker is replaced."""
    worker = ScriptedWorker(None)
    assert not attempt(worker, 0.05).succeeded
    assert worker.replaced


def test_the_hold_on_a_message_is_renewed_while_the_function_runs() -> None:
    """The hold on a message is renewed repeatedly until its function ends."""
    worker, left = ScriptedWorker(None), [3, 2, 1]

    def renew() -> None:
        if left.pop() == 3:
            worker.future.set_result(Done(None, {}))

    assert attempt(worker, None, Renewal(0.01, renew)).succeeded


@pytest.mark.parametrize(("text", "threads"), [("32", 32), ("0", None), ("many", None), ("-1", None), (None, None)])
def test_the_pool_has_the_size_of_the_setting_or_pythons_own(text: str | None, threads: int | None) -> None:
    """The thread pool has the size in the setting, or Python's default if that is not a positive number."""
    settings = AppSettings({} if text is None else {"PYTHON_THREADPOOL_THREAD_COUNT": text})
    assert pool_size(settings) == (threads or min(32, (os.cpu_count() or 1) + 4))

"""How the local host runs one function and what counts as a failed attempt."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.functions.meta import Datum

from devstack.host.app_settings import AppSettings
from devstack.host.bindings import RETURN, HttpOutput, IndexedFunction, TimerTrigger
from devstack.host.generic_binding import GenericBinding
from devstack.host.invoker import Invoker, Renewal
from devstack.host.queue_registry import QueueRegistry
from devstack.host.worker import Invocation, Worker, pool_size

_SECONDS = 120.0


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Two threads and a loop."""
    started = Worker(threads=2)
    yield started
    started.stop()


def invocation(call: Callable[..., Any], *, answers: bool = False) -> Invocation:
    """A call of a function with one input `tick`, and a `$return` binding if it answers."""
    function = IndexedFunction(
        name="f",
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        wants_context="context" in inspect.signature(call).parameters,
        directory=".",
        trigger=TimerTrigger("tick", "0 0 3 * * *", run_on_startup=False),
        outputs=(HttpOutput(RETURN),) if answers else (),
        converters={"tick": GenericBinding(), RETURN: GenericBinding()},
    )
    return Invocation(function, Datum("now", "string"), {})


def invoker_of(worker: Worker, timeout_seconds: float | None = _SECONDS) -> Invoker:
    """An invoker for functions without queue outputs."""
    return Invoker(worker, QueueRegistry(base64=True), timeout_seconds)


def test_a_function_gets_its_input_and_its_answer_is_kept(worker: Worker) -> None:
    """`def` and `async def` alike."""

    async def later(tick: str) -> str:
        await asyncio.sleep(0)
        return f"later {tick}"

    invoker = invoker_of(worker)
    now = invoker.run(invocation(lambda tick: f"at once {tick}", answers=True))
    then = invoker.run(invocation(later, answers=True))
    assert (now.reply, then.reply) == (Datum("at once now", "string"), Datum("later now", "string"))


def test_the_context_tells_the_invocation(worker: Worker) -> None:
    """Its id is the one in the log, and pool threads carry it too."""

    def call(tick: str, context: Any) -> str:
        return f"{context.invocation_id} {context.thread_local_storage.invocation_id} {context.function_name}"

    once = invocation(call, answers=True)
    reply = invoker_of(worker).run(once).reply
    assert reply == Datum(f"{once.invocation_id} {once.invocation_id} f", "string")


def returns_nothing(tick: str) -> None:
    """Succeeds."""


def raises(tick: str) -> None:
    """Fails as functions do."""
    raise ValueError("asked for")


def exits(tick: str) -> None:
    """Would end the worker process."""
    raise SystemExit(3)


async def exits_on_the_loop(tick: str) -> None:
    """Would end the event loop."""
    raise SystemExit(3)


def times_out_itself(tick: str) -> None:
    """Raises what a waiting host would raise, too."""
    raise TimeoutError("the function's own")


@pytest.mark.parametrize("call", [raises, exits, exits_on_the_loop, times_out_itself])
def test_a_function_that_raises_fails_its_attempt_alone(
    worker: Worker, call: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises, the next invocation runs, and the log says which one failed."""
    invoker = invoker_of(worker)
    failing = invocation(call)
    assert not invoker.run(failing).succeeded
    assert invoker.run(invocation(returns_nothing)).succeeded
    (failure,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert f"function=f invocation_id={failing.invocation_id}" in failure
    assert "result=failed" in failure


@pytest.mark.parametrize(("answers", "returned"), [(False, "text"), (True, object())])
def test_a_value_that_no_binding_takes_fails_the_attempt(worker: Worker, answers: bool, returned: object) -> None:
    """Returning anything without a `$return` binding is a failure, and so is what the binding cannot carry."""

    def call(tick: str) -> object:
        return returned

    assert not invoker_of(worker).run(invocation(call, answers=answers)).succeeded


def test_running_into_the_time_limit_is_a_failed_attempt(worker: Worker) -> None:
    """The thread cannot be ended, so the host knows that work was abandoned."""
    gate = threading.Event()

    def call(tick: str) -> None:
        gate.wait(_SECONDS)

    invoker = invoker_of(worker, timeout_seconds=0.05)
    assert not invoker.run(invocation(call)).succeeded
    assert invoker.has_abandoned_work
    gate.set()


def test_the_hold_on_a_message_is_renewed_while_the_function_runs(worker: Worker) -> None:
    """Again and again, until it ends."""
    renewed = threading.Semaphore(0)

    def call(tick: str) -> None:
        for _ in range(3):
            assert renewed.acquire(timeout=_SECONDS)

    attempt = invoker_of(worker).run(invocation(call), Renewal(0.01, renewed.release))
    assert attempt.succeeded


@pytest.mark.parametrize(("text", "threads"), [("32", 32), ("0", None), ("many", None), ("-1", None), (None, None)])
def test_the_pool_has_the_size_of_the_setting_or_pythons_own(text: str | None, threads: int | None) -> None:
    """A value that is no positive number is passed over with a warning, as by the worker."""
    settings = AppSettings({} if text is None else {"PYTHON_THREADPOOL_THREAD_COUNT": text})
    assert pool_size(settings) == (threads or min(32, (os.cpu_count() or 1) + 4))

"""Which trace a request belongs to, by every way in, and that its result names it."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from typing import Any

import pytest

from shared.results.telemetry import SILENT
from shared.wiring.telemetry import telemetry_of
from tests.fakes.app import ACCOUNT, World
from tests.fakes.calls import call

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
INVOCATION = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00"


def traces(world: World) -> set[str | None]:
    """The traces named in the results once all queues are empty."""
    world.settle()
    assert world.results()
    return {result.get("traceparent") for result in world.results()}


def post(world: World, body: object, path: str = "api", traceparent: str | None = CALLER) -> int:
    """Makes a POST call with the caller's trace; returns the status."""
    service = getattr(world.app, path)
    status: int = service.submit(call(json.dumps(body).encode(), traceparent=traceparent)).status
    return status


def many(world: World) -> dict[str, Any]:
    """A `taskIds` request for two tasks."""
    one = world.request()
    return {"clientRequestId": one["clientRequestId"], "jobId": one["jobId"], "taskIds": ["task-1", "task-2"]}


def test_an_http_callers_trace_reaches_the_result() -> None:
    """The trace of an HTTP caller reaches the result, not that of the worker's invocation."""
    world = World()
    world.traceparent = INVOCATION
    assert post(world, world.request()) == 202
    assert traces(world) == {CALLER}


def test_every_request_of_a_bulk_call_belongs_to_the_callers_trace() -> None:
    """Requests of both bulk forms join the caller's trace, unless they name another one."""
    world = World()
    assert post(world, many(world)) == 202
    assert post(world, {"requests": [world.request(taskId="task-3")]}) == 202
    assert traces(world) == {CALLER}
    assert post(world, {"requests": [world.request(taskId="task-4", traceparent=INVOCATION)]}) == 202
    assert traces(world) == {CALLER, INVOCATION}


def test_the_synchronous_call_belongs_to_the_callers_trace() -> None:
    """The result of a synchronous DELETE names the caller's trace."""
    world = World()
    world.request()
    route = {"jobId": "job-1", "taskId": "task-1"}
    assert world.app.api.delete_task(call(route=route, traceparent=CALLER)).status == 200
    assert traces(world) == {CALLER}


def test_a_producers_message_names_its_trace() -> None:
    """A message's `traceparent` field is used in all three forms of requests."""
    world = World()
    world.traceparent = INVOCATION
    world.put_request(traceparent=CALLER)
    world.put({"requests": [world.request(taskId="task-3", traceparent=CALLER)]})
    world.put(many(world) | {"traceparent": CALLER})
    assert traces(world) == {CALLER}


def test_a_message_without_a_trace_belongs_to_its_delivery() -> None:
    """A message without a trace belongs to the trace of the invocation that delivers it."""
    world = World()
    world.traceparent = INVOCATION
    world.put_request()
    assert traces(world) == {INVOCATION}


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_events_trace_reaches_every_result(wrapped: bool) -> None:
    """An event's `traceparent`, a field or a CloudEvents attribute, reaches every result and the closing event."""
    world = World()
    world.traceparent = INVOCATION
    world.batch.seed("render-7", 3)
    event: dict[str, Any] = {"jobId": "render-7"}
    if wrapped:
        event = {"specversion": "1.0", "id": "1", "source": "/jobs", "type": "done", "data": event}
    else:
        event["clientRequestId"] = str(uuid.uuid4())
    world.put(event | {"traceparent": CALLER}, "job-completions")
    assert traces(world) == {CALLER}
    assert len(world.results()) == 4


def test_an_event_over_http_belongs_to_the_callers_trace() -> None:
    """All results of an event over HTTP name the caller's trace."""
    world = World()
    world.batch.seed("render-7", 1)
    assert post(world, {"clientRequestId": str(uuid.uuid4()), "jobId": "render-7"}, "cleanups") == 202
    assert traces(world) == {CALLER}


def test_a_repeat_from_another_trace_is_a_repeat() -> None:
    """A repeat with another trace is still a repeat, and its result names the first trace."""
    world = World()
    body = world.request()
    world.put(body | {"traceparent": CALLER})
    world.settle()
    world.put(body | {"traceparent": INVOCATION})
    assert traces(world) == {CALLER}
    assert [result["data"]["replayed"] for result in world.results()] == [False, True]


@pytest.mark.parametrize(
    "wrong", ["", "00-xyz", CALLER.upper(), CALLER.replace("00-", "01-", 1), f"00-{'0' * 32}-00f067aa0ba902b7-01"]
)
def test_a_trace_that_is_none_is_refused(wrong: str) -> None:
    """An invalid `traceparent` is rejected with its pointer."""
    world = World()
    world.put_request(traceparent=wrong)
    world.settle()
    (result,) = world.results()
    assert result["data"]["outcome"] == "rejected"
    assert [value["key"] for value in result["data"]["error"]["values"]] == ["/traceparent"]
    assert result["source"] == ACCOUNT


@pytest.mark.parametrize("env", [{}, {"PYTHON_ENABLE_OPENTELEMETRY": "false"}, {"PYTHON_ENABLE_OPENTELEMETRY": ""}])
def test_telemetry_is_off_by_default(env: dict[str, str]) -> None:
    """Without the setting, no telemetry is sent."""
    assert telemetry_of(env) is SILENT


@pytest.mark.parametrize("name", ["PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY", "PYTHON_ENABLE_OPENTELEMETRY"])
def test_the_workers_own_switches_turn_it_on(name: str) -> None:
    """Either of the worker's own telemetry settings switches the app's telemetry on."""
    assert type(telemetry_of({name: "True"})).__name__ == "OpenTelemetry"


def test_missing_libraries_do_not_stop_deletions(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If OpenTelemetry is not installed, a warning is logged and the app runs without telemetry."""
    monkeypatch.delitem(sys.modules, "shared.results.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with caplog.at_level(logging.WARNING):
        assert telemetry_of({"PYTHON_ENABLE_OPENTELEMETRY": "1"}) is SILENT
    assert "telemetry_unavailable" in caplog.text

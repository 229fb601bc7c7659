"""One trace from caller to result, in the genuine worker library with OpenTelemetry switched on."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueServiceClient
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from devstack.azurite import Azurite
from devstack.batch import BatchSimulator
from tests.worker.harness import WorkerHarness

ROOT = Path(__file__).resolve().parents[2]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Collects the spans of this process, whose provider can be set only once."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    return kept


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    """Collects the metrics of this process."""
    kept = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([kept]))
    return kept


@pytest.fixture
def worker(
    settings: dict[str, str], exporter: InMemorySpanExporter, reader: InMemoryMetricReader
) -> Iterator[WorkerHarness]:
    """The worker with the app in it and tracing on."""
    from azure_functions_runtime.otel import otel_manager

    exporter.clear()
    with WorkerHarness(ROOT, env=settings | {"PYTHON_ENABLE_OPENTELEMETRY": "true"}) as opened:
        yield opened
    otel_manager.set_otel_libs_available(False)


def requests_on(azurite: Azurite, settings: dict[str, str]) -> list[bytes]:
    """The bodies of the messages on the request queue."""
    service = QueueServiceClient.from_connection_string(azurite.connection_string)
    queue = service.get_queue_client(settings["REQUEST_QUEUE_NAME"])
    return [message.content.encode() for message in queue.receive_messages()]


def carry_out(worker: WorkerHarness, body: bytes) -> dict[str, Any]:
    """The one result of a request message."""
    (text,) = worker.invoke_queue("delete_tasks", body).unwrap().messages("results")
    result: dict[str, Any] = json.loads(base64.b64decode(text))
    return result


def request(**fields: str) -> bytes:
    """A valid request as JSON."""
    return json.dumps({"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "taskId": "t-1"} | fields).encode()


def ids(span: ReadableSpan) -> tuple[str, str]:
    """A span's trace id and the id of its parent span."""
    assert span.context is not None
    assert span.parent is not None
    return f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}"


def test_one_trace_from_the_http_call_to_the_result(
    worker: WorkerHarness,
    batch_simulator: BatchSimulator,
    exporter: InMemorySpanExporter,
    azurite: Azurite,
    settings: dict[str, str],
) -> None:
    """The trace of an HTTP caller reaches the message, the span around the call to Batch, and the result."""
    batch_simulator.seed(id="job-1", state="active", tasks=[{"id": "t-1"}])
    headers = {"traceparent": TRACEPARENT}
    answer = worker.invoke_http("submit_task_deletion", "POST", body=request(), headers=headers).unwrap().answer()
    assert answer.status == 202
    (message,) = requests_on(azurite, settings)
    result = carry_out(worker, message)
    assert result["data"]["outcome"] == "deleted"
    assert result["traceparent"] == TRACEPARENT
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind, ids(span)) == ("Task - Delete", SpanKind.CLIENT, (TRACE, SPAN))
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 200


def test_one_trace_from_a_producers_message(
    worker: WorkerHarness, batch_simulator: BatchSimulator, exporter: InMemorySpanExporter
) -> None:
    """A request with a `traceparent` field carries that trace into its span and its result."""
    batch_simulator.seed(id="job-1", state="active", tasks=[])
    result = carry_out(worker, request(traceparent=TRACEPARENT))
    assert (result["data"]["outcome"], result["traceparent"]) == ("notFound", TRACEPARENT)
    (span,) = exporter.get_finished_spans()
    assert ids(span) == (TRACE, SPAN)
    assert span.attributes is not None
    assert span.attributes["error.type"] == "TaskNotFound"


def test_without_a_trace_the_call_belongs_to_its_delivery(
    worker: WorkerHarness, batch_simulator: BatchSimulator, exporter: InMemorySpanExporter
) -> None:
    """Without a trace of its own, a request's span and result belong to the trace of the invocation."""
    batch_simulator.seed(id="job-1", state="active", tasks=[{"id": "t-1"}])
    result = carry_out(worker, request())
    (span,) = exporter.get_finished_spans()
    assert result["traceparent"] == "00-{}-{}-01".format(*ids(span))


def metrics_in(reader: InMemoryMetricReader) -> dict[str, list[dict[str, Any]]]:
    """The attributes of each metric's points so far, by its name."""
    data = reader.get_metrics_data()
    assert data is not None
    found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
    return {metric.name: [dict(point.attributes or {}) for point in metric.data.data_points] for metric in found}


def test_outcomes_are_counted(
    worker: WorkerHarness, batch_simulator: BatchSimulator, reader: InMemoryMetricReader
) -> None:
    """Metrics count requests by outcome, and record durations and attempts."""
    batch_simulator.seed(id="job-1", state="active", tasks=[{"id": "t-1"}])
    carry_out(worker, request())
    found = metrics_in(reader)
    assert {"task_deletions", "task_deletion.duration", "task_deletion.attempts"} <= found.keys()
    assert "deleted" in {attributes["outcome"] for attributes in found["task_deletions"]}


@pytest.mark.parametrize("status", [401, 403])
def test_refused_calls_are_counted(
    worker: WorkerHarness, batch_simulator: BatchSimulator, reader: InMemoryMetricReader, status: int
) -> None:
    """A metric counts calls that Batch refuses for lack of rights, by status."""
    batch_simulator.seed(id="job-1", state="active", tasks=[{"id": "t-1"}])
    batch_simulator.fault(operation="task-delete", status=status)
    assert worker.invoke_queue("delete_tasks", request()).unwrap().messages("results") == []
    assert {"status": status} in metrics_in(reader)["batch.refused_calls"]


def test_the_depths_of_the_queues_are_gauges(
    worker: WorkerHarness, settings: dict[str, str], reader: InMemoryMetricReader
) -> None:
    """The depth and oldest age of each input queue and its poison queue are gauges."""
    worker.invoke_timer("report_queue_depths").unwrap()
    inputs = (settings["REQUEST_QUEUE_NAME"], settings["JOB_COMPLETION_QUEUE_NAME"])
    wanted = {name + suffix for name in inputs for suffix in ("", "-poison")}
    for gauge in ("queue.depth", "queue.oldest_age"):
        assert {attributes["queue"] for attributes in metrics_in(reader)[gauge]} >= wanted

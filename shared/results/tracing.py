"""OpenTelemetry: a span for each call to Batch, in the caller's trace, and the log's figures as metrics.

Spans: https://opentelemetry.io/docs/specs/semconv/http/http-spans/, named after the REST operation.
Nothing is added to the call itself: Batch has no use for a trace context.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.batch.reply import Kind, Reply
from shared.clock import TimeBox
from shared.request.model import DeletionRequest
from shared.results.result import Result
from shared.results.telemetry import Send, Telemetry

SCOPE = "task-deletion"
_PROPAGATOR = TraceContextTextMapPropagator()


class OpenTelemetry(Telemetry):
    """Reports to the providers of the process, which are the Python worker's if it has set them up."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(SCOPE)
        meter = metrics.get_meter(SCOPE)
        self._ended = meter.create_counter("task_deletions", "{request}", "Requests that ended")
        self._duration = meter.create_histogram("task_deletion.duration", "s", "From acceptance to the result")
        self._attempts = meter.create_histogram("task_deletion.attempts", "{attempt}", "Attempts that a request took")
        self._sweeps = meter.create_counter("retention_sweeps", "{sweep}", "Sweeps that ended")
        self._refused = meter.create_counter("batch.refused_calls", "{call}", "Calls that Batch refused the app itself")
        self._rate = meter.create_gauge(
            "batch.rate_limit", "{call}/s", "Calls that an account takes a second; 0: no limit"
        )
        self._depth = meter.create_gauge("queue.depth", "{message}", "Messages on a queue")
        self._age = meter.create_gauge("queue.oldest_age", "s", "Age of a queue's oldest message")

    def observed(self, send: Send) -> Send:
        """The call within a client span whose parent is the request's own trace."""

        def watched(request: DeletionRequest, box: TimeBox) -> Reply:
            with self._tracer.start_as_current_span(
                "Task - Get" if request.dry_run else "Task - Delete",
                context=_context_of(request),
                kind=SpanKind.CLIENT,
                attributes={
                    "server.address": urlsplit(request.batch_url).hostname or "",
                    "batch.job.id": request.job_id,
                    "batch.task.id": request.task_id,
                    "az.client_request_id": request.client_request_id,
                },
            ) as span:
                reply = send(request, box)
                self._note(span, reply)
            return reply

        return watched

    def ended(self, result: Result) -> None:
        """Counts the request by its outcome."""
        outcome = {"outcome": result.outcome.value}
        self._ended.add(1, outcome | {"certainty": result.end.certainty.value, "origin": result.origin.value})
        self._attempts.record(result.attempts, outcome)
        if result.latency_seconds is not None:
            self._duration.record(result.latency_seconds, outcome)

    def sweep_ended(self, account: str, state: str) -> None:
        """Counts a sweep by its end."""
        self._sweeps.add(1, {"account": account, "state": state})

    def rate_limit(self, account: str, calls_per_second: float | None) -> None:
        """Sets the gauge of one account; 0 for no limit."""
        self._rate.set(calls_per_second or 0.0, {"account": account})

    def queue_depth(self, queue: str, messages: int, oldest_age_seconds: float) -> None:
        """Sets the gauges of one queue."""
        self._depth.set(messages, {"queue": queue})
        self._age.set(oldest_age_seconds, {"queue": queue})

    def _note(self, span: trace.Span, reply: Reply) -> None:
        if reply.status is not None:
            span.set_attribute("http.response.status_code", reply.status)
        if reply.request_id:
            span.set_attribute("az.service_request_id", reply.request_id)
        if reply.error is not None:
            span.set_attribute("error.type", reply.error.code)
            span.set_status(Status(StatusCode.ERROR))
        if reply.kind is Kind.ACCESS:
            self._refused.add(1, {"status": reply.status})


def _context_of(request: DeletionRequest) -> Context:
    """The request's trace context; a new one if it has none."""
    return _PROPAGATOR.extract({"traceparent": request.traceparent}) if request.traceparent else Context()

"""Reads the worker's answers to invocations."""

from __future__ import annotations

import logging
from typing import Any

from tests.worker.results import FunctionRecord, HarnessError, HttpResult, InvocationResult, QueueOutput

Logs = tuple[logging.LogRecord, ...]
_FAILED = HttpResult(500, {}, b"")


def read_answer(protos: Any, record: FunctionRecord, response: Any, logs: Logs) -> InvocationResult:
    """The result of an invocation that the worker answered."""
    is_http = record.trigger_type == "httpTrigger"
    if response.result.status != protos.StatusResult.Success:
        fault = response.result.exception
        http = _FAILED if is_http else None
        return _result(record, response.invocation_id, logs, http=http, error=fault.message, trace=fault.stack_trace)
    values = {parameter.name: parameter.data for parameter in response.output_data}
    if response.return_value is not None:
        values["$return"] = response.return_value
    http = HttpResult(200, {}, b"") if is_http else None
    outputs = {}
    for name, typed in values.items():
        kind = typed.WhichOneof("data")
        if kind is not None and record.outputs[name]["type"] == "http":
            http = _http_result(kind, getattr(typed, kind))
        elif kind is not None:
            outputs[name] = QueueOutput(kind, getattr(typed, kind))
    return _result(record, response.invocation_id, logs, outputs=outputs, http=http)


def crash_result(record: FunctionRecord, invocation_id: str, error: BaseException, logs: Logs) -> InvocationResult:
    """The result of an invocation that would have ended the worker process."""
    http = _FAILED if record.trigger_type == "httpTrigger" else None
    return _result(record, invocation_id, logs, http=http, error=f"worker process exit: {error!r}", crashed=True)


def _result(
    record: FunctionRecord,
    invocation_id: str,
    logs: Logs,
    *,
    outputs: dict[str, QueueOutput] | None = None,
    http: HttpResult | None = None,
    error: str | None = None,
    trace: str | None = None,
    crashed: bool = False,
) -> InvocationResult:
    return InvocationResult(
        invocation_id=invocation_id,
        function=record.name,
        succeeded=error is None,
        outputs=outputs or {},
        http=http,
        error=error,
        stack_trace=trace,
        logs=logs,
        crashed=crashed,
    )


def _http_result(kind: str, value: Any) -> HttpResult:
    if kind != "http":
        raise HarnessError(f"the function returned {kind} instead of an HttpResponse; the host would sniff it")
    body_kind = value.body.WhichOneof("data")
    code = str(value.status_code).strip()
    return HttpResult(
        status=int(code) if code.isdecimal() else 200,  # the host answers 200 to what is no number
        headers=dict(value.headers),
        body=bytes(getattr(value.body, body_kind)) if body_kind else b"",
        cookies=tuple(value.cookies or ()),
    )

"""Trigger payloads and metadata in the shapes that the host sends to the worker."""

from __future__ import annotations

import json
import types
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.worker.results import FunctionRecord, HarnessError


@dataclass(frozen=True)
class Delivery:
    """One delivery of a queue message; the defaults are those of a fresh one."""

    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    pop_receipt: str = "pop-receipt-0001"
    dequeue_count: int = 1
    inserted: datetime = field(default_factory=lambda: datetime.now(UTC))
    next_visible: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=10))


def http_payload(
    protos: Any,
    record: FunctionRecord,
    method: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    route_params: Mapping[str, str],
    body: bytes,
) -> Any:
    """A request as the host passes it on: header names lower-cased, empty query values dropped."""
    return protos.TypedData(
        http=protos.RpcHttp(
            method=method,
            url=f"http://localhost/api/{record.route}",
            headers={name.lower(): value for name, value in headers.items()},
            query={name: value for name, value in query.items() if value},
            params=dict(route_params),
            body=protos.TypedData(bytes=body) if body else protos.TypedData(),
        )
    )


def queue_payload(protos: Any, record: FunctionRecord, body: bytes, delivery: Delivery) -> tuple[Any, dict[str, Any]]:
    """A message body and its metadata.

    Raises HarnessError for a text trigger, to whose metadata the real host does what is not imitated.
    """
    if str(record.trigger.get("dataType", "")).upper() != "BINARY":
        raise HarnessError(f"{record.name} does not ask for bytes")
    instants = {
        "InsertionTime": delivery.inserted,
        "ExpirationTime": delivery.inserted + timedelta(days=7),
        "NextVisibleTime": delivery.next_visible,
    }
    return protos.TypedData(bytes=body), {
        "Id": protos.TypedData(string=delivery.message_id),
        "PopReceipt": protos.TypedData(string=delivery.pop_receipt),
        "DequeueCount": protos.TypedData(json=json.dumps(delivery.dequeue_count)),
        **{name: protos.TypedData(json=json.dumps(instant.isoformat())) for name, instant in instants.items()},
    }


def timer_payload(protos: Any, *, past_due: bool) -> Any:
    """A timer's tick."""
    return protos.TypedData(json=json.dumps({"IsPastDue": past_due, "ScheduleStatus": {}, "Schedule": {}}))


def invocation_request(
    protos: Any, record: FunctionRecord, invocation_id: str, payload: Any, metadata: Mapping[str, Any]
) -> Any:
    """The request to run one function once, in the trace of an HTTP caller or in one of its own."""
    caller = payload.http.headers.get("traceparent") if record.trigger_type == "httpTrigger" else None
    trace = caller or f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"
    return types.SimpleNamespace(
        invocation_id=invocation_id,
        function_id=record.function_id,
        input_data=[protos.ParameterBinding(name=record.trigger["name"], data=payload)],
        trigger_metadata=metadata,
        trace_context=types.SimpleNamespace(trace_parent=trace, trace_state="", attributes={}),
        retry_context=types.SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
    )

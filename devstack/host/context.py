"""What a function sees of its own invocation: the `context` parameter."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func

invocation_of_thread = threading.local()
"""`.invocation_id` of the invocation that the current pool thread runs, as the worker keeps it for log records."""


def new_trace_parent() -> str:
    """A W3C trace context that says "not sampled"."""
    return f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00"


@dataclass(frozen=True)
class TraceContext:
    """The W3C trace context that the host passes on."""

    trace_parent: str = field(default_factory=new_trace_parent)
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RetryContext:
    """All zeros: neither HTTP nor queue triggers honour a retry policy."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: None = None


class InvocationContext(func.Context):
    """The host's own `azure.functions.Context`."""

    def __init__(self, name: str, directory: str, invocation_id: str, trace: TraceContext) -> None:
        self._name = name
        self._directory = directory
        self._invocation_id = invocation_id
        self._trace = trace

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return invocation_of_thread

    @property
    def function_name(self) -> str:
        return self._name

    @property
    def function_directory(self) -> str:
        return self._directory

    @property
    def trace_context(self) -> Any:
        return self._trace

    @property
    def retry_context(self) -> Any:
        return RetryContext()

"""What a function sees of its own invocation: the `context` parameter."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from devstack.host.exchange import TraceContext

invocation_of_thread = threading.local()
"""`.invocation_id` of the invocation that the current pool thread runs, as the worker keeps it for log records."""


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

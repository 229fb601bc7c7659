"""Sorts log records by the invocation that wrote them, as the worker does for the host."""

from __future__ import annotations

import contextvars
import logging

task_invocation_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("task_invocation_id", default=None)
"""The invocation that the current task of the harness's loop runs."""


class LogRouter(logging.Handler):
    """Files each log record under its invocation, and drops records of no invocation."""

    def __init__(self, thread_invocation_id: contextvars.ContextVar[str | None]) -> None:
        """`thread_invocation_id` is the library's own variable, which it sets in its pool threads."""
        super().__init__(level=logging.DEBUG)
        self._thread_invocation_id = thread_invocation_id
        self._records: dict[str, list[logging.LogRecord]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        invocation_id = self._thread_invocation_id.get() or task_invocation_id.get()
        if invocation_id in self._records:
            self._records[invocation_id].append(record)

    def open(self, invocation_id: str) -> None:
        """Collects the records of this invocation from now on."""
        self._records[invocation_id] = []

    def take(self, invocation_id: str) -> tuple[logging.LogRecord, ...]:
        """The records of the invocation, which is not collected any more."""
        return tuple(self._records.pop(invocation_id, ()))

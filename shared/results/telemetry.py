"""Spans and metrics, off by default: the protocol, and the telemetry that records nothing."""

from __future__ import annotations

from collections.abc import Callable

from shared.batch.reply import Reply
from shared.clock import TimeBox
from shared.request.model import DeletionRequest
from shared.results.result import Result

Call = Callable[[DeletionRequest, TimeBox], Reply]
"""From a request and the time that its call has to what Batch said."""


class Telemetry:
    """Records nothing."""

    def observed(self, call: Call) -> Call:
        """The call to Batch, observed."""
        return call

    def ended(self, result: Result) -> None:
        """A request has ended."""

    def sweep_ended(self, account: str, state: str) -> None:
        """A sweep has ended."""

    def rate_limit(self, account: str, calls_per_second: float | None) -> None:
        """The rate at which an account takes calls was lowered, or (None) is no longer limited."""

    def queue_depth(self, queue: str, messages: int, oldest_age_seconds: float) -> None:
        """How full a queue is."""


SILENT = Telemetry()

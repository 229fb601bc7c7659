"""Spans and metrics, off by default: the protocol, and the telemetry that records nothing."""

from __future__ import annotations

from collections.abc import Callable

from shared.batch.reply import Reply
from shared.clock import TimeBox
from shared.request.model import DeletionRequest
from shared.results.result import Result

Send = Callable[[DeletionRequest, TimeBox], Reply]
"""Sends the DELETE of a request (of a dry run, the GET) within its time box, and returns what Batch replied."""


class Telemetry:
    """Records nothing."""

    def observed(self, send: Send) -> Send:
        """The same, observed."""
        return send

    def ended(self, result: Result) -> None:
        """A request has ended."""

    def sweep_ended(self, account: str, state: str) -> None:
        """A sweep has ended."""

    def rate_limit(self, account: str, calls_per_second: float | None) -> None:
        """An account's limit in calls per second has changed; None means that there is no limit any more."""

    def queue_depth(self, queue: str, messages: int, oldest_age_seconds: float) -> None:
        """How full a queue is."""


SILENT = Telemetry()

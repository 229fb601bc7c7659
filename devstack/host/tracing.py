"""The trace context that an invocation gets.

Without Application Insights the real host passes on an empty one, whatever the caller sent (Activity.Current is null
in its WorkerFunctionInvoker). With it, a call keeps the caller's trace under a new parent, a message gets its own.
"""

from __future__ import annotations

import uuid

from devstack.host.app_settings import AppSettings
from devstack.host.exchange import TraceContext
from devstack.http1 import Headers

APPLICATION_INSIGHTS = "APPLICATIONINSIGHTS_CONNECTION_STRING"
"""The setting that turns tracing on; its value is not used to send anything."""


class Tracing:
    """Makes trace contexts, empty ones while Application Insights is off."""

    def __init__(self, settings: AppSettings) -> None:
        self._on = settings.get(APPLICATION_INSIGHTS) is not None

    def of_call(self, headers: Headers) -> TraceContext:
        """The caller's trace id, flags and state, and a parent id of the host's."""
        parts = (headers.get("traceparent") or "").split("-")
        if not self._on or len(parts) != 4:
            return self.of_message()
        version, trace_id, _, flags = parts
        return TraceContext(f"{version}-{trace_id}-{_parent_id()}-{flags}", headers.get("tracestate") or "")

    def of_message(self) -> TraceContext:
        """A new trace, not sampled."""
        return TraceContext(f"00-{uuid.uuid4().hex}-{_parent_id()}-00") if self._on else TraceContext()


def _parent_id() -> str:
    return uuid.uuid4().hex[:16]

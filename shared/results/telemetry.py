"""What is told to a tracing system beside the log: off by default, OpenTelemetry by the platform's own settings.

The same settings make the Python worker set up the exporter, and hand each invocation's context over
(azure_functions_runtime/otel.py, 1.3.0); see docs/operations.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from shared.batch.reply import Reply
from shared.request.model import DeletionRequest
from shared.results.event import Ending

log = logging.getLogger(__name__)

SWITCHES = ("PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY", "PYTHON_ENABLE_OPENTELEMETRY")
"""Either of them makes the worker use OpenTelemetry: the first with Azure Monitor, the second with what the app adds."""

_TRUE = frozenset({"1", "true", "t", "yes", "y"})
"""As the worker reads its own switches."""

Call = Callable[[DeletionRequest, float, float], Reply]
"""(request, seconds it may take, seconds within which it must have begun) -> what Batch said."""


class Telemetry:
    """Tells nobody anything."""

    def observed(self, call: Call) -> Call:
        """The call to Batch, watched."""
        return call

    def ended(self, ending: Ending) -> None:
        """A request came to its end."""

    def queue_depth(self, queue: str, messages: int, oldest_age_seconds: float) -> None:
        """How full a queue is."""


SILENT = Telemetry()


def telemetry_of(env: Mapping[str, str]) -> Telemetry:
    """What the settings ask for. The libraries are imported only when they are wanted."""
    if not any(env.get(name, "").strip().lower() in _TRUE for name in SWITCHES):
        return SILENT
    try:
        from shared.results.tracing import OpenTelemetry
    except ImportError as fault:
        # Deletions matter more than their traces.
        log.warning("telemetry_unavailable fault=%s", fault)
        return SILENT
    return OpenTelemetry()

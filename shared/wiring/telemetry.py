"""Chooses the telemetry. The platform's own OpenTelemetry settings turn spans and metrics on.

The same settings make the Python worker set up the exporter and hand over each invocation's context
(azure_functions_runtime/otel.py, 1.3.0); see docs/operations.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from shared.results.telemetry import SILENT, Telemetry

log = logging.getLogger(__name__)

SWITCHES = ("PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY", "PYTHON_ENABLE_OPENTELEMETRY")
"""Either makes the worker use OpenTelemetry: the first with Azure Monitor, the second with the app's own exporter."""

_TRUE = frozenset({"1", "true", "t", "yes", "y"})
"""The values that the worker accepts for its switches."""


def telemetry_of(env: Mapping[str, str]) -> Telemetry:
    """The telemetry that the settings select. Its libraries are imported only when it is on."""
    if not any(env.get(name, "").strip().lower() in _TRUE for name in SWITCHES):
        return SILENT
    try:
        from shared.results.tracing import OpenTelemetry
    except ImportError as fault:
        # Deletions matter more than their traces.
        log.warning("telemetry_unavailable fault=%s", fault)
        return SILENT
    return OpenTelemetry()

"""Reports how full the queues are, in log lines that alerts read.

The platform's own metric of queue messages is hourly and knows no single queue
(https://learn.microsoft.com/azure/azure-monitor/reference/supported-metrics/microsoft-storage-storageaccounts-queueservices-metrics).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from shared.clock import Clock
from shared.results.telemetry import SILENT, Telemetry
from shared.settings import POISON_SUFFIX, Settings
from shared.storage.queues import Depth, Queues

log = logging.getLogger(__name__)


def watched_queues(settings: Settings) -> tuple[str, ...]:
    """The input queues and their poison queues."""
    inputs = (settings.request_queue, settings.job_completion_queue)
    return (*inputs, *(f"{name}{POISON_SUFFIX}" for name in inputs))


def queue_depths(queues: Queues, names: Sequence[str], clock: Clock) -> list[tuple[str, Depth]]:
    """How full each queue is. Raises StorageUnavailable."""
    return [(name, queues.depth(name, clock.now())) for name in names]


def report_depths(queues: Queues, names: Sequence[str], clock: Clock, telemetry: Telemetry = SILENT) -> None:
    """Logs `queue_depth queue= depth= oldest_age_seconds=` for each queue. Raises StorageUnavailable."""
    for name in names:
        depth = queues.depth(name, clock.now())
        age = depth.oldest_age_seconds or 0.0
        telemetry.queue_depth(name, depth.messages, age)
        log.info("queue_depth queue=%s depth=%s oldest_age_seconds=%.0f", name, depth.messages, age)

"""A sweep's status document, and its closing event. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from shared.clock import to_text
from shared.ledger.tally import Totals
from shared.results.event import Event, error_wire
from shared.retention.sweep import Count, Sweep

DONE: Final = "batch.retention-sweep.done"
LOST_AFTER: Final = timedelta(days=1)


def status_of(sweep: Sweep, totals: Totals, now: datetime) -> dict[str, Any]:
    """The status document; `totals` counts its requests that have rows."""
    return {
        **_summary(sweep),
        "policies": [_policy(count) | {"sample": list(count.sample)} for count in sweep.counts],
        "open": 0 if _is_over(sweep, totals, now) else open_of(sweep, totals.done),
        "done": dict(totals.done),
    }


def open_of(sweep: Sweep, done: Mapping[str, int]) -> int:
    """The number of requests that are not done, with rows or without."""
    return max(0, sweep.requested - sum(done.values()))


def _is_over(sweep: Sweep, totals: Totals, now: datetime) -> bool:
    """Whether requests without rows count as lost: nothing has moved for a day. The next sweep finds their tasks."""
    if sweep.ended_at is None or totals.open > 0:
        return False
    moved_at = max(to_text(sweep.ended_at), totals.touched_at)
    return moved_at < to_text(now - LOST_AFTER)


def closing_event(sweep: Sweep) -> Event:
    """The closing event of a sweep that has ended; the same however often it is published."""
    return {
        "specversion": "1.0",
        "id": str(uuid5(UUID(sweep.sweep_id), "done")),
        "source": sweep.account,
        "type": DONE,
        "time": to_text(sweep.ended_at or sweep.started_at),
        "datacontenttype": "application/json",
        "data": {**_summary(sweep), "policies": [_policy(count) for count in sweep.counts]},
    }


def _summary(sweep: Sweep) -> dict[str, Any]:
    return {
        "sweepId": sweep.sweep_id,
        "batchUrl": sweep.account,
        "state": sweep.phase.value,
        "startedAt": to_text(sweep.started_at),
        "endedAt": to_text(sweep.ended_at) if sweep.ended_at else None,
        "dryRun": sweep.dry_run,
        "jobs": sum(count.jobs for count in sweep.counts),
        "leftAlone": asdict(sweep.left_alone),
        "error": error_wire(sweep.error),
    }


def _policy(count: Count) -> dict[str, Any]:
    return {
        "name": count.name,
        "dryRun": count.dry_run,
        "jobs": count.jobs,
        "requested": count.requested,
        "kept": count.kept,
    }

"""The event that closes a clean-up: everything is listed, or it could not be carried out."""

from __future__ import annotations

import hashlib
from datetime import datetime

from shared.batch.reply import ErrorBody
from shared.cleanup.event import PartialEvent, closing_id
from shared.cleanup.record import Cleanup, Phase
from shared.clock import to_text
from shared.ledger.record import DRY_RUN_SUFFIX, Outcome
from shared.results.event import Event, dry_run_mark, error_wire
from shared.results.result import result_id

LISTED = "batch.job-cleanup.listed"
DONE = "batch.job-cleanup.done"


def closing_event(cleanup: Cleanup) -> Event:
    """The closing event of a clean-up that has ended."""
    data: dict[str, object]
    if cleanup.phase is Phase.LISTED:
        name, kind, data = (
            "listed",
            LISTED,
            {
                "jobState": cleanup.job_state,
                "listed": cleanup.requested + cleanup.skipped,
                "requested": cleanup.requested,
                "skipped": cleanup.skipped,
            },
        )
    else:
        # An expired message may be a copy of one that failed: two ends, which need different ids.
        name = Outcome.EXPIRED.value if cleanup.outcome is Outcome.EXPIRED else "done"
        kind, data = DONE, {"outcome": cleanup.outcome and cleanup.outcome.value, "error": error_wire(cleanup.error)}
    event = cleanup.event
    return _event(
        closing_id(event.event_id, name + _suffix(cleanup)),
        kind,
        event.batch_url,
        cleanup.ended_at or cleanup.accepted_at,
        event.job_id,
        {
            "eventId": event.event_id,
            "jobId": event.job_id,
            "batchUrl": event.batch_url,
            **data,
            **dry_run_mark(dry_run=event.dry_run),
        },
        event.traceparent,
    )


def _suffix(cleanup: Cleanup) -> str:
    """Gives redriven clean-ups and dry runs different closing ids."""
    generation = f".{cleanup.generation}" if cleanup.generation else ""
    return (DRY_RUN_SUFFIX if cleanup.event.dry_run else "") + generation


def refusal_event(body: bytes, error: ErrorBody, partial: PartialEvent, default_account: str, now: datetime) -> Event:
    """The closing event for an invalid message.

    Its id is derived from the body, so that a poison copy gets the same one, and from the event's id, if that is valid.
    The event's id alone is not enough: a valid message, earlier or later, may have the same one.
    """
    digest = hashlib.sha256(body).hexdigest()
    return _event(
        closing_id(partial.event_id, f"rejected.{digest}") if partial.event_id else result_id("rejected", digest),
        DONE,
        partial.batch_url or default_account,
        now,
        partial.job_id,
        {
            "eventId": partial.event_id,
            "jobId": partial.job_id,
            "batchUrl": partial.batch_url,
            "outcome": "rejected",
            "error": error_wire(error),
            **dry_run_mark(dry_run=partial.dry_run),
        },
    )


def _event(
    event_id: str,
    kind: str,
    source: str,
    time: datetime,
    job_id: str | None,
    data: dict[str, object],
    traceparent: str | None = None,
) -> Event:
    event: Event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "time": to_text(time),
        "datacontenttype": "application/json",
        "data": data,
    }
    if job_id:
        event["subject"] = f"jobs/{job_id}"
    if traceparent:
        event["traceparent"] = traceparent
    return event

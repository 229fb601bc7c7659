"""The row of one job's clean-up; one per event id."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.batch.reply import ErrorBody
from shared.cleanup.event import JobEvent, to_wire
from shared.ledger.record import Outcome


class Phase(StrEnum):
    """The state of a clean-up."""

    WAITING = "waiting"
    """For its job to be completed."""
    LISTING = "listing"
    LISTED = "listed"
    """All deletions are requested, and continue without the clean-up."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Cancelled before everything was listed. One that is cancelled later stays `listed`."""


ENDED = frozenset({Phase.LISTED, Phase.FAILED, Phase.CANCELLED})


@dataclass(frozen=True)
class Stand:
    """How many of a clean-up's requests the daily round found open, and since when that number has not changed."""

    open: int
    since: datetime


@dataclass(frozen=True)
class Cleanup:
    """One row."""

    event: JobEvent
    payload_hash: str
    accepted_at: datetime
    phase: Phase = Phase.WAITING
    generation: int = 0
    step: int = 0
    """The number of the next step."""
    step_message: str | None = None
    """Id of the message that did the previous step."""
    attempts: int = 0
    """Consecutive failures of the current step."""
    next_page: str | None = None
    """The continuation after the last recorded page, from its first listing; None if that was the last page."""
    link_mark: str = ""
    """Digest of an earlier continuation, see `pages.leads_back`."""
    skipped: int = 0
    """Completed tasks that are kept."""
    requested: int = 0
    """Set once everything is listed; until then, use `asked` or the tally."""
    with_rows: bool = False
    """Its requests get rows before their messages are sent, and the tally counts them.

    True with delays, because messages would then be queued for days, and whenever a job is listed again, because it is
    unknown which deletions were requested before.
    """
    asked: int = 0
    """The number of requests made so far, if they have no rows before their first claim."""
    page_ids: bytes = b""
    """The shortened ids of such requests on the last recorded page."""
    job_state: str | None = None
    first_listed_at: datetime | None = None
    """When the first page was listed in this generation: a task that ended later was never part of it."""
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    error: ErrorBody | None = None
    cancelled_at: datetime | None = None
    """When it was cancelled, whether before or after everything was listed."""
    is_relisting: bool = False
    """It is `listed`, and its job is being listed again for lost requests."""
    stand: Stand | None = None
    """None until the daily round has looked, and once nothing is open."""
    is_settled: bool = False
    """The daily round found nothing open and need not look again."""
    place: str | None = None
    """Its key in the list of clean-ups; None in rows of versions before there was a list."""
    etag: str | None = field(default=None, compare=False)

    @property
    def has_ended(self) -> bool:
        return self.phase in ENDED


def event_hash(event: JobEvent) -> str:
    """SHA-256 of an event's payload, which distinguishes a repeat from a conflict.

    `metadata` and `traceparent` do not count.
    """
    body = to_wire(event) | {"jobId": event.job_id.lower()}
    body = {name: value for name, value in body.items() if name not in {"clientRequestId", "metadata", "traceparent"}}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def new_cleanup(event: JobEvent, accepted_at: datetime) -> Cleanup:
    """The clean-up that an event starts."""
    return Cleanup(event, event_hash(event), accepted_at)

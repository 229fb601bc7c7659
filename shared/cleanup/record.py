"""What is remembered of one job's clean-up: one row per event id."""

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
    """Where a clean-up stands."""

    WAITING = "waiting"
    """For its job to be completed."""
    LISTING = "listing"
    LISTED = "listed"
    """Every task was asked for; the deletions go on by themselves."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Before all was listed. One that had listed all stays `listed` when it is cancelled."""


ENDED = frozenset({Phase.LISTED, Phase.FAILED, Phase.CANCELLED})


@dataclass(frozen=True)
class Stand:
    """How many requests of a clean-up were open when the daily round looked, and since when it was as many."""

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
    """The step that comes next."""
    step_message: str | None = None
    """Id of the message that did the last one."""
    attempts: int = 0
    """Failures in a row at the present step."""
    next_page: str | None = None
    """Where the page after the last one begins, as its first listing said; None when there is none."""
    skipped: int = 0
    """Completed tasks that are left alone."""
    requested: int = 0
    """Told when all is listed; until then `asked` or the tally tells."""
    with_rows: bool = False
    """Its requests have rows before their messages, and the tally tells how many there are.

    So it is with delays, whose messages would be out for days, and whenever a job is listed again, since nobody knows
    which of its tasks were asked for before.
    """
    asked: int = 0
    """Requests of its pages, where these have no rows before their first claim."""
    page_ids: bytes = b""
    """Of the page that was recorded last: the ids of such requests, shortened."""
    job_state: str | None = None
    first_listed_at: datetime | None = None
    """When the first page was listed in this generation: a task that ended later was never part of it."""
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    error: ErrorBody | None = None
    cancelled_at: datetime | None = None
    """When somebody cancelled it, whether before or after all was listed."""
    is_relisting: bool = False
    """It is `listed`, and its job is listed again for what was lost."""
    stand: Stand | None = None
    """None until the daily round looked, and once nothing was open."""
    is_settled: bool = False
    """The daily round found nothing open: it need not look again."""
    place: str | None = None
    """Where it stands in the list of clean-ups; None in a row of a version that had no such list."""
    etag: str | None = field(default=None, compare=False)

    @property
    def has_ended(self) -> bool:
        return self.phase in ENDED


def event_hash(event: JobEvent) -> str:
    """SHA-256 of what an event asks for, by which a repeat is told from a conflict.

    `metadata` and `traceparent` do not count.
    """
    wish = to_wire(event) | {"jobId": event.job_id.lower()}
    wish = {name: value for name, value in wish.items() if name not in {"clientRequestId", "metadata", "traceparent"}}
    return hashlib.sha256(json.dumps(wish, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def new_cleanup(event: JobEvent, accepted_at: datetime) -> Cleanup:
    """The clean-up that an event begins."""
    return Cleanup(event, event_hash(event), accepted_at)

"""What is remembered of one job's clean-up: one row per event id, in the request table.

Each message of a clean-up carries a step number. The row says which step is done and by which message, so that
a redelivery repeats its own step, and a duplicate of one that another message has done is dropped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.batch.reply import BatchError
from shared.cleanup.event import JobEvent, to_wire
from shared.clock import from_text, to_text
from shared.ledger.entity import error_from, error_text
from shared.ledger.record import DRY_RUN_SUFFIX, Key
from shared.parsing.grammar import MAX_DELAY
from shared.storage.table import Found, Table, Write


class Phase(StrEnum):
    """Where a clean-up stands."""

    WAITING = "waiting"
    """For its job to be completed."""
    LISTING = "listing"
    LISTED = "listed"
    """Every task was asked for; the deletions go on by themselves."""
    FAILED = "failed"


ENDED = frozenset({Phase.LISTED, Phase.FAILED})


class Place(StrEnum):
    """What a message is to its clean-up."""

    NEXT = "next"
    AGAIN = "again"
    """A redelivery of the message that did the step: it may have died before the step's end."""
    ENDED = "ended"
    """The clean-up is over: it is closed again under the same id, and never carried out again."""
    PASSED = "passed"
    """Another message did this step, and its own successor is on its way."""
    CONFLICT = "conflict"


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
    step_message: str = ""
    """Id of the message that did the last one."""
    attempts: int = 0
    """Failures in a row at the present step."""
    next_page: str = ""
    """Where the page after the last one begins, as its first listing said; empty when there is none."""
    skipped: int = 0
    """Completed tasks that the event does not select."""
    requested: int = 0
    """Told when all is listed; until then the tally tells."""
    job_state: str = ""
    ended_at: datetime | None = None
    outcome: str = ""
    error: BatchError | None = None
    etag: str | None = field(default=None, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        return cleanup_key(self.event.event_id, dry_run=self.event.dry_run)


def cleanup_key(event_id: str, *, dry_run: bool) -> tuple[str, str]:
    """Partition and row of a clean-up; a dry run has its own id space."""
    return Key(event_id).bucket, f"cleanup:{event_id}{DRY_RUN_SUFFIX if dry_run else ''}"


def event_hash(event: JobEvent) -> str:
    """SHA-256 of what an event asks for, by which a repeat is told from a conflict.

    `metadata` and `traceparent` do not count.
    """
    wish = to_wire(event) | {"jobId": event.job_id.lower()}
    wish = {name: value for name, value in wish.items() if name not in {"clientRequestId", "metadata", "traceparent"}}
    return hashlib.sha256(json.dumps(wish, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


CLEANUP_ROWS = "RowKey ge 'cleanup:' and RowKey lt 'cleanup;'"
"""Filter for the rows of clean-ups: with the key bounded, a query need not go through a whole partition."""


def new_cleanup(event: JobEvent, accepted_at: datetime) -> Cleanup:
    """The clean-up that an event begins."""
    return Cleanup(event, event_hash(event), accepted_at)


def place_of(cleanup: Cleanup | None, wanted: Cleanup, step: int, message_id: str) -> Place:
    """What a message with this step is to the row as just read."""
    if cleanup is None:
        return Place.NEXT
    if cleanup.payload_hash != wanted.payload_hash:
        return Place.CONFLICT
    if cleanup.phase in ENDED:
        # Also for the message that ended it: Batch may say something else by now, and the end has been told.
        return Place.ENDED
    if cleanup.step == step:
        return Place.NEXT
    return Place.AGAIN if cleanup.step == step + 1 and cleanup.step_message == message_id else Place.PASSED


class CleanupStore:
    """Clean-ups in the request table. Every method may raise StorageUnavailable."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def read(self, event_id: str, *, dry_run: bool) -> Cleanup | None:
        """The clean-up of an event, or None."""
        found = self.table.read(*cleanup_key(event_id, dry_run=dry_run))
        return self.of(found) if found else None

    @staticmethod
    def of(found: Found) -> Cleanup:
        """The clean-up in a row as read. Raises KeyError or ValueError for one that no version of this app writes."""
        return _from_entity(found.entity, found.etag)

    def write(self, before: Cleanup | None, after: Cleanup, now: datetime) -> Cleanup | None:
        """Inserts (`before` is None) or replaces all columns; None when the row changed meanwhile."""
        etag = self.table.write(Write(_to_entity(after, now), before.etag if before else None))
        return replace(after, etag=etag) if etag else None


def _to_entity(cleanup: Cleanup, now: datetime) -> dict[str, Any]:
    partition, row = cleanup.key
    kept_longer = MAX_DELAY if cleanup.event.delete_after and cleanup.phase in ENDED else timedelta()
    return {
        "PartitionKey": partition,
        "RowKey": row,
        "event": json.dumps(to_wire(cleanup.event), separators=(",", ":")),
        "payload_hash": cleanup.payload_hash,
        "accepted_at": to_text(cleanup.accepted_at),
        "phase": cleanup.phase.value,
        "generation": cleanup.generation,
        "step": cleanup.step,
        "step_message": cleanup.step_message,
        "attempts": cleanup.attempts,
        "next_page": cleanup.next_page,
        "skipped": cleanup.skipped,
        "requested": cleanup.requested,
        "job_state": cleanup.job_state,
        "ended_at": to_text(cleanup.ended_at) if cleanup.ended_at else "",
        "outcome": cleanup.outcome,
        "error": error_text(cleanup.error),
        # Remembered for as long as its tasks may still wait to be deleted.
        "touched_at": to_text(now + kept_longer),
    }


def _from_entity(entity: Mapping[str, Any], etag: str) -> Cleanup:
    return Cleanup(
        event=JobEvent.model_validate(json.loads(entity["event"]), by_alias=True, by_name=False),
        payload_hash=entity["payload_hash"],
        accepted_at=from_text(entity["accepted_at"]),
        phase=Phase(entity["phase"]),
        generation=entity["generation"],
        step=entity["step"],
        step_message=entity["step_message"],
        attempts=entity["attempts"],
        next_page=entity["next_page"],
        skipped=entity["skipped"],
        requested=entity["requested"],
        job_state=entity["job_state"],
        ended_at=from_text(entity["ended_at"]) if entity["ended_at"] else None,
        outcome=entity["outcome"],
        error=error_from(entity["error"]),
        etag=etag,
    )

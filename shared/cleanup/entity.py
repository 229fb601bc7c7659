"""Converts a clean-up to and from its table row, and makes its row in the list of clean-ups. Pure.

    cleanup:<event id>[.dry-run]                            the clean-up
    cleanup:time:<inverted milliseconds>:<event id>[...]    its place in the list, newest first

Both are in the partition of the event's id and are written in one transaction, so neither exists without the other.
A page of the list is merged from the first rows of the sixteen partitions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.cleanup.event import JobEvent, to_wire
from shared.cleanup.record import Cleanup, Phase, Stand
from shared.clock import from_text, moment_in, moment_text, to_text
from shared.errors import CorruptRecord
from shared.ledger.entity import error_from, error_text
from shared.ledger.record import DRY_RUN_SUFFIX, Key, Outcome
from shared.parsing.grammar import MAX_DELAY
from shared.storage.query import Query

Entity = dict[str, Any]

IN_LIST = "cleanup:time:"
PLACE = re.compile(r"[0-9]{15}:[0-9a-f-]{36}(?:\.dry-run)?")
_END_OF_TIME = 253_402_300_799_999
"""The end of the year 9999 in milliseconds; subtracting a time from it sorts the newest first."""


def both_rows(bucket: str) -> Query:
    """Both kinds of rows. The key range keeps a query from scanning a whole partition."""
    return Query(bucket).from_row("cleanup:", "cleanup;")


def cleanup_rows(bucket: str) -> Query:
    """Clean-ups only: their ids start with a hexadecimal digit."""
    return Query(bucket).from_row("cleanup:0", "cleanup:g")


def cleanup_key(event_id: str, *, dry_run: bool) -> tuple[str, str]:
    """Partition and row key of a clean-up. The ids of dry runs are kept apart."""
    return Key(event_id).bucket, f"cleanup:{event_id}{DRY_RUN_SUFFIX if dry_run else ''}"


def place_of(cleanup: Cleanup) -> str:
    """A clean-up's key in the list: by when it was first accepted, even after a redrive."""
    if cleanup.place is not None:
        return cleanup.place
    # From the stored text, because rounding the exact time could give other milliseconds later.
    since = round(from_text(to_text(cleanup.accepted_at)).timestamp() * 1000)
    suffix = DRY_RUN_SUFFIX if cleanup.event.dry_run else ""
    return f"{_END_OF_TIME - since:015d}:{cleanup.event.event_id}{suffix}"


def key_of_place(place: str) -> tuple[str, bool]:
    """The event id of a row in the list, and whether it is a dry run."""
    row = place.partition(":")[2]
    return row.removesuffix(DRY_RUN_SUFFIX), row.endswith(DRY_RUN_SUFFIX)


def list_entity(cleanup: Cleanup, now: datetime) -> Entity:
    """The row in the list, with the columns for filtering and purging."""
    partition, _ = cleanup_key(cleanup.event.event_id, dry_run=cleanup.event.dry_run)
    return {
        "PartitionKey": partition,
        "RowKey": IN_LIST + place_of(cleanup),
        "phase": cleanup.phase.value,
        "touched_at": to_text(kept_from(cleanup, now)),
    }


def to_entity(cleanup: Cleanup, now: datetime) -> Entity:
    """The row. None becomes the empty string, because a merge cannot remove a column."""
    partition, row = cleanup_key(cleanup.event.event_id, dry_run=cleanup.event.dry_run)
    return {
        "PartitionKey": partition,
        "RowKey": row,
        "event": json.dumps(to_wire(cleanup.event), separators=(",", ":")),
        "payload_hash": cleanup.payload_hash,
        "accepted_at": to_text(cleanup.accepted_at),
        "phase": cleanup.phase.value,
        "generation": cleanup.generation,
        "step": cleanup.step,
        "step_message": cleanup.step_message or "",
        "attempts": cleanup.attempts,
        "next_page": cleanup.next_page or "",
        "link_mark": cleanup.link_mark,
        "skipped": cleanup.skipped,
        "requested": cleanup.requested,
        "with_rows": cleanup.with_rows,
        "asked": cleanup.asked,
        "page_ids": cleanup.page_ids,
        "job_state": cleanup.job_state or "",
        "first_listed_at": moment_text(cleanup.first_listed_at),
        "ended_at": moment_text(cleanup.ended_at),
        "outcome": cleanup.outcome.value if cleanup.outcome else "",
        "error": error_text(cleanup.error),
        "cancelled_at": moment_text(cleanup.cancelled_at),
        "is_relisting": cleanup.is_relisting,
        "stand_open": cleanup.stand.open if cleanup.stand else 0,
        "stand_since": moment_text(cleanup.stand.since if cleanup.stand else None),
        "is_settled": cleanup.is_settled,
        "place": place_of(cleanup),
        "touched_at": to_text(kept_from(cleanup, now)),
    }


def from_entity(entity: Mapping[str, Any], etag: str) -> Cleanup:
    """Parses a row.

    Raises:
        CorruptRecord: no version of this app writes such a row.
    """
    try:
        return _read(entity, etag)
    except (KeyError, ValueError, TypeError) as fault:
        raise CorruptRecord(f"row {entity.get('RowKey')}: {type(fault).__name__}: {fault}", etag) from fault


def _read(entity: Mapping[str, Any], etag: str) -> Cleanup:
    since = moment_in(entity.get("stand_since"))
    return Cleanup(
        event=JobEvent.model_validate(json.loads(entity["event"]), by_alias=True, by_name=False),
        payload_hash=entity["payload_hash"],
        accepted_at=from_text(entity["accepted_at"]),
        phase=Phase(entity["phase"]),
        generation=entity["generation"],
        step=entity["step"],
        step_message=entity["step_message"] or None,
        attempts=entity["attempts"],
        next_page=entity["next_page"] or None,
        skipped=entity["skipped"],
        requested=entity["requested"],
        job_state=entity["job_state"] or None,
        # `get` for columns that rows of older versions do not have.
        with_rows=entity.get("with_rows", True),
        asked=entity.get("asked", 0),
        page_ids=entity.get("page_ids", b""),
        link_mark=entity.get("link_mark", ""),
        first_listed_at=moment_in(entity.get("first_listed_at")),
        ended_at=moment_in(entity["ended_at"]),
        outcome=Outcome(entity["outcome"]) if entity["outcome"] else None,
        error=error_from(entity["error"]),
        cancelled_at=moment_in(entity.get("cancelled_at")),
        is_relisting=entity.get("is_relisting", False),
        stand=Stand(entity["stand_open"], since) if since else None,
        is_settled=entity.get("is_settled", False),
        place=entity.get("place") or None,
        etag=etag,
    )


def kept_from(cleanup: Cleanup, now: datetime) -> datetime:
    """When its retention starts: at its end, or with delays not before its last request can be due."""
    if not cleanup.has_ended:
        return now
    return (cleanup.ended_at or now) + (MAX_DELAY if cleanup.event.delete_after else timedelta())

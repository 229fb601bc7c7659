"""Converts a sweep to and from its table row.

What operators search for is in separate columns; the rest, whose size depends on the account, is packed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any, Final

from shared.clock import from_text, moment_in, moment_text, to_text
from shared.errors import CorruptRecord
from shared.ledger.entity import error_from, error_text
from shared.ledger.record import Key
from shared.retention.agenda import WAITS_FOR_REQUESTS
from shared.retention.sweep import Asked, Count, LeftAlone, PendingJob, Phase, Place, Sweep, mark_of_id
from shared.storage.table import RowWrite, StoredRow, Table

MOST_BYTES: Final = 60 * 1024
"""The most for one binary column; the service's limit is 64 KiB.

https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model#property-types
"""


_MARKS: Final = ("jobs_seen", "jobs_met", "tasks_seen", "tasks_met", "held_back")
_COUNT_FIELDS: Final = {each.name for each in fields(Count)}


class SweepStore:
    """Sweeps in the request table. Every method may raise StorageUnavailable."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, sweep_id: str) -> Sweep | None:
        """The sweep with this id, or None. Raises CorruptRecord for a row that no version of this app writes."""
        found = self._table.read(*sweep_key(sweep_id))
        return sweep_of(found) if found else None

    def write(self, before: Sweep | None, after: Sweep, now: datetime) -> Sweep | None:
        """Inserts (`before` is None) or replaces; None if the row has changed since it was read."""
        etag = self._table.write(RowWrite(to_entity(after, now), before.etag if before else None))
        return replace(after, etag=etag) if etag else None

    def drop(self, sweep: Sweep) -> bool:
        """Deletes a sweep's row; False if the row has changed since it was read."""
        partition, row = sweep_key(sweep.sweep_id)
        return self._table.delete_group([StoredRow({"PartitionKey": partition, "RowKey": row}, sweep.etag or "")])


def sweep_key(sweep_id: str) -> tuple[str, str]:
    """Partition and row key of a sweep, in the same partition as the counts of its requests."""
    return Key(sweep_id).bucket, f"sweep:{sweep_id}"


def to_entity(sweep: Sweep, now: datetime) -> dict[str, Any]:
    """The row of a sweep."""
    partition, row = sweep_key(sweep.sweep_id)
    packed = zlib.compress(json.dumps(_packed(sweep), separators=(",", ":")).encode("ascii"))
    parts = [packed[at : at + MOST_BYTES] for at in range(0, len(packed), MOST_BYTES)]
    return {
        "PartitionKey": partition,
        "RowKey": row,
        "sweep_id": sweep.sweep_id,
        "account": sweep.account,
        "phase": sweep.phase.value,
        "dry_run": sweep.dry_run,
        "policy": sweep.policy,
        "policies_digest": sweep.policies_digest,
        "started_at": to_text(sweep.started_at),
        "ended_at": moment_text(sweep.ended_at),
        "due_at": to_text(sweep.due_at),
        "is_stopping": sweep.is_stopping,
        "step": sweep.step,
        "step_message": sweep.step_message,
        "attempts": sweep.attempts,
        "tries": sweep.tries,
        "error": error_text(sweep.error),
        # Kept for as long as its last requests may take.
        "touched_at": to_text(now + WAITS_FOR_REQUESTS if sweep.has_ended else now),
        "parts": len(parts),
        **{f"part_{number}": part for number, part in enumerate(parts)},
    }


def sweep_of(found: StoredRow) -> Sweep:
    """Parses a row. Raises CorruptRecord for one that no version of this app writes."""
    entity = found.entity
    try:
        return _from_entity(entity, found.etag)
    except (KeyError, ValueError, TypeError, zlib.error) as fault:
        raise CorruptRecord(f"row {entity.get('RowKey')}: {type(fault).__name__}: {fault}") from fault


def _count(packed: Mapping[str, Any]) -> Count:
    """One policy's count. Earlier versions wrote more fields, and one job where there are several now."""
    known = {name: value for name, value in packed.items() if name in _COUNT_FIELDS}
    lists = {name: tuple(known[name]) for name in ("sample", "begin_after", "reached_at")}
    if "goes_on_at" in packed:
        ids = {name: known[name] for name in ("begin_after", "reached_at")}
        lists |= {name: (mark_of_id(job_id),) if job_id else () for name, job_id in ids.items()}
    return Count(**(known | lists))


def _packed(sweep: Sweep) -> dict[str, Any]:
    place = sweep.place
    return {
        "counts": [asdict(count) for count in sweep.counts],
        "leftAlone": asdict(sweep.left_alone),
        "passedOver": sweep.passed_over,
        "place": asdict(replace(place, pending=())) | {"pending": [(job.job_id, job.policy) for job in place.pending]},
        "asked": [(each.job_id, each.task_id, each.etag, each.policy) for each in sweep.asked],
    }


def _from_entity(entity: Mapping[str, Any], etag: str) -> Sweep:
    packed = json.loads(zlib.decompress(b"".join(bytes(entity[f"part_{n}"]) for n in range(int(entity["parts"])))))
    place = packed["place"]
    seen = {name: tuple(place[name]) for name in _MARKS if name in place}
    return Sweep(
        sweep_id=entity["sweep_id"],
        account=entity["account"],
        started_at=from_text(entity["started_at"]),
        policies_digest=entity["policies_digest"],
        counts=tuple(map(_count, packed["counts"])),
        due_at=from_text(entity["due_at"]),
        dry_run=entity["dry_run"],
        policy=entity["policy"],
        phase=Phase(entity["phase"]),
        is_stopping=entity["is_stopping"],
        ended_at=moment_in(entity["ended_at"]),
        error=error_from(entity["error"]),
        left_alone=LeftAlone(**packed["leftAlone"]),
        passed_over=tuple((job_id, reason) for job_id, reason in packed["passedOver"]),
        place=Place(**(place | seen | {"pending": tuple(PendingJob(*job) for job in place["pending"])})),
        step=entity["step"],
        step_message=entity["step_message"],
        attempts=entity["attempts"],
        tries=entity["tries"],
        asked=tuple(Asked(*each) for each in packed["asked"]),
        etag=etag,
    )

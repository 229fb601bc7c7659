"""The daily round: forget what is past retention, put back what is stuck, send what is owed.

Bucket by bucket and page by page, within a time box; a cursor in the table says where the next round goes on.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.cleanup.record import CLEANUP_ROWS, ENDED
from shared.cleanup.upkeep import CleanupUpkeep
from shared.clock import Clock, to_text
from shared.deletion.acceptance import Dispatcher
from shared.deletion.claiming import Postponed, row_of
from shared.deletion.owed import OwedResults
from shared.errors import CorruptRecord, StorageUnavailable
from shared.ledger.entity import from_entity
from shared.ledger.record import Record, State
from shared.ledger.tally import BUCKETS
from shared.ledger.work import Work
from shared.settings import Settings
from shared.storage.table import Found, Table, Write

log = logging.getLogger(__name__)

CURSOR = ("housekeeping", "cursor")
PAGE = 1_000
STUCK_AFTER = timedelta(hours=1)
OWED_AFTER = timedelta(minutes=15)
"""Whoever marked the row sends its result at once; later than this it will not come any more."""


@dataclass(frozen=True)
class HousekeepingParts:
    """What the daily round is put together from."""

    settings: Settings
    clock: Clock
    records: Table
    dispatcher: Dispatcher
    owed: OwedResults
    cleanups: CleanupUpkeep


class Housekeeping:
    """Keeps the request table small and every open request reachable. Raises StorageUnavailable."""

    def __init__(self, parts: HousekeepingParts) -> None:
        self._parts = parts

    def round(self, seconds: float) -> Counter[str]:
        """Goes through all buckets once, or until the time is over; counts what was done."""
        deadline = self._parts.clock.monotonic() + seconds
        done: Counter[str] = Counter()
        faults: list[StorageUnavailable] = []
        for bucket in self._from_cursor():
            for task in (self._purge, self._send_owed, self._put_back_stuck, self._put_back_cleanups):
                if self._parts.clock.monotonic() >= deadline:
                    self._keep_cursor(bucket)
                    log.warning("housekeeping unfinished=true bucket=%s %s", bucket, _counts(done))
                    return done
                try:
                    done += task(bucket, deadline)
                except StorageUnavailable as fault:
                    # One bucket in trouble must not keep the others from their round, night after night.
                    faults.append(fault)
        self._keep_cursor("")
        log.info("housekeeping unfinished=false %s", _counts(done))
        if faults:
            raise faults[0]
        return done

    def _purge(self, bucket: str, deadline: float) -> Counter[str]:
        """Forgets what has been done for longer than retention. A row that is not done is never purged."""
        before = self._parts.clock.now() - timedelta(days=self._parts.settings.retention_days)
        # A request that was taken back before it was due still has a message, which would bring it to life again.
        over = f"completed_at lt '{to_text(before)}' and due_at lt '{to_text(before)}'"
        done = f"state eq 'done' and {over} and emit_pending eq false"
        untouched = f"touched_at lt '{to_text(before)}'"
        cleanups = (f"{CLEANUP_ROWS} and phase eq '{phase.value}' and {untouched}" for phase in ENDED)
        counts: Counter[str] = Counter()
        for filter_text in (done, f"RowKey ge 'tally:' and RowKey lt 'tally;' and {untouched}", *cleanups):
            for rows in self._pages(
                f"PartitionKey eq '{bucket}' and {filter_text}", deadline, ["PartitionKey", "RowKey"]
            ):
                for start in range(0, len(rows), 100):
                    group = rows[start : start + 100]
                    # Somebody may have redriven one of them since it was read: then the next round takes the rest.
                    counts["purged"] += len(group) if self._parts.records.delete_group(group) else 0
        return counts

    def _send_owed(self, bucket: str, deadline: float) -> Counter[str]:
        counts: Counter[str] = Counter()
        since = to_text(self._parts.clock.now() - OWED_AFTER)
        marked = f"PartitionKey eq '{bucket}' and emit_pending eq true and completed_at lt '{since}'"
        for rows in self._pages(marked, deadline):
            for record in _records(rows):
                self._parts.owed.send(record)
                counts["emitted"] += 1
        return counts

    def _put_back_stuck(self, bucket: str, deadline: float) -> Counter[str]:
        """Sends a new message for what is long due and nobody works on: its own message must be gone."""
        counts: Counter[str] = Counter()
        now = self._parts.clock.now()
        for open_state in (State.ACCEPTED, State.CLAIMED):
            for rows in self._pages(f"PartitionKey eq '{bucket}' and state eq '{open_state.value}'", deadline):
                stuck = [record for record in _records(rows) if is_stuck(record, now)]
                for record in stuck:
                    self._put_back(record, now)
                counts["put_back"] += len(stuck)
        return counts

    def _put_back(self, record: Record, now: datetime) -> None:
        row = row_of(record)
        work = Work((row,), record.origin, record.accepted_at, record.parent_id)
        self._parts.dispatcher.send([Postponed(row, now)], work)
        log.warning("put_back request_id=%s state=%s", record.request.client_request_id, record.state.value)

    def _put_back_cleanups(self, bucket: str, deadline: float) -> Counter[str]:
        counts: Counter[str] = Counter()
        for filter_text in self._parts.cleanups.stuck(bucket):
            for rows in self._pages(filter_text, deadline):
                counts["put_back"] += sum(self._parts.cleanups.put_back(row) for row in rows)
        return counts

    def _pages(
        self, filter_text: str, deadline: float, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[Found, ...]]:
        continuation = None
        while True:
            page = self._parts.records.query(filter_text, columns, PAGE, continuation)
            yield page.rows
            continuation = page.continuation
            if continuation is None or self._parts.clock.monotonic() >= deadline:
                return

    def _from_cursor(self) -> str:
        found = self._parts.records.read(*CURSOR)
        start = BUCKETS.find(str(found.entity["bucket"])) if found and found.entity["bucket"] else 0
        return BUCKETS[start:] + BUCKETS[:start]

    def _keep_cursor(self, bucket: str) -> None:
        found = self._parts.records.read(*CURSOR)
        entity = {"PartitionKey": CURSOR[0], "RowKey": CURSOR[1], "bucket": bucket}
        self._parts.records.write(Write(entity, found.etag if found else None))


def is_stuck(record: Record, now: datetime) -> bool:
    """Whether a request has been due for over an hour with no live claim."""
    if record.state is State.CLAIMED and record.claim and now < record.claim.expires_at:
        return False
    due = record.next_attempt_at or (record.claim.expires_at if record.claim else None) or record.due_at
    return now - max(due or record.accepted_at, record.accepted_at) > STUCK_AFTER


def _records(rows: Sequence[Found]) -> Iterator[Record]:
    for found in rows:
        try:
            yield from_entity(found.entity, found.etag)
        except CorruptRecord:
            log.exception("corrupt_record row=%s", found.entity.get("RowKey"))


def _counts(done: Counter[str]) -> str:
    return " ".join(f"{name}={done[name]}" for name in ("purged", "emitted", "put_back"))

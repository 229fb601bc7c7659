"""The daily round: requeues stuck requests, sends unsent results, and purges what is past retention.

What each step looks for and does is here; how the steps go through the table is in `round`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.cleanup.upkeep import CleanupUpkeep
from shared.clock import Clock, to_text
from shared.deletion.acceptance import Dispatcher
from shared.deletion.outbox import Outbox
from shared.errors import StorageUnavailable
from shared.ledger.entity import from_entity
from shared.ledger.record import Record, State
from shared.ledger.store import readable_rows
from shared.ledger.tally import BUCKETS
from shared.operations.round import Round, Step
from shared.retention.forgetting import COLUMNS, forgettable_counts, forgettable_sweeps
from shared.settings import POISON_SUFFIX, Settings
from shared.storage.query import Query
from shared.storage.queues import Queues
from shared.storage.table import StoredRow, Table

log = logging.getLogger(__name__)
KEYS = ("PartitionKey", "RowKey")
STUCK_AFTER = timedelta(hours=1)
OWED_AFTER = timedelta(minutes=15)
"""The writer that sets the mark normally sends the result immediately. After this long, assume it died."""


@dataclass(frozen=True)
class Housekeeping:
    """Keeps the request table small, and every open request reachable. Raises StorageUnavailable."""

    settings: Settings
    clock: Clock
    records: Table
    queues: Queues
    dispatcher: Dispatcher
    outbox: Outbox
    cleanups: CleanupUpkeep

    def round(self, seconds: float) -> Counter[str]:
        """Goes through all buckets once, or until the time is over; returns counts of what was done."""
        this = Round(self.records, self.clock, seconds)
        oldest = self._oldest_message(this.faults)
        stopped = this.run({bucket: self.steps(bucket, oldest) for bucket in BUCKETS})
        done = " ".join(f"{name}={this.done[name]}" for name in ("purged", "emitted", "put_back"))
        if stopped is not None:
            log.warning("housekeeping unfinished=true bucket=%s %s", stopped, done)
            return this.done
        log.info("housekeeping unfinished=false %s", done)
        if this.faults:
            raise this.faults[0]
        return this.done

    def steps(self, bucket: str, oldest: datetime | None) -> list[Step]:
        """The steps for one bucket; open requests come first, because callers wait for them.

        `oldest` is when the oldest visible message on the request queue was put; None when there is none.
        """
        now, here = self.clock.now(), Query(bucket)
        before = to_text(now - timedelta(days=self.settings.retention_days))
        # A cancelled request may still have a delayed message; once its row is purged, that message would run it.
        done = here.where("state", "eq", State.DONE.value)
        over = done.where("completed_at", "lt", before).where("due_at", "lt", before)
        owed = here.where("emit_pending", "eq", True).where("completed_at", "lt", to_text(now - OWED_AFTER))
        counts = here.from_row("tally:", "tally;").where("touched_at", "lt", before)
        sweeps = here.from_row("sweep:", "sweep;").where("touched_at", "lt", before)
        forgotten = [over.where("emit_pending", "eq", False), *self.cleanups.forgotten(bucket, before)]
        return [
            # `accepted` and `claimed`: the states that sort before `done`.
            Step(here.where("state", "lt", State.DONE.value), lambda rows: self._requeue(rows, oldest), 16),
            *(Step(query, lambda rows: self._cleanups(rows, oldest)) for query in self.cleanups.queries(bucket)),
            Step(owed, self._send_owed),
            *(Step(query, self._purge, 100, KEYS) for query in forgotten),
            Step(sweeps, lambda rows: self._purge(forgettable_sweeps(self.records, rows, before)), 100, COLUMNS),
            Step(counts, lambda rows: self._purge(forgettable_counts(self.records, rows, before)), 100, KEYS),
        ]

    def _purge(self, rows: Sequence[StoredRow]) -> Counter[str]:
        # If one of them has been redriven since it was read, nothing is deleted, and the next round purges the rest.
        return Counter(purged=len(rows) if rows and self.records.delete_group(rows) else 0)

    def _send_owed(self, rows: Sequence[StoredRow]) -> Counter[str]:
        owed = list(readable_rows(rows, from_entity))
        for record in owed:
            self.outbox.send(record)
        return Counter(emitted=len(owed))

    def _requeue(self, rows: Sequence[StoredRow], oldest: datetime | None) -> Counter[str]:
        """Sends a new message for rows that are long overdue and have no live claim: their messages must be gone."""
        now = self.clock.now()
        stuck = [record for record in readable_rows(rows, from_entity) if is_stuck(record, now, oldest)]
        self.dispatcher.send(stuck, at=now)
        for record in stuck:
            log.warning("put_back request_id=%s state=%s", record.request.client_request_id, record.state.value)
        return Counter(put_back=len(stuck))

    def _cleanups(self, rows: Sequence[StoredRow], oldest: datetime | None) -> Counter[str]:
        return Counter(put_back=sum(self.cleanups.requeue(row, oldest) for row in rows))

    def _oldest_message(self, faults: list[StorageUnavailable]) -> datetime | None:
        """When the oldest visible message on the request queue or its poison queue was put.

        If the queues do not answer, that is a fault of the round, and nothing counts as lost.
        """
        now, name = self.clock.now(), self.settings.request_queue
        try:
            ages = [self.queues.depth(queue, now).oldest_age_seconds or 0.0 for queue in (name, name + POISON_SUFFIX)]
        except StorageUnavailable as fault:
            faults.append(fault)
            return datetime.min.replace(tzinfo=UTC)
        return now - timedelta(seconds=max(ages)) if any(ages) else None


def is_stuck(record: Record, now: datetime, oldest: datetime | None = None) -> bool:
    """Whether a request has been due for over an hour with no live claim, and its message must be gone.

    `oldest` is when the oldest visible message was put. If that is before the due time, the request's message may still
    be in the queue behind it, because a function is stopped or overloaded.
    """
    if record.state is State.CLAIMED and record.claim and now < record.claim.expires_at:
        return False
    due = max(record.due or record.accepted_at, record.accepted_at)
    return now - due > STUCK_AFTER and (oldest is None or oldest > due)

"""The daily round for clean-ups: restarts those that lost their message, and lists again those that make no progress."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.cleanup import state
from shared.cleanup.entity import both_rows, cleanup_rows, from_entity, kept_from
from shared.cleanup.fan_out import LONGEST_POLL_SECONDS
from shared.cleanup.message import Step
from shared.cleanup.queue import CleanupQueue
from shared.cleanup.record import ENDED, Cleanup, Phase
from shared.cleanup.store import CleanupStore
from shared.clock import Clock, to_text
from shared.ledger.store import readable_rows
from shared.storage.query import Query
from shared.storage.table import StoredRow

log = logging.getLogger(__name__)

A_DAY = timedelta(days=1)
STUCK_AFTER = timedelta(hours=1)
"""How long after a step was due its message counts as lost."""


@dataclass(frozen=True)
class CleanupUpkeep:
    """Requeues clean-ups that make no progress. Methods may raise StorageUnavailable."""

    retry_max_seconds: float
    retention: timedelta
    """How long a clean-up's row is kept after its end."""
    clock: Clock
    cleanups: CleanupStore
    queue: CleanupQueue

    def queries(self, bucket: str) -> list[Query]:
        """Queries for the rows of a bucket that may need to be requeued."""
        longest = timedelta(seconds=max(LONGEST_POLL_SECONDS, self.retry_max_seconds))
        since, here = to_text(self.clock.now() - longest - STUCK_AFTER), cleanup_rows(bucket)
        return [
            *(
                here.where("phase", "eq", phase.value).where("touched_at", "lt", since)
                for phase in (Phase.WAITING, Phase.LISTING)
            ),
            # `cancelled`, `failed` and `listed`: the phases of ended clean-ups sort before the others.
            here.where("phase", "le", Phase.LISTED.value).where("is_settled", "eq", False),
        ]

    def forgotten(self, bucket: str, before: str) -> list[Query]:
        """Queries for the rows of a bucket that are past retention: clean-ups, and their places in the list."""
        here = both_rows(bucket)
        return [here.where("phase", "eq", phase.value).where("touched_at", "lt", before) for phase in sorted(ENDED)]

    def requeue(self, found: StoredRow, oldest_message: datetime | None) -> bool:
        """Requeues the clean-up in a row if needed. Returns whether a message was sent.

        `oldest_message` is when the oldest visible message of the request queue was sent, None if there is none.
        """
        return any(self._requeue(cleanup, oldest_message) for cleanup in readable_rows([found], from_entity))

    def _requeue(self, cleanup: Cleanup, oldest_message: datetime | None) -> bool:
        now = self.clock.now()
        if cleanup.has_ended:
            if now - kept_from(cleanup, now) > self.retention - A_DAY:
                # It is about to be purged: a later step would find no row, and look like a late copy.
                return False
            still_open = self.cleanups.totals(cleanup).open
            after = state.after_look(cleanup, still_open, now, oldest_message)
        else:
            # From the job's first page: the current page may be recorded without its requests having been sent. Requests
            # that are sent twice are accepted once. If the lost message does turn up, it is skipped.
            after = state.begun_again(cleanup)
        written = self.cleanups.write(cleanup, after, now) if after else None
        if written is None or written.step == cleanup.step:
            return False
        self.queue.send(Step.next_of(written, None))
        log.warning("put_back event_id=%s step=%s", cleanup.event.event_id, cleanup.step)
        return True

"""The daily round of clean-ups: those whose message is gone begin again, those that stand still are listed again."""

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
from shared.storage.table import Found

log = logging.getLogger(__name__)

A_DAY = timedelta(days=1)
STUCK_AFTER = timedelta(hours=1)
"""Longer than the longest wait for a step: its message should have been seen by then."""


@dataclass(frozen=True)
class CleanupUpkeep:
    """Sees to clean-ups that nobody works on. Methods may raise StorageUnavailable."""

    retry_max_seconds: float
    retention: timedelta
    """How long a clean-up is remembered after its end."""
    clock: Clock
    cleanups: CleanupStore
    queue: CleanupQueue

    def queries(self, bucket: str) -> list[Query]:
        """Queries for the rows of a bucket that are to be looked at."""
        longest = timedelta(seconds=max(LONGEST_POLL_SECONDS, self.retry_max_seconds))
        since, here = to_text(self.clock.now() - longest - STUCK_AFTER), cleanup_rows(bucket)
        return [
            *(
                here.where("phase", "eq", phase.value).where("touched_at", "lt", since)
                for phase in (Phase.WAITING, Phase.LISTING)
            ),
            # `cancelled`, `failed` and `listed`: those that have ended stand before the others in the alphabet.
            here.where("phase", "le", Phase.LISTED.value).where("is_settled", "eq", False),
        ]

    def forgotten(self, bucket: str, before: str) -> list[Query]:
        """Queries for the rows of a bucket that are past retention: clean-ups, and their places in the list."""
        here = both_rows(bucket)
        return [here.where("phase", "eq", phase.value).where("touched_at", "lt", before) for phase in sorted(ENDED)]

    def requeue(self, found: Found, oldest_message: datetime | None) -> bool:
        """Sees to one row that was found; whether a message was put for it.

        `oldest_message` is when the oldest message was put that is visible on the queue of requests, if there is any.
        """
        return any(self._requeue(cleanup, oldest_message) for cleanup in readable_rows([found], from_entity))

    def _requeue(self, cleanup: Cleanup, oldest_message: datetime | None) -> bool:
        now = self.clock.now()
        if cleanup.has_ended:
            if now - kept_from(cleanup, now) > self.retention - A_DAY:
                # It is about to be forgotten: a step that came later would find no row, and look like a late copy.
                return False
            still_open = self.cleanups.totals(cleanup).open
            after = state.after_look(cleanup, still_open, now, oldest_message)
        else:
            # From the job's first page: the one at hand may be recorded with its tasks not yet asked for. Those that
            # are asked for twice are accepted once. Should its message turn up after all, it is skipped.
            after = state.begun_again(cleanup)
        written = self.cleanups.write(cleanup, after, now) if after else None
        if written is None or written.step == cleanup.step:
            return False
        self.queue.send(Step.next_of(written, None))
        log.warning("put_back event_id=%s step=%s", cleanup.event.event_id, cleanup.step)
        return True

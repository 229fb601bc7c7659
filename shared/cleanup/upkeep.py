"""The daily round of clean-ups: those whose message is gone begin again, those that stand still are listed again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from shared.cleanup import state
from shared.cleanup.entity import CLEANUP_ROWS
from shared.cleanup.fan_out import LONGEST_POLL_SECONDS
from shared.cleanup.message import Step
from shared.cleanup.queue import CleanupQueue
from shared.cleanup.record import Cleanup, Phase
from shared.cleanup.store import CleanupStore, readable_cleanups
from shared.clock import Clock, to_text
from shared.storage.table import Found

log = logging.getLogger(__name__)

STUCK_AFTER = timedelta(hours=1)
"""Longer than the longest wait for a step: its message should have been seen by then."""


@dataclass(frozen=True)
class CleanupUpkeep:
    """Sees to clean-ups that nobody works on. Methods may raise StorageUnavailable."""

    retry_max_seconds: float
    clock: Clock
    cleanups: CleanupStore
    queue: CleanupQueue

    def stuck(self, bucket: str) -> list[str]:
        """Filters for the rows of a bucket that are to be looked at."""
        longest = timedelta(seconds=max(LONGEST_POLL_SECONDS, self.retry_max_seconds))
        since = to_text(self.clock.now() - longest - STUCK_AFTER)
        here = f"PartitionKey eq '{bucket}' and {CLEANUP_ROWS}"
        return [
            *(
                f"{here} and phase eq '{phase.value}' and touched_at lt '{since}'"
                for phase in (Phase.WAITING, Phase.LISTING)
            ),
            f"{here} and phase eq '{Phase.LISTED.value}' and is_settled eq false",
        ]

    def put_back(self, found: Found) -> bool:
        """Sees to one row that was found; whether a message was put for it."""
        return any(self._requeue(cleanup) for cleanup in readable_cleanups([found]))

    def _requeue(self, cleanup: Cleanup) -> bool:
        if cleanup.phase is Phase.LISTED:
            after = state.after_look(cleanup, self._open(cleanup), self.clock.now())
        else:
            # From the job's first page: the one at hand may be recorded with its tasks not yet asked for. Those that
            # are asked for twice are accepted once. Should its message turn up after all, it is skipped.
            after = state.begun_again(cleanup)
        written = self.cleanups.write(cleanup, after, self.clock.now()) if after else None
        if written is None or written.step == cleanup.step:
            return False
        self.queue.send(Step.next_of(written, None))
        log.warning("put_back event_id=%s step=%s", cleanup.event.event_id, cleanup.step)
        return True

    def _open(self, cleanup: Cleanup) -> int:
        return self.cleanups.totals(cleanup).open

"""Purges dead letters that have not been seen again within their retention."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from shared.clock import Clock
from shared.results.dead_letters import DeadLetterStore

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LetterRetention:
    """The daily round over the dead letters."""

    letters: DeadLetterStore
    clock: Clock
    days: int

    def forget(self, seconds: float) -> int:
        """Purges for about `seconds`; returns the number of rows deleted. Raises StorageUnavailable."""
        end, now = self.clock.monotonic() + seconds, self.clock.now()
        partitions = self.letters.partitions()
        # Each night starts with a different partition, so that a large one does not starve the others.
        first = now.toordinal() % len(partitions)
        gone, is_over = 0, False
        for partition in partitions[first:] + partitions[:first]:
            while not is_over and (found := self.letters.forget(partition, now - timedelta(days=self.days))):
                gone += found
                is_over = self.clock.monotonic() >= end
        log.info("dead_letters_forgotten rows=%s unfinished=%s", gone, is_over)
        return gone

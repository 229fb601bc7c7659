"""Clean-ups whose message is gone: the daily round begins them again."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from shared.cleanup.fan_out import LONGEST_POLL_SECONDS
from shared.cleanup.message import write_step
from shared.cleanup.record import CLEANUP_ROWS, CleanupStore, Phase
from shared.clock import Clock, to_text
from shared.settings import Settings
from shared.storage.queues import Sender
from shared.storage.table import Found

log = logging.getLogger(__name__)

STUCK_AFTER = timedelta(hours=1)
"""Longer than the longest wait for a step: its message should have been seen by then."""


class CleanupUpkeep:
    """Puts clean-ups back that nobody works on. Methods may raise StorageUnavailable."""

    def __init__(self, settings: Settings, clock: Clock, cleanups: CleanupStore, sender: Sender) -> None:
        self._settings = settings
        self._clock = clock
        self._cleanups = cleanups
        self._sender = sender

    def stuck(self, bucket: str) -> list[str]:
        """Filters for the rows of a bucket that are stuck."""
        longest = timedelta(seconds=max(LONGEST_POLL_SECONDS, self._settings.retry_max_seconds))
        since = to_text(self._clock.now() - longest - STUCK_AFTER)
        return [
            f"PartitionKey eq '{bucket}' and {CLEANUP_ROWS} and phase eq '{phase.value}' and touched_at lt '{since}'"
            for phase in (Phase.WAITING, Phase.LISTING)
        ]

    def put_back(self, found: Found) -> bool:
        """Begins a stuck clean-up again; False when it moved on meanwhile.

        From the job's first page: the one at hand may be noted with its tasks not yet asked for. Those that are asked
        for twice are accepted once. Should its message turn up after all, it is passed: the step has a number of its own.
        """
        try:
            cleanup = self._cleanups.of(found)
        except (KeyError, ValueError):
            log.exception("corrupt_record row=%s", found.entity.get("RowKey"))
            return False
        anew = replace(cleanup, phase=Phase.WAITING, next_page="", skipped=0, step=cleanup.step + 1, step_message="")
        written = self._cleanups.write(cleanup, anew, self._clock.now())
        if written is None:
            return False
        self._sender.send(self._settings.job_completion_queue, write_step(written, None))
        log.warning("put_back event_id=%s step=%s", cleanup.event.event_id, cleanup.step)
        return True

"""Lists a job again if its clean-up makes no progress, to make lost requests once more.

The same tasks make the same requests, so open or finished ones are not made twice. Only tasks that ended before the
first listing are included, and only if they are due: the others still have their messages.
The clean-up stays `listed`, and keeps the counts and the closing event of the first listing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.batch.listing import LEADS_BACK
from shared.batch.reply import ErrorBody, Kind, Reply
from shared.cleanup import pages
from shared.cleanup.record import Cleanup
from shared.cleanup.selection import requests_of
from shared.cleanup.step import StepRun, Steps, next_attempts
from shared.deletion.vetoes import Vetoes
from shared.parsing import grammar
from shared.request.model import DeletionRequest

log = logging.getLogger(__name__)

DUE_FOR = timedelta(hours=1)
"""A request that has been due for less than this may still be queued."""


@dataclass(frozen=True)
class Relisting:
    """Runs the steps of a repeated listing. May raise StorageUnavailable."""

    steps: Steps
    vetoes: Vetoes

    def run(self, run: StepRun) -> list[str] | None:
        """Lists one page; None if the row has changed since it was read."""
        event = run.cleanup.event
        if self.vetoes.of_job(event.job_id) or self.vetoes.of_account(event.batch_url):
            return self._stop(run)
        page = self.steps.page(run)
        if page.reply.kind is not Kind.SUCCESS:
            return self._refused(run, page.reply)
        now = self.steps.clock.now()
        requests = overdue(
            requests_of(event, page.tasks, run.cleanup.accepted_at, ended_before=_first(run.cleanup)), now
        )
        self.steps.ask(run, requests, with_rows=True)
        if page.continuation is None:
            return self._stop(run, listed=True)
        if pages.leads_back(run.cleanup, page.continuation):
            return self._failed(run, LEADS_BACK)
        written = self.steps.record(run, replace(pages.followed(run.cleanup, page.continuation), attempts=0))
        if written is None:
            return None
        self.steps.send(written, page.continuation)
        return []

    def _refused(self, run: StepRun, reply: Reply) -> list[str] | None:
        may_pass = reply.kind in {Kind.TRANSIENT, Kind.ACCESS}
        if may_pass and next_attempts(run.cleanup.attempts, reply) < self.steps.policy.max_attempts:
            return self.steps.retry(run, reply, reply.as_error)
        return self._failed(run, reply.as_error, listed=reply.kind is Kind.GONE)

    def _failed(self, run: StepRun, error: ErrorBody, *, listed: bool = False) -> list[str] | None:
        log.warning("relisting_stopped event_id=%s code=%s", run.cleanup.event.event_id, error.code)
        return self._stop(run, listed=listed)

    def _stop(self, run: StepRun, *, listed: bool = False) -> list[str] | None:
        """Ends the repeated listing, also after an error: if there is still no progress, a later daily round repeats it.

        Once everything was listed again, every remaining task has a row. A request without one has lost its task, and is
        no longer counted.
        """
        done = replace(run.cleanup, is_relisting=False, next_page=None, attempts=0, error=None)
        done = replace(done, with_rows=done.with_rows or listed)
        return None if self.steps.record(run, done) is None else []


def overdue(requests: list[DeletionRequest], now: datetime) -> list[DeletionRequest]:
    """The requests that should have been carried out by now."""
    return [r for r in requests if r.delete_after is None or grammar.instant(r.delete_after) <= now - DUE_FOR]


def _first(cleanup: Cleanup) -> datetime:
    """When the first listing began; for rows of versions without that column, when the event was accepted."""
    return cleanup.first_listed_at or cleanup.accepted_at

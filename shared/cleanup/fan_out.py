"""Cleaning up a job: its state first, then its completed tasks page by page, one page to a message.

Memory is one page's whatever the job's size, a crash repeats at most a page, and a repeat changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.batch.listing import COMPLETED, TaskPage
from shared.batch.pacing import backoff_seconds
from shared.batch.port import Batch
from shared.batch.reply import BatchError, Kind, Reply, log_refused_access
from shared.cleanup.closing import CleanupCloser
from shared.cleanup.message import Refused, Step, read_cleanup_message, write_step
from shared.cleanup.record import Cleanup, CleanupStore, Phase, Place, place_of
from shared.cleanup.selection import requests_of
from shared.clock import Clock, TimeBox
from shared.deletion.acceptance import Acceptor
from shared.deletion.delivery import Delivery
from shared.deletion.guard import Guard
from shared.deletion.outcomes import RetryPolicy
from shared.errors import StaleDelivery
from shared.ledger.record import Origin, Outcome, Record
from shared.ledger.tally import totals
from shared.request.model import DeletionRequest
from shared.settings import Settings
from shared.storage.queues import Sender

log = logging.getLogger(__name__)

CALL_SECONDS = 40.0
FIRST_POLL_SECONDS = 15.0
LONGEST_POLL_SECONDS = 900.0
NOT_COMPLETED = "JobNotCompleted"
GONE = "notFound"


@dataclass(frozen=True)
class FanOutParts:
    """What the fan-out is put together from."""

    settings: Settings
    clock: Clock
    cleanups: CleanupStore
    batch: Batch
    acceptor: Acceptor
    sender: Sender
    guard: Guard
    policy: RetryPolicy
    closer: CleanupCloser


@dataclass(frozen=True)
class _Turn:
    """One step at work: the row before it, and what the message says."""

    before: Cleanup | None
    cleanup: Cleanup
    step: Step
    delivery: Delivery

    @property
    def is_noted(self) -> bool:
        """Whether the row tells of this page already, so that a step of it that came before died after that.

        A row that was written while waiting or after a failure still names this page as the one to come.
        """
        return self.cleanup.phase is Phase.LISTING and self.step.continuation != self.cleanup.next_page


def _dropped(duplicate: Step) -> list[str]:
    log.info("duplicate_step event_id=%s step=%s", duplicate.cleanup.event.event_id, duplicate.number)
    return []


class FanOut:
    """Carries out messages of the job-completion queue."""

    def __init__(self, parts: FanOutParts) -> None:
        self._parts = parts

    def deliver(self, delivery: Delivery) -> list[str]:
        """The encoded events that this delivery owes.

        Raises:
            StaleDelivery, StorageUnavailable: the host is to deliver the message again.
        """
        parts = self._parts
        message = read_cleanup_message(delivery, parts.settings, parts.clock.now())
        if isinstance(message, Refused):
            return [parts.closer.refuse(message, delivery)]
        if isinstance(message, DeletionRequest):
            parts.acceptor.accept(message, Origin.JOB_COMPLETION, delivery.inserted_at)
            return []
        return self._step(message, delivery)

    def _step(self, message: Step, delivery: Delivery) -> list[str]:
        parts, wanted = self._parts, message.cleanup
        found = parts.cleanups.read(wanted.event.event_id, dry_run=wanted.event.dry_run)
        place = place_of(found, wanted, message.number, delivery.message_id)
        if place is Place.CONFLICT:
            return [parts.closer.conflict(wanted, delivery)]
        if place is Place.ENDED and found:
            return [parts.closer.close(found, delivery)]
        if place is Place.PASSED:
            return _dropped(message)
        try:
            return self._take(_Turn(found, found or wanted, message, delivery))
        except StaleDelivery:
            # Two messages of one event at once, and the other one did this step: its successor is on its way.
            found = parts.cleanups.read(wanted.event.event_id, dry_run=wanted.event.dry_run)
            if place_of(found, wanted, message.number, delivery.message_id) is not Place.PASSED:
                raise
            return _dropped(message)

    def _take(self, turn: _Turn) -> list[str]:
        """One step: the job's state on the first page, then the page."""
        event = turn.cleanup.event
        refusal = self._refusal(turn)
        if refusal:
            return self._end(turn, *refusal)
        job_state = turn.cleanup.job_state
        if turn.step.continuation is None:
            reply, state = self._parts.batch.get_job(event.batch_url, event.job_id, self._box())
            if state is None:
                return self._refused(turn, reply)
            if state != COMPLETED and event.require_job_completed:
                return self._wait(turn, state)
            job_state = state
        page = self._parts.batch.list_completed_tasks(
            event.batch_url, event.job_id, turn.step.continuation, self._box()
        )
        if page.reply.kind is not Kind.SUCCESS:
            return self._refused(turn, page.reply)
        return self._page(turn, page, job_state)

    def _box(self) -> TimeBox:
        return TimeBox.lasting(CALL_SECONDS, self._parts.clock)

    def _refusal(self, turn: _Turn) -> tuple[Outcome, BatchError] | None:
        """The end of a clean-up that is not to be carried out, or None."""
        parts, cleanup = self._parts, turn.cleanup
        event, guard = cleanup.event, parts.guard
        error = guard.protection_of(event.job_id) or guard.strange_account(event.batch_url)
        if error:
            return Outcome.FAILED, error
        # Without a row it may be a copy of one that was carried out: its job's id may be in use again.
        late = None if turn.before else guard.lateness("event", cleanup.accepted_at, parts.clock.now())
        return (Outcome.EXPIRED, late) if late else None

    def _page(self, turn: _Turn, page: TaskPage, job_state: str) -> list[str]:
        """Notes what follows the page, asks for its tasks, and goes on to what was noted.

        A crash repeats the page. By then some of its tasks are gone and the listing reaches further, so what
        was noted at first counts; tasks that are asked for twice are accepted, and counted, once.
        """
        now, cleanup = self._parts.clock.now(), turn.cleanup
        requests = requests_of(cleanup.event, page.tasks, cleanup.accepted_at)
        if not turn.is_noted:
            skipped = cleanup.skipped + len(page.tasks) - len(requests)
            cleanup = replace(cleanup, skipped=skipped, next_page=page.continuation or "")
        written = self._advance(turn, replace(cleanup, phase=Phase.LISTING, job_state=job_state, attempts=0))
        if requests:
            parent = cleanup.event.event_id
            self._parts.acceptor.accept_all(
                [Record.new(request, Origin.JOB_COMPLETION, now, parent) for request in requests]
            )
        log.info(
            "cleanup_page event_id=%s step=%s requested=%s", cleanup.event.event_id, turn.step.number, len(requests)
        )
        if written.next_page:
            self._send(written, written.next_page, 0)
            return []
        return self._finish(turn, written)

    def _finish(self, turn: _Turn, cleanup: Cleanup) -> list[str]:
        """All is listed: the closing event says how much that was."""
        event = cleanup.event
        requested = totals(self._parts.cleanups.table, event.event_id, dry_run=event.dry_run).requested
        now = self._parts.clock.now()
        listed = replace(cleanup, phase=Phase.LISTED, requested=requested, ended_at=now)
        written = self._parts.cleanups.write(cleanup, listed, now)
        if written is None:
            raise StaleDelivery(f"clean-up {event.event_id} moved on meanwhile")
        return [self._parts.closer.close(written, turn.delivery)]

    def _wait(self, turn: _Turn, state: str) -> list[str]:
        """The job is not completed: look again, later and later, uses no attempt."""
        waited = self._parts.clock.now() - turn.cleanup.accepted_at
        longest = timedelta(days=self._parts.settings.job_completion_max_wait_days)
        if waited >= longest:
            text = f"The job was {state} after {longest.days} days."
            return self._end(turn, Outcome.EXHAUSTED, BatchError(NOT_COMPLETED, text))
        # Not merely as the row was: should the job's id be in use anew, its listing begins anew too.
        waiting = replace(turn.cleanup, phase=Phase.WAITING, job_state=state, attempts=0, next_page="", skipped=0)
        written = self._advance(turn, waiting)
        poll = min(LONGEST_POLL_SECONDS, FIRST_POLL_SECONDS * 2.0 ** min(turn.step.number, 10))
        self._send(written, None, min(poll, (longest - waited).total_seconds()))
        return []

    def _refused(self, turn: _Turn, reply: Reply) -> list[str]:
        """Batch did not answer with what was asked for: the job is gone, try again, or give up."""
        event = turn.cleanup.event
        log_refused_access(reply, event.batch_url, event.event_id)
        if reply.kind is Kind.GONE:
            return self._finish(turn, self._advance(turn, replace(turn.cleanup, job_state=GONE)))
        error = reply.error or BatchError("UnexpectedAnswer", f"The service answered {reply.status}.")
        if reply.kind not in {Kind.TRANSIENT, Kind.ACCESS}:
            return self._end(turn, Outcome.FAILED, error)
        return self._retry(turn, reply, error)

    def _retry(self, turn: _Turn, reply: Reply, error: BatchError) -> list[str]:
        policy, attempts = self._parts.policy, turn.cleanup.attempts + 1
        if attempts >= policy.max_attempts:
            return self._end(turn, Outcome.EXHAUSTED, error)
        written = self._advance(turn, replace(turn.cleanup, attempts=attempts, error=error))
        wait = backoff_seconds(attempts, policy.base_seconds, policy.max_seconds, reply, policy.random)
        log.warning("cleanup_retry event_id=%s attempt=%s code=%s", turn.cleanup.event.event_id, attempts, error.code)
        self._send(written, turn.step.continuation, wait)
        return []

    def _end(self, turn: _Turn, outcome: Outcome, error: BatchError) -> list[str]:
        now = self._parts.clock.now()
        ended = replace(turn.cleanup, phase=Phase.FAILED, outcome=outcome.value, error=error, ended_at=now)
        return [self._parts.closer.close(self._advance(turn, ended), turn.delivery)]

    def _advance(self, turn: _Turn, after: Cleanup) -> Cleanup:
        """Writes the step as done by this message."""
        after = replace(after, step=turn.step.number + 1, step_message=turn.delivery.message_id)
        written = self._parts.cleanups.write(turn.before, after, self._parts.clock.now())
        if written is None:
            raise StaleDelivery(f"clean-up {turn.cleanup.event.event_id} moved on meanwhile")
        return written

    def _send(self, cleanup: Cleanup, continuation: str | None, delay_seconds: float) -> None:
        text = write_step(cleanup, continuation)
        self._parts.sender.send(self._parts.settings.job_completion_queue, text, delay_seconds)

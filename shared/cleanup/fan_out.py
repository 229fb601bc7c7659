"""Cleans up a job: checks its state, then lists its completed tasks, one page per message.

Memory use is that of one page, whatever the job's size. A crash repeats at most one page, and a repeat changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.batch.listing import COMPLETED, LEADS_BACK, TaskPage
from shared.batch.reply import ErrorBody, Kind, Reply, log_refused_access
from shared.cleanup import pages, state
from shared.cleanup.closing import CleanupCloser
from shared.cleanup.message import Refusal, Step, TaskStep, read_cleanup_message
from shared.cleanup.record import Cleanup, Phase
from shared.cleanup.relisting import Relisting
from shared.cleanup.selection import requests_of
from shared.cleanup.single_task import SingleTask
from shared.cleanup.state import StepDecision
from shared.cleanup.step import StepRun, Steps, next_attempts
from shared.deletion.delivery import Delivery
from shared.deletion.vetoes import Vetoes
from shared.errors import StaleDelivery
from shared.ledger.record import Outcome

log = logging.getLogger(__name__)

FIRST_POLL_SECONDS = 15.0
LONGEST_POLL_SECONDS = 900.0
NOT_COMPLETED = "JobNotCompleted"
GONE = "notFound"


@dataclass(frozen=True)
class FanOut:
    """Carries out messages of the job-completion queue."""

    accounts: tuple[str, ...]
    max_wait: timedelta
    """How long a clean-up waits for its job to complete."""
    steps: Steps
    vetoes: Vetoes
    closer: CleanupCloser
    relisting: Relisting
    single_task: SingleTask

    def deliver(self, delivery: Delivery) -> list[str]:
        """Handles a message and returns the encoded closing events to send.

        Raises:
            StaleDelivery, StorageUnavailable: the host must deliver the message again.
        """
        message = read_cleanup_message(delivery, self.accounts, self.steps.clock.now())
        if isinstance(message, Refusal):
            return [self.closer.refuse(message, delivery)]
        if isinstance(message, TaskStep):
            return self.single_task.look(message, delivery)
        return self._step(message, delivery)

    def _step(self, step: Step, delivery: Delivery) -> list[str]:
        found, decision = self._decide(step, delivery)
        if decision is StepDecision.RUN:
            events = self._run(StepRun(found, found or step.begun(), step, delivery))
            if events is not None:
                return events
            # The row has changed since it was read.
            found, decision = self._decide(step, delivery)
            if decision is StepDecision.RUN:
                # Another delivery of this same message changed it, and is still working or died before the next step.
                raise StaleDelivery(f"step {step.number} of clean-up {step.event.event_id} is done elsewhere")
        if decision is StepDecision.CONFLICT:
            return [self.closer.refuse_id(step, delivery)]
        if decision is StepDecision.CLOSE_AGAIN and found:
            return [self.closer.close(found, delivery)]
        log.info("duplicate_step event_id=%s step=%s", step.event.event_id, step.number)
        return []

    def _decide(self, step: Step, delivery: Delivery) -> tuple[Cleanup | None, StepDecision]:
        found = self.steps.cleanups.read(step.event.event_id, dry_run=step.event.dry_run)
        return found, state.on_step(found, step.payload_hash, step.number, delivery.message_id)

    def _run(self, run: StepRun) -> list[str] | None:
        """Runs one step: looks at the job, then lists a page. None if the row has changed meanwhile.

        If the job must be completed, each page needs a look: a job made again under the id has tasks behind the old link.
        """
        if run.cleanup.is_relisting:
            return self.relisting.run(run)
        if veto := self._veto(run):
            return self._end(run, *veto)
        event, job_state = run.cleanup.event, run.cleanup.job_state
        if run.step.continuation is None or event.require_job_completed:
            reply, job_state = self.steps.batch.get_job(event.batch_url, event.job_id, self.steps.box())
            if job_state is None:
                return self._refused(run, reply)
            if job_state != COMPLETED and event.require_job_completed:
                return self._wait(run, job_state)
        page = self.steps.page(run)
        if page.reply.kind is not Kind.SUCCESS:
            return self._refused(run, page.reply)
        return self._page(run, page, job_state)

    def _veto(self, run: StepRun) -> tuple[Outcome, ErrorBody] | None:
        """The outcome of a clean-up that must not be carried out, or None."""
        event = run.cleanup.event
        error = self.vetoes.of_job(event.job_id) or self.vetoes.of_account(event.batch_url)
        if error:
            return Outcome.FAILED, error
        # Without a row, this may be a late copy of a finished clean-up, and the job's id may be in use again.
        now = self.steps.clock.now()
        late = None if run.before else self.vetoes.of_age("event", run.cleanup.accepted_at, now)
        return (Outcome.EXPIRED, late) if late else None

    def _page(self, run: StepRun, page: TaskPage, job_state: str | None) -> list[str] | None:
        """Records the page and its continuation, sends its requests, and continues with the recorded continuation.

        A crash repeats the page. By then some of its tasks are gone and the listing reaches further, so the first
        record counts. Requests that are sent twice are accepted, and counted, once.
        """
        cleanup, now = run.cleanup, self.steps.clock.now()
        requests = requests_of(cleanup.event, page.tasks, cleanup.accepted_at)
        if pages.is_recorded(cleanup, run.step.continuation):
            requests = pages.asked_again(cleanup, requests)
        elif pages.leads_back(cleanup, page.continuation):
            return self._end(run, Outcome.FAILED, LEADS_BACK)
        else:
            cleanup = pages.recorded(self._as_it_begins(cleanup), page, requests, now)
        cleanup = replace(cleanup, phase=Phase.LISTING, job_state=job_state, attempts=0, error=None)
        written = self.steps.record(run, cleanup)
        if written is None:
            return None
        self.steps.ask(run, requests, with_rows=written.with_rows)
        if written.next_page is None:
            return self._finish(run, written)
        self.steps.send(written, written.next_page)
        return []

    def _as_it_begins(self, cleanup: Cleanup) -> Cleanup:
        """At the first page: decides on rows, needed for delayed requests and if an earlier clean-up left some."""
        if cleanup.with_rows or cleanup.first_listed_at is not None:
            return cleanup
        with_rows = cleanup.event.delete_after is not None or self.steps.cleanups.totals(cleanup).requested > 0
        return replace(cleanup, with_rows=with_rows)

    def _finish(self, run: StepRun, cleanup: Cleanup | None) -> list[str] | None:
        """Everything is listed: writes the total and makes the closing event."""
        if cleanup is None:
            return None
        now = self.steps.clock.now()
        requested = self.steps.cleanups.totals(cleanup).requested if cleanup.with_rows else cleanup.asked
        listed = replace(cleanup, phase=Phase.LISTED, requested=requested, ended_at=now, page_ids=b"")
        written = self.steps.cleanups.write(cleanup, listed, now)
        return [self.closer.close(written, run.delivery)] if written else None

    def _wait(self, run: StepRun, job_state: str) -> list[str] | None:
        """The job is not completed: poll again, at growing intervals. This uses no attempt."""
        waited = self.steps.clock.now() - run.cleanup.accepted_at
        if waited >= self.max_wait:
            text = f"The job was {job_state} after {self.max_wait.days} days."
            return self._end(run, Outcome.EXHAUSTED, ErrorBody(NOT_COMPLETED, text))
        # Also resets the listing: if a new job uses the id, it has to be listed from the beginning.
        waiting = replace(
            state.at_first_page(run.cleanup), phase=Phase.WAITING, job_state=job_state, error=None, skipped=0
        )
        with_rows = run.cleanup.with_rows or run.cleanup.phase is Phase.LISTING
        written = self.steps.record(run, replace(waiting, first_listed_at=None, with_rows=with_rows))
        if written is None:
            return None
        poll = min(LONGEST_POLL_SECONDS, FIRST_POLL_SECONDS * 2.0 ** min(run.step.number, 10))
        self.steps.send(written, None, min(poll, (self.max_wait - waited).total_seconds()))
        return []

    def _refused(self, run: StepRun, reply: Reply) -> list[str] | None:
        """Batch refused the call: the job is gone, or the step is retried or given up."""
        event, error = run.cleanup.event, reply.as_error
        log_refused_access(reply, event.batch_url, event.event_id)
        if reply.kind is Kind.GONE:
            # Requests that a page made without rows are counted here, though the listing waited for a job again since.
            with_rows = run.cleanup.with_rows and run.cleanup.asked == 0
            gone = replace(run.cleanup, job_state=GONE, with_rows=with_rows)
            return self._finish(run, self.steps.record(run, gone))
        if reply.kind not in {Kind.TRANSIENT, Kind.ACCESS}:
            return self._end(run, Outcome.FAILED, error)
        if next_attempts(run.cleanup.attempts, reply) >= self.steps.policy.max_attempts:
            return self._end(run, Outcome.EXHAUSTED, error)
        return self.steps.retry(run, reply, error)

    def _end(self, run: StepRun, outcome: Outcome, error: ErrorBody) -> list[str] | None:
        written = self.steps.record(run, state.ended(run.cleanup, outcome, error, self.steps.clock.now()))
        return [self.closer.close(written, run.delivery)] if written else None

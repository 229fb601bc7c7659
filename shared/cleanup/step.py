"""One step at work, and what every kind of step does: record it, ask for a page's tasks, work out a wait."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.batch.listing import TaskPage
from shared.batch.port import Batch
from shared.batch.reply import ErrorBody, Reply, Sent
from shared.cleanup import state
from shared.cleanup.message import Step
from shared.cleanup.queue import CleanupQueue
from shared.cleanup.record import Cleanup
from shared.cleanup.store import CleanupStore
from shared.clock import Clock, TimeBox
from shared.deletion.acceptance import Acceptor
from shared.deletion.delivery import Delivery
from shared.deletion.outcomes import RetryPolicy
from shared.ledger.record import Origin, Record
from shared.request.model import DeletionRequest

log = logging.getLogger(__name__)

CALL_SECONDS = 40.0


@dataclass(frozen=True)
class StepRun:
    """One step at work: the row before it, the clean-up as it stands, and what the message says."""

    before: Cleanup | None
    cleanup: Cleanup
    step: Step
    delivery: Delivery


@dataclass(frozen=True)
class Steps:
    """Carries out what steps have in common. Every method may raise StorageUnavailable."""

    cleanups: CleanupStore
    batch: Batch
    acceptor: Acceptor
    queue: CleanupQueue
    policy: RetryPolicy
    clock: Clock

    def record(self, run: StepRun, after: Cleanup) -> Cleanup | None:
        """Writes the step as done by this message; None when the row moved on meanwhile."""
        done = state.step_done(after, run.step.number, run.delivery.message_id)
        return self.cleanups.write(run.before, done, self.clock.now())

    def page(self, run: StepRun) -> TaskPage:
        """The page of tasks that the step is about."""
        event = run.cleanup.event
        return self.batch.list_completed_tasks(event.batch_url, event.job_id, run.step.continuation, self.box())

    def box(self) -> TimeBox:
        """The time that one call to Batch has."""
        return TimeBox.lasting(CALL_SECONDS, self.clock)

    def ask(self, run: StepRun, requests: Sequence[DeletionRequest], *, with_rows: bool) -> None:
        """Puts the requests of a page on the queue of requests, many to a message, on request with rows before."""
        event_id = run.cleanup.event.event_id
        now = self.clock.now()
        records = [Record.new(request, Origin.JOB_COMPLETION, now, event_id) for request in requests]
        if with_rows:
            self.acceptor.accept_all(records)
        else:
            self.acceptor.put_without_rows(records)
        log.info("cleanup_page event_id=%s step=%s requested=%s", event_id, run.step.number, len(requests))

    def send(self, cleanup: Cleanup, continuation: str | None, delay_seconds: float = 0) -> None:
        """Puts the step that comes next."""
        self.queue.send(Step.next_of(cleanup, continuation), delay_seconds)

    def retry(self, run: StepRun, reply: Reply, error: ErrorBody) -> list[str] | None:
        """The same step once more, after a wait."""
        policy, attempts = self.policy, next_attempts(run.cleanup.attempts, reply)
        written = self.record(run, replace(run.cleanup, attempts=attempts, error=error))
        if written is None:
            return None
        wait = policy.seconds(max(1, attempts), reply)
        log.warning("cleanup_retry event_id=%s attempt=%s code=%s", run.cleanup.event.event_id, attempts, error.code)
        self.send(written, run.step.continuation, wait)
        return []


def next_attempts(attempts: int, reply: Reply) -> int:
    """The failures in a row with this one, which counts unless this app itself had no time or place for the call."""
    return attempts if reply.sent is Sent.HELD else attempts + 1

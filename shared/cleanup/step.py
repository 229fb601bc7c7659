"""One run of a step, and what all kinds of steps share: record it, request a page's deletions, retry after a wait."""

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
    """One run of a step: the row as read, the clean-up to continue from, and the message."""

    before: Cleanup | None
    cleanup: Cleanup
    step: Step
    delivery: Delivery


@dataclass(frozen=True)
class Steps:
    """What the kinds of steps share. Every method may raise StorageUnavailable."""

    cleanups: CleanupStore
    batch: Batch
    acceptor: Acceptor
    queue: CleanupQueue
    policy: RetryPolicy
    clock: Clock

    def record(self, run: StepRun, after: Cleanup) -> Cleanup | None:
        """Writes the step as done by this message; None if the row has changed since it was read."""
        done = state.step_done(after, run.step.number, run.delivery.message_id)
        return self.cleanups.write(run.before, done, self.clock.now())

    def page(self, run: StepRun) -> TaskPage:
        """Lists the page of tasks that belongs to the step."""
        event = run.cleanup.event
        return self.batch.list_completed_tasks(event.batch_url, event.job_id, run.step.continuation, self.box())

    def box(self) -> TimeBox:
        """The time allowed for one call to Batch."""
        return TimeBox.lasting(CALL_SECONDS, self.clock)

    def ask(self, run: StepRun, requests: Sequence[DeletionRequest], *, with_rows: bool) -> None:
        """Sends the requests of a page to the request queue, many per message; `with_rows` writes their rows first."""
        event_id = run.cleanup.event.event_id
        now = self.clock.now()
        records = [Record.new(request, Origin.JOB_COMPLETION, now, event_id) for request in requests]
        if with_rows:
            self.acceptor.accept_all(records)
        else:
            self.acceptor.put_without_rows(records)
        log.info("cleanup_page event_id=%s step=%s requested=%s", event_id, run.step.number, len(requests))

    def send(self, cleanup: Cleanup, continuation: str | None, delay_seconds: float = 0) -> None:
        """Sends the message of the next step."""
        self.queue.send(Step.next_of(cleanup, continuation), delay_seconds)

    def retry(self, run: StepRun, reply: Reply, error: ErrorBody) -> list[str] | None:
        """Repeats the step after a wait."""
        policy, attempts = self.policy, next_attempts(run.cleanup.attempts, reply)
        written = self.record(run, replace(run.cleanup, attempts=attempts, error=error))
        if written is None:
            return None
        wait = policy.seconds(max(1, attempts), reply)
        log.warning("cleanup_retry event_id=%s attempt=%s code=%s", run.cleanup.event.event_id, attempts, error.code)
        self.send(written, run.step.continuation, wait)
        return []


def next_attempts(attempts: int, reply: Reply) -> int:
    """Consecutive failures including this one, which does not count if the app had no time or slot to make the call."""
    return attempts if reply.sent is Sent.HELD else attempts + 1

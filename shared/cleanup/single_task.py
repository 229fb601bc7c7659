"""Deletes the task of a diagnostic record, after reading it: only if it is completed, and only in that version.

A record may arrive late: the task may be running again, or a new task may have its id.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.batch.listing import COMPLETED, TaskState
from shared.batch.port import Batch
from shared.batch.reply import ErrorBody, Kind, Reply, log_refused_access
from shared.cleanup.message import TaskStep
from shared.cleanup.queue import CleanupQueue
from shared.cleanup.step import CALL_SECONDS, next_attempts
from shared.clock import Clock, TimeBox
from shared.deletion.acceptance import Acceptor
from shared.deletion.delivery import Delivery
from shared.deletion.outcomes import RetryPolicy
from shared.deletion.poison import GIVEN_UP
from shared.deletion.vetoes import Vetoes
from shared.ledger import state
from shared.ledger.decisions import Change, Leave, Reason, Write
from shared.ledger.record import Certainty, Conclusion, Origin, Outcome, Record, State
from shared.ledger.store import RecordStore
from shared.parsing import grammar
from shared.request.model import DeletionRequest, parse_or_none, payload_hash
from shared.results.publisher import Publisher
from shared.results.result import Result

log = logging.getLogger(__name__)

NOT_COMPLETED = "TaskNotCompleted"
NO_VERSION = "TaskVersionUnknown"


class TaskDecision(StrEnum):
    """What a message about one task does."""

    LOOK = "look"
    GO_ON = "go-on"
    """Its request is open, but may have lost its message."""
    PUBLISH = "publish"
    """It ended without a claim, so its result may not have been published yet."""
    SKIP = "skip"
    CONFLICT = "conflict"


def on_record(found: Record | None, step: TaskStep) -> TaskDecision:
    """The decision for a message, given the row of its request as read. Pure."""
    if found is None:
        return TaskDecision.LOOK
    if found.request.task != step.request.task:
        return TaskDecision.CONFLICT
    if found.state is not State.DONE:
        return TaskDecision.GO_ON
    if found.generation < step.generation:
        return TaskDecision.LOOK
    return TaskDecision.PUBLISH if found.attempts == 0 else TaskDecision.SKIP


def after_read(reply: Reply, found: TaskState | None) -> tuple[Outcome, ErrorBody | None] | str:
    """The version to delete, or the outcome of the request. For replies that are not retried. Pure."""
    if reply.kind is Kind.GONE:
        return Outcome.NOT_FOUND, reply.error
    if found is None:
        return Outcome.FAILED, reply.as_error
    if found.state != COMPLETED:
        return Outcome.FAILED, ErrorBody(NOT_COMPLETED, f"The task is {found.state}, so it was not deleted.")
    version = parse_or_none(found.etag, grammar.etag)
    return version or (
        Outcome.FAILED,
        ErrorBody(NO_VERSION, "Batch returned no version of the task, so it was not deleted."),
    )


@dataclass(frozen=True)
class SingleTask:
    """Carries out messages about one task. Every method may raise StorageUnavailable."""

    batch: Batch
    store: RecordStore
    acceptor: Acceptor
    publisher: Publisher
    vetoes: Vetoes
    queue: CleanupQueue
    policy: RetryPolicy
    clock: Clock

    def look(self, step: TaskStep, delivery: Delivery) -> list[str]:
        """Reads the task, then accepts its deletion or ends the request. Returns the encoded results to send."""
        asked = self._asked(step)
        found = self.store.look(asked)
        if on_record(found, step) is not TaskDecision.LOOK:
            return self._leave(found, step, delivery)
        now, request = self.clock.now(), step.request
        if veto := self.vetoes(asked, now):
            return self._end(step, veto, delivery)
        box = TimeBox.lasting(CALL_SECONDS, self.clock)
        reply, task = self.batch.look_at_task(request.batch_url, request.job_id, request.task_id, box)
        log_refused_access(reply, request.batch_url, request.client_request_id)
        if reply.kind in {Kind.TRANSIENT, Kind.ACCESS}:
            return self._retry(step, reply, delivery)
        read = after_read(reply, task)
        if isinstance(read, str):
            return self._accept(step, request.model_copy(update={"if_match": read}), delivery)
        outcome, error = read
        end = Conclusion(outcome, Certainty.CONFIRMED, now, reply.status, error, reply.request_id)
        return self._end(step, end, delivery)

    def give_up(self, step: TaskStep, delivery: Delivery) -> list[str]:
        """Ends a request whose message the host gave up. Returns the encoded results to send."""
        now = self.clock.now()
        late = self.vetoes.expiry(self._asked(step), now)
        return self._end(
            step, late or Conclusion(Outcome.EXHAUSTED, Certainty.CONFIRMED, now, error=GIVEN_UP), delivery
        )

    def _leave(self, found: Record | None, step: TaskStep, delivery: Delivery) -> list[str]:
        decision = on_record(found, step)
        if decision is TaskDecision.CONFLICT:
            return self._publish(Result.conflict(self._asked(step), self.clock.now(), delivery.body))
        if decision is TaskDecision.PUBLISH and found:
            return self._publish(Result.of(found, delivery.body))
        if decision is TaskDecision.GO_ON and found:
            self.acceptor.accept(Record.new(found.request, found.origin, found.accepted_at))
        log.info("duplicate_record request_id=%s", step.request.client_request_id)
        return []

    def _retry(self, step: TaskStep, reply: Reply, delivery: Delivery) -> list[str]:
        attempts, error, policy = next_attempts(step.attempts, reply), reply.as_error, self.policy
        if attempts >= policy.max_attempts:
            end = Conclusion(Outcome.EXHAUSTED, Certainty.CONFIRMED, self.clock.now(), reply.status, error)
            return self._end(step, end, delivery)
        wait = policy.seconds(max(1, attempts), reply)
        log.warning("task_look_retry request_id=%s attempt=%s", step.request.client_request_id, attempts)
        self.queue.send(replace(step, attempts=attempts), wait)
        return []

    def _accept(self, step: TaskStep, request: DeletionRequest, delivery: Delivery) -> list[str]:
        """Writes the row, then sends its message, as for any request."""
        fresh = replace(self._asked(step), request=request, payload_hash=payload_hash(request))
        decided = self._settle(step, fresh, Change.ACCEPTED)
        if decided.why is not Change.ACCEPTED:
            return self._leave(decided.row, step, delivery)
        self.acceptor.accept(Record.new(request, fresh.origin, fresh.accepted_at))
        return []

    def _end(self, step: TaskStep, end: Conclusion, delivery: Delivery) -> list[str]:
        decided = self._settle(step, state.conclude(self._asked(step), end), Change.ENDED)
        if decided.why is not Change.ENDED:
            return self._leave(decided.row, step, delivery)
        return self._publish(Result.of(decided.record, delivery.body))

    def _settle(self, step: TaskStep, after: Record, why: Change) -> Write | Leave:
        """Writes the row of this message's generation, unless another message has decided it meanwhile."""

        def decide(found: Record | None) -> Write | Leave:
            if on_record(found, step) is not TaskDecision.LOOK:
                return Leave(Reason.STALE)
            if found is None:
                return Write(after, why)
            return Write(replace(after, maybe_effect=found.maybe_effect, etag=found.etag), why)

        return self.store.settle(after.key, decide, asked=after)

    def _asked(self, step: TaskStep) -> Record:
        """The request in its initial state for this message."""
        fresh = Record.new(step.request, Origin.JOB_COMPLETION, step.accepted_at)
        return replace(fresh, generation=step.generation)

    def _publish(self, result: Result) -> list[str]:
        return self.publisher.publish([result], self.queue.name)

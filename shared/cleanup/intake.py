"""Accepts events over HTTP: writes the row, then sends the message of the first step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from shared.batch.reply import ErrorBody
from shared.cleanup.event import JobEvent
from shared.cleanup.message import Step, TaskStep
from shared.cleanup.queue import CleanupQueue
from shared.cleanup.record import Cleanup, new_cleanup
from shared.cleanup.store import CleanupStore
from shared.cleanup.task_record import TaskRecord, task_request
from shared.clock import Clock
from shared.deletion.acceptance import Acceptor
from shared.deletion.vetoes import Vetoes
from shared.errors import StorageUnavailable
from shared.ledger.record import Key, Origin, Record, State
from shared.ledger.store import RecordStore
from shared.results.result import ID_CONFLICT


class Intake(StrEnum):
    """The status of one event, as its sender sees it."""

    ACCEPTED = "accepted"
    REPLAYED = "replayed"
    CONFLICT = "conflict"
    PROTECTED = "protected"


@dataclass(frozen=True)
class Taken:
    """The result for one event, with its clean-up, or its request if it is about a single task."""

    intake: Intake
    client_request_id: str
    subject: Cleanup | Record | None = None
    error: ErrorBody | None = None


@dataclass(frozen=True)
class EventIntake:
    """Accepts events once per id. Every method may raise StorageUnavailable; the event may then be accepted or not."""

    accounts: tuple[str, ...]
    vetoes: Vetoes
    cleanups: CleanupStore
    records: RecordStore
    acceptor: Acceptor
    queue: CleanupQueue
    clock: Clock

    def take(self, event: JobEvent | TaskRecord) -> Taken:
        """Accepts one event. Raises InvalidInput for a record that does not identify a task of an allowed account."""
        return self._take_record(event) if isinstance(event, TaskRecord) else self._take_job(event)

    def _take_job(self, event: JobEvent) -> Taken:
        event_id, now = event.event_id, self.clock.now()
        if protected := self.vetoes.of_job(event.job_id):
            return Taken(Intake.PROTECTED, event_id, error=protected)
        wanted = new_cleanup(event, now)
        written = self.cleanups.write(None, wanted, now)
        cleanup = written or self.cleanups.read(event_id, dry_run=event.dry_run)
        if cleanup is None:
            raise StorageUnavailable(f"clean-up {event_id} existed and has disappeared")
        if cleanup.payload_hash != wanted.payload_hash:
            return Taken(Intake.CONFLICT, event_id, error=ID_CONFLICT)
        if cleanup.step == 0 and not cleanup.has_ended:
            # Also for a repeat: the first message may never have been sent, and a second one does no harm.
            self.queue.send(Step.next_of(cleanup, None))
        return Taken(Intake.ACCEPTED if written else Intake.REPLAYED, event_id, cleanup)

    def _take_record(self, record: TaskRecord) -> Taken:
        """Accepts a diagnostic record. The request gets its row when the message is delivered and the task was read."""
        request, now = task_request(record, self.accounts), self.clock.now()
        request_id = request.client_request_id
        if protected := self.vetoes.of_job(request.job_id):
            return Taken(Intake.PROTECTED, request_id, error=protected)
        found = self.records.read(Key.of(request))
        if found is None:
            self.queue.send(TaskStep(record, request, now))
            return Taken(Intake.ACCEPTED, request_id, Record.new(request, Origin.JOB_COMPLETION, now))
        if found.request.task != request.task:
            return Taken(Intake.CONFLICT, request_id, error=ID_CONFLICT)
        if found.state is not State.DONE:
            self.acceptor.accept(Record.new(found.request, found.origin, found.accepted_at))
        return Taken(Intake.REPLAYED, request_id, found)


def traced(event: JobEvent | TaskRecord, traceparent: str | None) -> JobEvent | TaskRecord:
    """The event as part of a trace, unless it has a trace context already."""
    if isinstance(event, JobEvent):
        return event.traced(traceparent)
    return replace(event, traceparent=event.traceparent or traceparent)

"""The HTTP calls about job completions: hand an event in, and see how its clean-up goes."""

from __future__ import annotations

from typing import Any

from shared.api.answer import Answer, Call, dry_run_of, guid_of, invalid, is_json, not_json, refusal
from shared.api.bulk import location as request_location
from shared.cleanup.event import JobEvent, SubscriptionValidation, TaskCompleted, partial_event, read_event
from shared.cleanup.message import task_request, write_step
from shared.cleanup.record import Cleanup, CleanupStore, new_cleanup
from shared.clock import Clock
from shared.deletion.acceptance import Acceptor
from shared.deletion.acceptance import Answer as Acceptance
from shared.deletion.guard import Guard
from shared.errors import InvalidInput
from shared.ledger.record import Origin
from shared.ledger.tally import totals
from shared.ledger.work import MAX_MESSAGE_BYTES
from shared.parsing import strict_json
from shared.request.model import DeletionRequest
from shared.results.event import dry_run_mark, error_wire, status_document
from shared.results.result import ID_CONFLICT
from shared.settings import Settings
from shared.storage.queues import Sender


class CleanupApi:
    """`/api/job-completions`. Methods may raise StorageUnavailable."""

    def __init__(
        self, settings: Settings, clock: Clock, cleanups: CleanupStore, acceptor: Acceptor, sender: Sender, guard: Guard
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._cleanups = cleanups
        self._acceptor = acceptor
        self._sender = sender
        self._guard = guard

    def submit(self, call: Call) -> Answer:
        """`POST /api/job-completions`."""
        if not is_json(call):
            return not_json()
        value: object = None
        try:
            value = strict_json.read(call.body, max_bytes=MAX_MESSAGE_BYTES)
            event = read_event(value, self._settings.batch_accounts, self._clock.now())
            if isinstance(event, SubscriptionValidation):
                # https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema
                return Answer(200, {"validationResponse": event.code})
            if isinstance(event, TaskCompleted):
                request = task_request(event, self._settings.batch_accounts)
                return self._accept_task(request.traced(call.traceparent))
        except InvalidInput as fault:
            return invalid(fault, partial_event(value, self._settings.batch_accounts).event_id)
        call.known.client_request_id = event.event_id
        return self._accept(event.traced(call.traceparent))

    def progress(self, call: Call) -> Answer:
        """`GET /api/job-completions/{id}`."""
        try:
            event_id, dry_run = guid_of(call, "id"), dry_run_of(call)
        except InvalidInput as fault:
            return invalid(fault)
        cleanup = self._cleanups.read(event_id, dry_run=dry_run)
        if cleanup is None:
            return refusal(
                404, "JobCompletionNotFound", "No event with this id is remembered.", client_request_id=event_id
            )
        return Answer(200, self._document(cleanup), client_request_id=event_id)

    def _accept(self, event: JobEvent) -> Answer:
        protected = self._guard.protection_of(event.job_id)
        if protected:
            return Answer(403, error_wire(protected), client_request_id=event.event_id)
        wanted = new_cleanup(event, self._clock.now())
        cleanup = self._cleanups.write(None, wanted, self._clock.now())
        if cleanup is None:
            cleanup = self._cleanups.read(event.event_id, dry_run=event.dry_run) or wanted
        if cleanup.payload_hash != wanted.payload_hash:
            return Answer(422, error_wire(ID_CONFLICT), client_request_id=event.event_id)
        if cleanup.step == 0:
            # A repeat sends it again: the first message may never have gone out, and a second one changes nothing.
            self._sender.send(self._settings.job_completion_queue, write_step(cleanup, None))
        suffix = "?dryRun=true" if event.dry_run else ""
        headers = {"location": f"/api/job-completions/{event.event_id}{suffix}"}
        return Answer(202, self._document(cleanup), headers, event.event_id)

    def _accept_task(self, request: DeletionRequest) -> Answer:
        protected = self._guard.protection(request)
        if protected:
            return Answer(403, error_wire(protected), client_request_id=request.client_request_id)
        acceptance = self._acceptor.accept(request, Origin.JOB_COMPLETION)
        if acceptance.answer is Acceptance.CONFLICT:
            return Answer(422, error_wire(ID_CONFLICT), client_request_id=request.client_request_id)
        record = acceptance.record
        headers = {"location": request_location(record.key)}
        return Answer(202, status_document(record, self._clock.now()), headers, request.client_request_id)

    def _document(self, cleanup: Cleanup) -> dict[str, Any]:
        event = cleanup.event
        found = totals(self._cleanups.table, event.event_id, dry_run=event.dry_run)
        document: dict[str, Any] = {
            "eventId": event.event_id,
            "jobId": event.job_id,
            "batchUrl": event.batch_url,
            "state": cleanup.phase.value,
            "listed": found.requested + cleanup.skipped,
            "requested": found.requested,
            "skipped": cleanup.skipped,
            "done": found.done,
            "open": found.requested - sum(found.done.values()),
            **dry_run_mark(dry_run=event.dry_run),
        }
        if cleanup.job_state:
            document["jobState"] = cleanup.job_state
        if cleanup.error is not None:
            document["error"] = error_wire(cleanup.error)
        return document

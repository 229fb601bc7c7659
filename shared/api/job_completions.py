"""The HTTP calls about job completions: submit events; list, show and cancel clean-ups."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from shared.api.answer import Answer, Call, dry_run_of, guid_of, refusal
from shared.api.body import refuse_empty, require_json
from shared.api.bulk import location as request_location
from shared.api.placement import refuse_any_id, refuse_other_id
from shared.api.posted_events import PostedEvent, check_size, posted_events
from shared.api.query import key, page_size, read_query
from shared.cleanup.cancelling import CleanupCancelling
from shared.cleanup.event import SubscriptionValidation, partial_event, read_event
from shared.cleanup.intake import EventIntake, Intake, Taken, traced
from shared.cleanup.record import Cleanup, Phase
from shared.cleanup.state import CancelDecision
from shared.cleanup.store import CleanupStore
from shared.clock import Clock
from shared.errors import InvalidInput, Problem
from shared.parsing.strict_json import capped
from shared.results.event import dry_run_mark, error_body, error_wire, status_document
from shared.results.result import invalid_request

DEFAULT_TOP = 20
MAX_TOP = 200
LISTING_THREADS = 8


@dataclass(frozen=True)
class CleanupApi:
    """`/api/job-completions`. Methods may raise StorageUnavailable."""

    accounts: tuple[str, ...]
    intake: EventIntake
    cleanups: CleanupStore
    cancelling: CleanupCancelling
    clock: Clock

    def submit(self, call: Call) -> Answer:
        """`POST /api/job-completions`."""
        read_query(call)
        require_json(call)
        refuse_empty(call)
        events = posted_events(call.headers, call.body)
        if len(events) > 1:
            refuse_any_id(call)
            return self._submit_many(call, events)
        try:
            return self._submit_one(call, events[0])
        except InvalidInput as fault:
            raise events[0].located(fault) from None

    def progress(self, call: Call) -> Answer:
        """`GET /api/job-completions/{id}`."""
        event_id, dry_run = guid_of(call, "id"), dry_run_of(call)
        cleanup = self.cleanups.read(event_id, dry_run=dry_run)
        return Answer(200, self._document(cleanup)) if cleanup else _unknown()

    def cancel(self, call: Call) -> Answer:
        """`DELETE /api/job-completions/{id}`."""
        event_id, dry_run = guid_of(call, "id"), dry_run_of(call)
        cancelled = self.cancelling.cancel(event_id, dry_run=dry_run)
        if cancelled.decision is CancelDecision.UNKNOWN:
            return _unknown()
        if cancelled.decision is CancelDecision.TOO_LATE:
            return refusal(409, "JobCompletionEnded", "The clean-up has ended, and none of its requests are open.")
        status = 200 if cancelled.decision is CancelDecision.ALREADY else 202
        return Answer(status, self._document(cancelled.row))

    def listing(self, call: Call) -> Answer:
        """`GET /api/job-completions?state=&top=&continuation=`."""
        query = read_query(call, "state", "top", "continuation")
        phase, top = _phase(query.get("state")), page_size(query, DEFAULT_TOP, MAX_TOP)
        try:
            page = self.cleanups.newest(top, phase, query.get("continuation", ""), self.clock.now())
        except InvalidInput as fault:
            raise fault.renamed({"continuation": key("continuation")}) from None
        # Each clean-up's counts take sixteen queries; one after the other, a page would take seconds.
        with ThreadPoolExecutor(LISTING_THREADS) as threads:
            documents = list(threads.map(self._document, page.cleanups))
        return Answer(200, {"value": documents, "continuation": page.continuation})

    def _submit_one(self, call: Call, posted: PostedEvent) -> Answer:
        # Set before storage is used, so that even a 503 names it.
        call.concerns(partial_event(posted.value, self.accounts).event_id)
        event = read_event(posted.value, self.accounts, self.clock.now())
        if isinstance(event, SubscriptionValidation):
            # https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema
            return Answer(200, {"validationResponse": event.code})
        refuse_other_id(call, call.subject.client_request_id, "the event's id")
        taken = self.intake.take(traced(event, call.traceparent))
        call.concerns(taken.client_request_id)
        if taken.error:
            return Answer(403 if taken.intake is Intake.PROTECTED else 422, error_wire(posted.about(taken.error)))
        return Answer(202, self._body(taken), {"location": _location(taken)})

    def _submit_many(self, call: Call, events: Sequence[PostedEvent]) -> Answer:
        """Each event is accepted or refused separately. A repeat counts as accepted, so that its sender stops sending it."""
        items, problems, good = [], list[Problem](), False
        for posted in events:
            try:
                taken = self._take(call, posted)
            except InvalidInput as fault:
                problems += fault.problems
                event_id = partial_event(posted.value, self.accounts).event_id
                items.append(_refused(event_id, fault))
                continue
            if taken.error is None:
                good = True
            else:
                problems += [Problem(place, text) for place, text in posted.about(taken.error).values]
            items.append(_item(taken, posted))
        if good:
            return Answer(202, {"items": items})
        return Answer(400, error_body(invalid_request(capped(problems))) | {"items": items})

    def _take(self, call: Call, posted: PostedEvent) -> Taken:
        check_size(posted)
        event = read_event(posted.value, self.accounts, self.clock.now(), posted.at)
        if isinstance(event, SubscriptionValidation):
            raise InvalidInput.at(f"{posted.at}/eventType", "must be the only event of the call")
        try:
            return self.intake.take(traced(event, call.traceparent))
        except InvalidInput as fault:
            # The account of a diagnostic record is looked up only after the whole record was read.
            raise InvalidInput([Problem(posted.at + p.pointer, p.text) for p in fault.problems], fault.code) from None

    def _body(self, taken: Taken) -> dict[str, Any]:
        if isinstance(taken.subject, Cleanup):
            return self._document(taken.subject)
        return status_document(taken.subject, self.clock.now()) if taken.subject else {}

    def _document(self, cleanup: Cleanup) -> dict[str, Any]:
        event, found = cleanup.event, self.cleanups.totals(cleanup)
        document: dict[str, Any] = {
            "eventId": event.event_id,
            "jobId": event.job_id,
            "batchUrl": event.batch_url,
            "state": cleanup.phase.value,
            "listed": found.requested + cleanup.skipped,
            "requested": found.requested,
            "skipped": cleanup.skipped,
            "done": found.done,
            "open": found.open,
            **dry_run_mark(dry_run=event.dry_run),
        }
        if cleanup.job_state:
            document["jobState"] = cleanup.job_state
        if cleanup.error is not None:
            document["error"] = error_wire(cleanup.error)
        return document


def _location(taken: Taken) -> str:
    if isinstance(taken.subject, Cleanup):
        suffix = "?dryRun=true" if taken.subject.event.dry_run else ""
        return f"/api/job-completions/{taken.client_request_id}{suffix}"
    return request_location(taken.subject.key) if taken.subject else ""


def _item(taken: Taken, posted: PostedEvent) -> dict[str, Any]:
    item: dict[str, Any] = {"clientRequestId": taken.client_request_id, "status": taken.intake.value}
    if taken.error is None:
        return item | {"location": _location(taken)}
    # As in bulk calls, a protected job makes the item invalid.
    status = "conflict" if taken.intake is Intake.CONFLICT else "invalid"
    return item | {"status": status, "error": error_wire(posted.about(taken.error))}


def _refused(event_id: str | None, fault: InvalidInput) -> dict[str, Any]:
    error = error_wire(invalid_request(fault.problems, fault.code))
    return {"clientRequestId": event_id, "status": "invalid", "error": error}


def _phase(text: str | None) -> Phase | None:
    if text is None:
        return None
    try:
        return Phase(text)
    except ValueError:
        raise InvalidInput.at(key("state"), f"must be one of {', '.join(Phase)}") from None


def _unknown() -> Answer:
    return refusal(404, "JobCompletionNotFound", "There is no clean-up with this id, or it has been purged.")

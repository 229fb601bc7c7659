"""The HTTP calls about single requests. Each method answers one route; nothing here knows the Functions library."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from shared.api.answer import Answer, Call, dry_run_of, guid_of, invalid, is_json, not_json, refusal
from shared.api.bulk import INVALID, Bulk, location
from shared.api.rest_operation import HEADERS, operation_answer, read_operation
from shared.clock import Clock
from shared.deletion import acceptance
from shared.deletion.cancellation import Cancellation
from shared.deletion.guard import Guard
from shared.deletion.synchronous import Standing, SynchronousDeletion
from shared.errors import InvalidInput, Problem
from shared.ledger.record import Key, Origin, Outcome, Record, State
from shared.ledger.store import RecordStore
from shared.parsing import grammar, strict_json
from shared.parsing.strict_json import TOO_LARGE
from shared.request.envelope import Item, Kind, read_requests
from shared.request.model import DeletionRequest, partial_fields, readable
from shared.results.event import error_wire, status_document
from shared.results.result import ID_CONFLICT
from shared.settings import Settings

MAX_ENVELOPE_BYTES = 4 * 1024 * 1024
MAX_REQUEST_BYTES = 64 * 1024
REPLAYED = {"idempotency-replayed": "true"}

_RESPOND_ASYNC = re.compile(r"(?:^|,)\s*respond-async\s*(?:;|,|$)", re.IGNORECASE)


class TaskDeletionApi:
    """`/api/task-deletions` and the REST operation itself. Methods may raise StorageUnavailable."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: RecordStore,
        acceptor: acceptance.Acceptor,
        guard: Guard,
        synchronous: SynchronousDeletion,
        cancellation: Cancellation,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._acceptor = acceptor
        self._guard = guard
        self._synchronous = synchronous
        self._cancellation = cancellation
        self._bulk = Bulk(acceptor, guard, clock)

    def submit(self, call: Call) -> Answer:
        """`POST /api/task-deletions`."""
        if not is_json(call):
            return not_json()
        value: object = None
        try:
            value = strict_json.read(call.body, max_bytes=MAX_ENVELOPE_BYTES)
            envelope = read_requests(value, self._settings.batch_accounts, self._clock.now())
            envelope = envelope.traced(call.traceparent)
            if envelope.kind is Kind.SINGLE:
                return self._submit_one(_only(envelope.items, call), call)
        except InvalidInput as fault:
            partial = partial_fields(value, self._settings.batch_accounts)
            return invalid(fault, partial.client_request_id)
        call.known.client_request_id = envelope.parent_id
        answer = self._bulk.accept(envelope)
        return Answer(400 if answer["counts"][INVALID] == len(envelope.items) else 202, answer)

    def status(self, call: Call) -> Answer:
        """`GET /api/task-deletions/{clientRequestId}`."""
        try:
            key = _key(call)
        except InvalidInput as fault:
            return invalid(fault)
        record = self._store.read(key)
        if record is None:
            return unknown(key)
        return self._status(200, record)

    def cancel(self, call: Call) -> Answer:
        """`DELETE /api/task-deletions/{clientRequestId}`."""
        try:
            key = _key(call)
        except InvalidInput as fault:
            return invalid(fault)
        record, ended = self._cancellation.cancel(key)
        if record is None:
            return unknown(key)
        if ended or (record.conclusion and record.conclusion.outcome is Outcome.CANCELLED):
            # A repeat: the caller may not have heard the first answer.
            return self._status(200, record)
        begun = f"is done: {record.conclusion.outcome.value}" if record.conclusion else "was begun"
        return refusal(
            409,
            "RequestBegun",
            f"The request {begun}; it can no longer be taken back.",
            client_request_id=key.client_request_id,
        )

    def delete_task(self, call: Call) -> Answer:
        """`DELETE /api/jobs/{jobId}/tasks/{taskId}`: the REST operation, at once or with `Prefer: respond-async`."""
        settings = self._settings
        try:
            request = read_operation(call, settings, self._clock.now())
        except InvalidInput as fault:
            return invalid(fault, readable(call.headers.get("client-request-id"), grammar.guid), HEADERS)
        call.known.client_request_id = request.client_request_id
        if protected := self._protected(request):
            return protected
        if _RESPOND_ASYNC.search(call.headers.get("prefer", "")):
            return self._accept(request, done=_replayed)
        came = self._synchronous.delete(request, call.invocation_id)
        if came.standing is Standing.CONFLICT:
            return conflict(request)
        if came.standing is Standing.OPEN:
            return self._status(202, came.record)
        return _replayed(came.record) if came.standing is Standing.REPLAYED else operation_answer(came.record)

    def _submit_one(self, request: DeletionRequest, call: Call) -> Answer:
        call.known.client_request_id = request.client_request_id
        return self._protected(request) or self._accept(request)

    def _accept(self, request: DeletionRequest, done: Callable[[Record], Answer] | None = None) -> Answer:
        """Accepts for the queue; `done` words the answer of a request that is done already."""
        came = self._acceptor.accept(request, Origin.HTTP)
        if came.answer is acceptance.Answer.CONFLICT:
            return conflict(request)
        if done and came.record.state is State.DONE:
            return done(came.record)
        replayed = came.answer is acceptance.Answer.REPLAYED
        return self._status(200 if came.record.state is State.DONE else 202, came.record, replayed=replayed)

    def _protected(self, request: DeletionRequest) -> Answer | None:
        error = self._guard.protection(request)
        if error is None:
            return None
        return Answer(403, error_wire(error), client_request_id=request.client_request_id)

    def _status(self, status: int, record: Record, *, replayed: bool = False) -> Answer:
        headers = dict(REPLAYED) if replayed else {}
        if status == 202:
            headers["location"] = location(record.key)
        document = status_document(record, self._clock.now())
        return Answer(status, document, headers, record.request.client_request_id)


def _key(call: Call) -> Key:
    """The row that a call names. Raises InvalidInput."""
    return Key(guid_of(call, "clientRequestId"), dry_run_of(call))


def _replayed(record: Record) -> Answer:
    """The stored answer of the REST operation, to a repeat."""
    return replace(operation_answer(record), headers=REPLAYED)


def conflict(request: DeletionRequest) -> Answer:
    """422: the id was used before with another payload."""
    return Answer(422, error_wire(ID_CONFLICT), client_request_id=request.client_request_id)


def unknown(key: Key) -> Answer:
    """404: no such request is remembered."""
    return refusal(
        404, "TaskDeletionNotFound", "No request with this id is remembered.", client_request_id=key.client_request_id
    )


def _only(items: tuple[Item, ...], call: Call) -> DeletionRequest:
    if len(call.body) > MAX_REQUEST_BYTES:
        raise InvalidInput(
            [Problem("", f"is {len(call.body)} bytes long; at most {MAX_REQUEST_BYTES} are allowed")], TOO_LARGE
        )
    request = items[0].request
    if request is None:
        raise InvalidInput(items[0].problems)
    return request

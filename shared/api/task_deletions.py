"""The HTTP calls about single requests. Each method answers one route; nothing here knows the Functions library."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.api.answer import Answer, Call, dry_run_of, guid_of, refusal
from shared.api.body import read_json
from shared.api.bulk import Bulk, location
from shared.api.placement import CLIENT_REQUEST_ID, refuse_any_id, refuse_other_id
from shared.api.query import read_query
from shared.api.rest_operation import operation_answer, read_operation
from shared.clock import Clock
from shared.deletion import acceptance
from shared.deletion.acceptance import Acceptor
from shared.deletion.cancellation import Cancellation
from shared.deletion.synchronous import SynchronousDeletion, SyncOutcome
from shared.deletion.vetoes import Vetoes
from shared.errors import InvalidInput, Problem
from shared.ledger.record import Key, Origin, Outcome, Record, State
from shared.ledger.store import RecordStore
from shared.parsing import grammar
from shared.parsing.strict_json import TOO_LARGE
from shared.request.envelope import Envelope, Invalid, Kind, is_single, read_requests
from shared.request.model import DeletionRequest, parse_or_none
from shared.results.event import error_wire, status_document
from shared.results.result import ID_CONFLICT
from shared.settings import Settings

MAX_ENVELOPE_BYTES = 4 * 1024 * 1024
MAX_REQUEST_BYTES = 64 * 1024
REPLAYED = {"idempotency-replayed": "true"}

_RESPOND_ASYNC = re.compile(r"(?:^|,)\s*respond-async\s*(?:;|,|$)", re.IGNORECASE)


@dataclass(frozen=True)
class TaskDeletionApi:
    """`/api/task-deletions` and the REST operation itself. Methods may raise InvalidInput and StorageUnavailable."""

    settings: Settings
    clock: Clock
    store: RecordStore
    acceptor: Acceptor
    vetoes: Vetoes
    synchronous: SynchronousDeletion
    cancellation: Cancellation

    @property
    def _bulk(self) -> Bulk:
        return Bulk(self.acceptor, self.vetoes)

    def submit(self, call: Call) -> Answer:
        """`POST /api/task-deletions`."""
        read_query(call)
        value = read_json(call, MAX_ENVELOPE_BYTES)
        if known := _readable_id(value):
            call.concerns(known)
        _refuse_large_single(value, call)
        envelope = self._read(value, call)
        if envelope.kind is Kind.MANY:
            refuse_any_id(call)
            return self._bulk.accept(envelope)
        if envelope.kind is Kind.TASK_IDS:
            refuse_other_id(call, envelope.parent_id)
            return self._bulk.accept(envelope)
        record = _only(envelope)
        refuse_other_id(call, record.request.client_request_id)
        return self._protected(record.request) or self._accept(record)

    def _read(self, value: object, call: Call) -> Envelope[Record]:
        now, origin = self.clock.now(), Origin.HTTP if is_single(value) else Origin.BULK

        def make(request: DeletionRequest, parent_id: str | None) -> Record:
            return Record.new(request.traced(call.traceparent), origin, now, parent_id)

        return read_requests(value, self.settings.batch_accounts, now, make)

    def status(self, call: Call) -> Answer:
        """`GET /api/task-deletions/{clientRequestId}`."""
        record = self.store.read(_key(call))
        return unknown() if record is None else self._status(200, record)

    def cancel(self, call: Call) -> Answer:
        """`DELETE /api/task-deletions/{clientRequestId}`."""
        record, ended = self.cancellation.cancel(_key(call))
        if record is None:
            return unknown()
        if ended or (record.conclusion and record.conclusion.outcome is Outcome.CANCELLED):
            # A repeat: the first response may have been lost.
            return self._status(200, record)
        begun = f"is done: {record.conclusion.outcome.value}" if record.conclusion else "has already begun"
        return refusal(409, "RequestBegun", f"The request {begun}; it cannot be cancelled any more.")

    def delete_task(self, call: Call) -> Answer:
        """`DELETE /api/jobs/{jobId}/tasks/{taskId}`: the REST operation, immediate unless `Prefer: respond-async`."""
        request = read_operation(call, self.settings, self.clock.now())
        call.concerns(request.client_request_id)
        if protected := self._protected(request):
            return protected
        if _RESPOND_ASYNC.search(call.headers.get("prefer", "")):
            record = Record.new(request, Origin.HTTP, self.clock.now())
            return self._accept(record, done=_replayed, id_at=CLIENT_REQUEST_ID)
        called = self.synchronous.delete(request, call.invocation_id)
        if called.outcome is SyncOutcome.CONFLICT:
            return conflict(CLIENT_REQUEST_ID)
        if called.outcome is SyncOutcome.CONTINUES:
            return self._status(202, called.record)
        return _replayed(called.record) if called.outcome is SyncOutcome.REPLAYED else operation_answer(called.record)

    def _accept(
        self, record: Record, done: Callable[[Record], Answer] | None = None, id_at: str = "/clientRequestId"
    ) -> Answer:
        """Accepts a request for the queue. `done` makes the response if the request is already done.

        `id_at` points at the id in the call.
        """
        accepted = self.acceptor.accept(record)
        if accepted.receipt is acceptance.Receipt.CONFLICT:
            return conflict(id_at)
        if done and accepted.record.state is State.DONE:
            return done(accepted.record)
        replayed = accepted.receipt is acceptance.Receipt.REPLAYED
        return self._status(200 if accepted.record.state is State.DONE else 202, accepted.record, replayed=replayed)

    def _protected(self, request: DeletionRequest) -> Answer | None:
        error = self.vetoes.of_job(request.job_id)
        return None if error is None else Answer(403, error_wire(error))

    def _status(self, status: int, record: Record, *, replayed: bool = False) -> Answer:
        headers = dict(REPLAYED) if replayed else {}
        if status == 202:
            headers["location"] = location(record.key)
        return Answer(status, status_document(record, self.clock.now()), headers)


def _key(call: Call) -> Key:
    """The row that a call names. Raises InvalidInput."""
    return Key(guid_of(call, "clientRequestId"), dry_run_of(call))


def _replayed(record: Record) -> Answer:
    """The response of the REST operation to a repeat."""
    return replace(operation_answer(record), headers=REPLAYED)


def conflict(id_at: str) -> Answer:
    """422: the id is already used for another payload. `id_at` points at the id in the call."""
    values = tuple((id_at, text) for _, text in ID_CONFLICT.values)
    return Answer(422, error_wire(replace(ID_CONFLICT, values=values)))


def unknown() -> Answer:
    """404: the request is unknown, or its row was purged."""
    return refusal(404, "TaskDeletionNotFound", "There is no request with this id, or it has been purged.")


def _readable_id(value: object) -> str | None:
    """The id in a body, whatever else is wrong with it."""
    return parse_or_none(value.get("clientRequestId"), grammar.guid) if isinstance(value, dict) else None


def _refuse_large_single(value: object, call: Call) -> None:
    """Raises InvalidInput for a single request larger than one message. Checked before the body is parsed into a model."""
    if is_single(value) and len(call.body) > MAX_REQUEST_BYTES:
        text = f"is {len(call.body)} bytes long; at most {MAX_REQUEST_BYTES} are allowed"
        raise InvalidInput([Problem("", text)], TOO_LARGE)


def _only(envelope: Envelope[Record]) -> Record:
    (item,) = envelope.items
    if isinstance(item, Invalid):
        raise InvalidInput(item.problems)
    return item

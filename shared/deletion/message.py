"""What a message on the request queue says: valid rows to work on, and what is wrong with the rest. Never raises."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime

from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput, Problem
from shared.ledger.record import Origin
from shared.ledger.work import MAX_MESSAGE_BYTES, Work, WorkRow, is_work, read_work
from shared.parsing.json_items import items_of
from shared.request.envelope import Envelope, Item, Kind, body_text, read_body, read_requests
from shared.request.model import DeletionRequest, PartialRequest, partial_fields, payload_hash, to_wire
from shared.results.emission import Emission, conflict, rejected
from shared.settings import Settings

MOST_ALONE = 100
"""Invalid items of one message that are told one by one; the others come together."""
MOST_POINTERS = 100
_LISTS = {Kind.MANY: "requests", Kind.TASK_IDS: "taskIds"}
_MAX_POINTER = 100


@dataclass(frozen=True)
class Refusal:
    """A part of a message that is not a valid request."""

    problems: tuple[Problem, ...]
    partial: PartialRequest
    body: bytes
    """What the dead letter holds: the part alone."""
    index: int = 0
    text: str | None = None
    """What the error says in place of the usual."""


@dataclass(frozen=True)
class Message:
    """A message as read."""

    raw: bytes
    id: str
    """The queue's."""
    work: Work
    refusals: tuple[Refusal, ...] = ()
    is_single: bool = False
    """One request, alone in a message from outside."""
    is_own: bool = False
    """Written by the app, for rows of one bucket."""

    def refused(self, default_account: str, now: datetime) -> list[Emission]:
        """The results owed for what is not a valid request."""
        return [self._refused(refusal, default_account, now) for refusal in self.refusals]

    def _refused(self, refusal: Refusal, default_account: str, now: datetime) -> Emission:
        emission = rejected(
            self.raw, refusal.problems, refusal.partial, default_account, now, refusal.index, self.work.parent_id
        )
        ending = replace(emission.ending, message_id=self.id)
        if refusal.text and ending.error:
            ending = replace(ending, error=replace(ending.error, message=refusal.text))
        return replace(emission, ending=ending, body=refusal.body)

    def body_of(self, request: DeletionRequest) -> bytes:
        """What a dead letter keeps as received: the message, or the one request of many."""
        return self.raw if self.is_single else request_body(request)

    def conflict(self, row: WorkRow, now: datetime) -> Emission:
        """The result owed for a request whose id was used with another payload."""
        body = self.body_of(row.request)
        return conflict(row.request, row.payload_hash, self.work.origin, body, now, self.work.parent_id)


def request_body(request: DeletionRequest) -> bytes:
    """A request as the JSON that would bring it in again."""
    return json.dumps(to_wire(request)).encode("ascii")


def read_message(delivery: Delivery, settings: Settings, now: datetime) -> Message:
    """Reads a message by the rules of the contract; what breaks them becomes a refusal."""
    accounts = settings.batch_accounts
    value: object = None
    try:
        value = read_body(delivery.body, max_bytes=MAX_MESSAGE_BYTES)
        if is_work(value):
            return Message(delivery.body, delivery.message_id, read_work(value, accounts, now), is_own=True)
        envelope = read_requests(value, accounts, delivery.inserted_at).traced(delivery.traceparent)
    except InvalidInput as fault:
        refusal = Refusal(fault.problems, partial_fields(value, accounts), delivery.body)
        work = Work((), Origin.QUEUE, delivery.inserted_at)
        return Message(delivery.body, delivery.message_id, work, (refusal,))
    return _from_outside(envelope, delivery)


def _from_outside(envelope: Envelope, delivery: Delivery) -> Message:
    rows = tuple(WorkRow(item.request, payload_hash(item.request)) for item in envelope.items if item.request)
    work = Work(rows, Origin.QUEUE, delivery.inserted_at, envelope.parent_id)
    refusals = _refusals(envelope, delivery.body)
    return Message(delivery.body, delivery.message_id, work, refusals, is_single=envelope.kind is Kind.SINGLE)


def _refusals(envelope: Envelope, raw: bytes) -> tuple[Refusal, ...]:
    """What is owed for the invalid items: one refusal each for the first, and one for all others."""
    invalid = [item for item in envelope.items if item.request is None]
    if not invalid:
        return ()
    if envelope.kind is Kind.SINGLE:
        return (Refusal(invalid[0].problems, invalid[0].partial, raw),)
    bodies = items_of(body_text(raw), _LISTS[envelope.kind])
    alone = [
        Refusal(item.problems, item.partial, bodies[item.index].encode(), item.index) for item in invalid[:MOST_ALONE]
    ]
    return (*alone, *_together(invalid[MOST_ALONE:], bodies, _LISTS[envelope.kind]))


def _together(items: list[Item], bodies: list[str], name: str) -> list[Refusal]:
    """One refusal for the rest, so that a message never costs more than its own size in storage."""
    if not items:
        return []
    partial = items[0].partial if name == "taskIds" else PartialRequest()
    body = ",".join(bodies[item.index] for item in items)
    problems = tuple(_first_problem(item, name) for item in items[:MOST_POINTERS])
    text = f"{len(items)} more items of the message are not valid."
    return [Refusal(problems, partial, f'{{"{name}":[{body}]}}'.encode(), items[0].index, text)]


def _first_problem(item: Item, name: str) -> Problem:
    """One pointer for an item, short enough for a hundred of them to fit one column."""
    first = item.problems[0]
    is_short = len(first.pointer) <= _MAX_POINTER and first.pointer.isascii()
    return first if is_short else Problem(f"/{name}/{item.index}", first.text)

"""Reads a message from the request queue: its valid requests, and what is wrong with the rest. Never raises."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput, Problem
from shared.ledger.record import Origin, Record
from shared.ledger.work import MAX_MESSAGE_BYTES, is_work, read_work
from shared.parsing.json_items import items_of
from shared.request.envelope import Envelope, Item, Kind, body_text, read_body, read_requests
from shared.request.model import PartialRequest, partial_fields
from shared.results.result import Result
from shared.settings import Settings

MOST_ALONE = 100
"""Invalid items of one message that are reported one by one; the others are reported together."""
MOST_POINTERS = 100
_LISTS = {Kind.MANY: "requests", Kind.TASK_IDS: "taskIds"}
_MAX_POINTER = 100


@dataclass(frozen=True)
class Refusal:
    """A part of a message that is not a valid request."""

    problems: tuple[Problem, ...]
    partial: PartialRequest
    body: bytes
    """What the dead letter keeps: only this part."""
    index: int = 0
    text: str | None = None
    """The error's text, in place of the usual one."""


@dataclass(frozen=True)
class Message:
    """A message as read."""

    raw: bytes
    id: str
    """The queue's."""
    records: tuple[Record, ...] = ()
    """The valid requests, with what the message says about their rows."""
    refusals: tuple[Refusal, ...] = ()
    is_single: bool = False
    """One request, alone in a caller's message."""
    is_own: bool = False
    """Written by the app, for rows of one bucket."""
    parent_id: str | None = None

    def refused(self, default_account: str, now: datetime) -> list[Result]:
        """The results for the invalid parts of the message."""
        return [self._refused(refusal, default_account, now) for refusal in self.refusals]

    def _refused(self, refusal: Refusal, default_account: str, now: datetime) -> Result:
        result = Result.rejected(
            self.raw, refusal.problems, refusal.partial, default_account, now, refusal.index, self.parent_id
        )
        error = replace(result.error, message=refusal.text) if refusal.text and result.error else result.error
        return replace(result, message_id=self.id, error=error, raw=refusal.body)

    @property
    def body(self) -> bytes | None:
        """What a dead letter keeps as received; None where many requests are each kept separately."""
        return self.raw if self.is_single else None


def read_message(delivery: Delivery, settings: Settings, now: datetime) -> Message:
    """Reads a message; anything invalid becomes a refusal."""
    accounts = settings.batch_accounts
    value: object = None
    try:
        value = read_body(delivery.body, max_bytes=MAX_MESSAGE_BYTES)
        if is_work(value):
            return Message(delivery.body, delivery.message_id, read_work(value, accounts, now), is_own=True)
        envelope = read_requests(value, accounts, delivery.inserted_at).traced(delivery.traceparent)
    except InvalidInput as fault:
        refusal = Refusal(fault.problems, partial_fields(value, accounts), delivery.body)
        return Message(delivery.body, delivery.message_id, refusals=(refusal,))
    return _from_outside(envelope, delivery)


def _from_outside(envelope: Envelope, delivery: Delivery) -> Message:
    parent = envelope.parent_id
    records = (
        Record.new(item.request, Origin.QUEUE, delivery.inserted_at, parent) for item in envelope.items if item.request
    )
    refusals = _refusals(envelope, delivery.body)
    return Message(
        delivery.body,
        delivery.message_id,
        tuple(records),
        refusals,
        is_single=envelope.kind is Kind.SINGLE,
        parent_id=parent,
    )


def _refusals(envelope: Envelope, raw: bytes) -> tuple[Refusal, ...]:
    """The refusals for the invalid items: one each for the first `MOST_ALONE`, and one for all others."""
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
    """One refusal for the rest, so that a message never costs more than its size in storage."""
    if not items:
        return []
    partial = items[0].partial if name == "taskIds" else PartialRequest()
    body = ",".join(bodies[item.index] for item in items)
    problems = tuple(_first_problem(item, name) for item in items[:MOST_POINTERS])
    text = f"{len(items)} more items of the message are not valid."
    return [Refusal(problems, partial, f'{{"{name}":[{body}]}}'.encode(), items[0].index, text)]


def _first_problem(item: Item, name: str) -> Problem:
    """One problem for an item, short enough that a hundred of them fit into one column."""
    first = item.problems[0]
    is_short = len(first.pointer) <= _MAX_POINTER and first.pointer.isascii()
    return first if is_short else Problem(f"/{name}/{item.index}", first.text)

"""Reads a message from the request queue: its valid requests as rows to come, and results for the rest. Never raises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from shared.batch.reply import ErrorBody
from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput, Problem
from shared.ledger.record import Origin, Record
from shared.ledger.work import MAX_MESSAGE_BYTES, is_work, read_work
from shared.parsing.json_items import items_of
from shared.request.envelope import Envelope, Invalid, Kind, body_text, read_body, read_requests
from shared.request.model import DeletionRequest, PartialRequest, partial_fields
from shared.results.result import Result, invalid_request

MOST_ALONE = 100
"""Invalid items of one message that are reported one by one; the others are reported together."""
MOST_POINTERS = 100
_MAX_POINTER = 100

Message = Envelope[Record]


def read_message(delivery: Delivery, accounts: tuple[str, ...], now: datetime) -> Message:
    """The requests of a message, with what it says about their rows; one that cannot be read is one invalid item."""

    def make(request: DeletionRequest, parent_id: str | None) -> Record:
        return Record.new(request.traced(delivery.traceparent), Origin.QUEUE, delivery.inserted_at, parent_id)

    value: object = None
    try:
        value = read_body(delivery.body, max_bytes=MAX_MESSAGE_BYTES)
        if is_work(value):
            return Envelope(Kind.OWN, read_work(value, accounts, now))
        return read_requests(value, accounts, delivery.inserted_at, make)
    except InvalidInput as fault:
        return Envelope(Kind.SINGLE, (Invalid(0, fault.problems, partial_fields(value, accounts)),))


def body_kept(message: Message, delivery: Delivery) -> bytes | None:
    """What a dead letter keeps as received; None where many requests are each kept separately."""
    return delivery.body if message.kind is Kind.SINGLE else None


def rejected(message: Message, delivery: Delivery, default_account: str, now: datetime) -> list[Result]:
    """The results for the invalid items of a message."""
    return [
        Result.rejected(
            delivery.body,
            item,
            error,
            default_account,
            now,
            kept=kept,
            message_id=delivery.message_id,
            parent_id=message.parent_id,
        )
        for item, error, kept in _parts(message, delivery.body)
    ]


def _parts(message: Message, raw: bytes) -> Iterator[tuple[Invalid, ErrorBody, bytes]]:
    """The invalid items, their errors, and the part of the message that each dead letter keeps.

    One each for the first `MOST_ALONE`, and one for all others, so that a message never costs more than its size in
    storage.
    """
    invalid = message.invalid
    if message.kind is Kind.SINGLE:
        yield from ((item, invalid_request(item.problems), raw) for item in invalid)
    elif invalid:
        bodies = items_of(body_text(raw), message.kind)
        for item in invalid[:MOST_ALONE]:
            yield item, invalid_request(item.problems), bodies[item.index].encode()
        if together := invalid[MOST_ALONE:]:
            body = ",".join(bodies[item.index] for item in together)
            yield *_together(together, message.kind), f'{{"{message.kind}":[{body}]}}'.encode()


def _together(items: list[Invalid], kind: Kind) -> tuple[Invalid, ErrorBody]:
    """Many invalid items as one."""
    first = items[0]
    error = invalid_request(_first_problem(item, kind) for item in items[:MOST_POINTERS])
    partial = first.partial if kind is Kind.TASK_IDS else PartialRequest()
    text = f"{len(items)} more items of the message are not valid."
    return replace(first, partial=partial), replace(error, message=text)


def _first_problem(item: Invalid, kind: Kind) -> Problem:
    """One problem for an item, short enough that a hundred of them fit into one column."""
    first = item.problems[0]
    is_short = len(first.pointer) <= _MAX_POINTER and first.pointer.isascii()
    return first if is_short else Problem(f"/{kind}/{item.index}", first.text)

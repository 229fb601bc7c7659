"""What a message on the request queue says: valid requests to work on, and what is wrong with the rest. Never raises."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput, Problem
from shared.ledger.record import Origin, Record
from shared.ledger.work import MAX_MESSAGE_BYTES, is_work, read_work
from shared.request.envelope import Envelope, Kind, read_body, read_requests
from shared.request.model import PartialRequest, partial_fields
from shared.results.result import Result
from shared.settings import Settings


@dataclass(frozen=True)
class Refusal:
    """A part of a message that is no valid request."""

    problems: tuple[Problem, ...]
    partial: PartialRequest
    index: int = 0


@dataclass(frozen=True)
class Message:
    """A message as read."""

    raw: bytes
    records: tuple[Record, ...] = ()
    """The valid requests, as far as the message tells of their rows."""
    refusals: tuple[Refusal, ...] = ()
    is_single: bool = False
    """One request, alone in a message from outside."""
    is_own: bool = False
    """Written by the app, for rows of one bucket."""
    parent_id: str | None = None

    def refused(self, default_account: str, now: datetime) -> list[Result]:
        """The results owed for what is no valid request."""
        return [
            Result.rejected(self.raw, r.problems, r.partial, default_account, now, r.index, self.parent_id)
            for r in self.refusals
        ]

    @property
    def body(self) -> bytes | None:
        """What a dead letter keeps as received; None where each of many requests is kept by itself."""
        return self.raw if self.is_single else None


def read_message(delivery: Delivery, settings: Settings, now: datetime) -> Message:
    """Reads a message by the rules of the contract; what breaks them becomes a refusal."""
    accounts = settings.batch_accounts
    value: object = None
    try:
        value = read_body(delivery.body, max_bytes=MAX_MESSAGE_BYTES)
        if is_work(value):
            return Message(delivery.body, read_work(value, accounts, now), is_own=True)
        envelope = read_requests(value, accounts, delivery.inserted_at).traced(delivery.traceparent)
    except InvalidInput as fault:
        refusal = Refusal(fault.problems, partial_fields(value, accounts))
        return Message(delivery.body, refusals=(refusal,))
    return _from_outside(envelope, delivery)


def _from_outside(envelope: Envelope, delivery: Delivery) -> Message:
    parent = envelope.parent_id
    records = (
        Record.new(item.request, Origin.QUEUE, delivery.inserted_at, parent) for item in envelope.items if item.request
    )
    refusals = (Refusal(item.problems, item.partial, item.index) for item in envelope.items if item.request is None)
    single = envelope.kind is Kind.SINGLE
    return Message(delivery.body, tuple(records), tuple(refusals), is_single=single, parent_id=parent)

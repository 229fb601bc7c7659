"""Accepting requests: the row first, then the message that brings it to a worker."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.clock import Clock
from shared.deletion.side_by_side import ONE_BY_ONE, SideBySide
from shared.errors import StorageUnavailable
from shared.ledger import decisions
from shared.ledger.decisions import Change
from shared.ledger.record import Key, Record, State
from shared.ledger.store import RecordStore
from shared.ledger.work import MAX_ROWS, messages
from shared.storage.queues import Sender
from shared.storage.table import Refused

log = logging.getLogger(__name__)

MAX_REFUSALS = 3
"""Transactions tried before each row is looked at."""


class Receipt(StrEnum):
    """What a caller is told of one request."""

    ACCEPTED = "accepted"
    REPLAYED = "replayed"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Acceptance:
    """The answer for one request, and its row as it stands."""

    receipt: Receipt
    asked: Record
    record: Record

    @classmethod
    def of_repeat(cls, asked: Record, found: Record) -> Acceptance:
        """The answer for a request whose id is taken: a repeat, or a conflict."""
        same = found.payload_hash == asked.payload_hash
        return cls(Receipt.REPLAYED if same else Receipt.CONFLICT, asked, found)


@dataclass(frozen=True)
class Dispatcher:
    """Sends work messages, as few as fit, each not before its time."""

    sender: Sender
    queue: str
    clock: Clock

    def send(self, records: Iterable[Record], *, at: datetime | None = None, queue: str | None = None) -> None:
        """Puts the requests on the queue for their due times, or all for one. Raises StorageUnavailable."""
        for due, text in messages(records, at):
            delay = (due - self.clock.now()).total_seconds() if due else 0
            self.sender.send(queue or self.queue, text, delay)


@dataclass(frozen=True)
class Acceptor:
    """Accepts requests once per client-request-id. If a method raises StorageUnavailable, nothing is promised."""

    store: RecordStore
    dispatcher: Dispatcher
    clock: Clock
    side_by_side: SideBySide = ONE_BY_ONE

    def accept(self, record: Record) -> Acceptance:
        """Accepts one request."""
        return self.accept_all([record])[0]

    def accept_all(self, records: Sequence[Record]) -> list[Acceptance]:
        """Accepts many requests, a transaction and a message per bucket; answers in the order of the records.

        All rows are written before the first message is sent: otherwise workers in the same process would compete with
        this call while the caller waits. After a crash in between, a repeat of the call sends the missing messages.
        """
        first: dict[Key, int] = {}
        for index, record in enumerate(records):
            first.setdefault(record.key, index)
        chunks = _chunks([records[index] for index in first.values()])
        answers: dict[Key, Acceptance] = {}
        for accepted in self.side_by_side.each(self._accept_chunk, chunks):
            answers.update(accepted)
        self.side_by_side.each(lambda chunk: self._put_what_is_open([answers[r.key] for r in chunk]), chunks)
        return [
            answers[record.key] if first[record.key] == index else self._repeated(record, answers[record.key].record)
            for index, record in enumerate(records)
        ]

    def _repeated(self, asked: Record, found: Record) -> Acceptance:
        """Answers for a row that this call has just seen, and sends a message, so that the repeat has a result too."""
        answer = Acceptance.of_repeat(asked, found)
        self._put_what_is_open([answer])
        return answer

    def put_without_rows(self, records: Iterable[Record]) -> None:
        """Sends requests whose rows their first claims insert; the caller makes up for a message that is lost."""
        buckets: dict[str, list[Record]] = {}
        for record in records:
            buckets.setdefault(record.key.bucket, []).append(record)
        self.side_by_side.each(self.dispatcher.send, list(buckets.values()))

    def _accept_chunk(self, chunk: Sequence[Record]) -> dict[Key, Acceptance]:
        """Inserts rows of one bucket together; once a write is refused, reads the existing rows together as well."""
        left = {asked.key: asked for asked in chunk}
        answers: dict[Key, Acceptance] = {}
        for refusals in range(MAX_REFUSALS):
            tried = list(left.values())
            written = self.store.write_group([(None, asked) for asked in tried]) if tried else []
            if not isinstance(written, Refused):
                pairs = zip(tried, written, strict=True)
                return answers | {asked.key: Acceptance(Receipt.ACCEPTED, asked, record) for asked, record in pairs}
            if refusals == 0 and len(left) > 1:
                # Most likely the repeat of a whole call.
                for key, found in self.store.read_all(list(left)).items():
                    answers[key] = Acceptance.of_repeat(left.pop(key), found)
            else:
                # The row was inserted meanwhile, or cannot be read.
                asked = left.pop(tried[written.index].key)
                answers[asked.key] = self._accept_one(asked)
        return answers | {key: self._accept_one(asked) for key, asked in left.items()}

    def _accept_one(self, asked: Record) -> Acceptance:
        decided = self.store.settle(asked.key, lambda found: decisions.on_repeat(found, asked), asked=asked)
        if decided.why is Change.ACCEPTED:
            return Acceptance(Receipt.ACCEPTED, asked, decided.record)
        return Acceptance.of_repeat(asked, decided.record)

    def _put_what_is_open(self, answers: Iterable[Acceptance]) -> None:
        """A repeat sends its message again, unless the row says that the first one went out."""
        now = self.clock.now()
        open_ = [
            answer.record
            for answer in answers
            if answer.receipt is not Receipt.CONFLICT and decisions.needs_requeue(answer.record, now)
        ]
        self.dispatcher.send(record for record in open_ if not _is_held_by_a_call(record))
        for record in open_:
            if _is_held_by_a_call(record):
                self.requeue(record)

    def requeue(self, record: Record) -> None:
        """Sends a message for a claim that no message brings back, and marks the row as queued.

        Without the mark, each repeat of a synchronous call would send one more message, with a result of its own.
        """
        # Without its version, which the mark is about to change.
        self.dispatcher.send([replace(record, etag=None)])
        try:
            self.store.write(record, replace(record, is_queued=True))
        except StorageUnavailable as fault:
            log.warning("requeue_not_marked request_id=%s fault=%s", record.request.client_request_id, fault)


def _chunks(records: Iterable[Record]) -> list[list[Record]]:
    """The records in groups for a transaction each, bucket by bucket in turn.

    Messages of one bucket next to each other would fight over its count.
    """
    buckets: dict[str, list[Record]] = {}
    # Sorted by key: if the rows exist already, those of one chunk lie close together.
    for record in sorted(records, key=lambda record: record.key.row):
        buckets.setdefault(record.key.bucket, []).append(record)
    longest = max(map(len, buckets.values()), default=0)
    return [
        chunk
        for start in range(0, longest, MAX_ROWS)
        for bucket in buckets.values()
        if (chunk := bucket[start : start + MAX_ROWS])
    ]


def _is_held_by_a_call(record: Record) -> bool:
    return record.state is State.CLAIMED and record.claim is not None and not record.claim.has_message

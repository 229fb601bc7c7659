"""Accepting requests: the row first, then the message that brings it to a worker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.clock import Clock
from shared.deletion.claiming import MAX_REFUSALS, Postponed, new_record, row_of
from shared.errors import StorageUnavailable
from shared.ledger import state
from shared.ledger.record import Key, Origin, Record, State
from shared.ledger.store import RecordStore
from shared.ledger.work import MAX_ROWS, Work, WorkRow, split_work
from shared.request.model import DeletionRequest, payload_hash
from shared.storage.queues import Sender
from shared.storage.table import Refused

MAX_READS = 3


class Answer(StrEnum):
    """What a caller is told of one request."""

    ACCEPTED = "accepted"
    REPLAYED = "replayed"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Acceptance:
    """The answer for one request, and its row as it stands."""

    answer: Answer
    row: WorkRow
    record: Record


class Dispatcher:
    """Sends work messages, as few as fit, each not before its time."""

    def __init__(self, sender: Sender, queue: str, clock: Clock) -> None:
        self._sender = sender
        self._queue = queue
        self._clock = clock

    def send(self, rows: Sequence[Postponed], like: Work, queue: str | None = None) -> None:
        """Puts the rows back, those with one time together. Raises StorageUnavailable."""
        by_time: dict[datetime, list[WorkRow]] = {}
        for row in rows:
            by_time.setdefault(row.until, []).append(row.row)
        for until, together in by_time.items():
            work = Work(tuple(together), like.origin, like.accepted_at, like.parent_id)
            for _, text in split_work(work):
                delay = (until - self._clock.now()).total_seconds()
                self._sender.send(queue or self._queue, text, delay)


class Acceptor:
    """Accepts requests once per client-request-id. Every method may raise StorageUnavailable: nothing is promised."""

    def __init__(self, store: RecordStore, dispatcher: Dispatcher, clock: Clock) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._clock = clock

    def accept(self, request: DeletionRequest, origin: Origin, accepted_at: datetime | None = None) -> Acceptance:
        """Accepts one request that just came in, or that waited in a queue since `accepted_at`."""
        work = Work((WorkRow(request, payload_hash(request)),), origin, accepted_at or self._clock.now())
        return self.accept_all(work)[0]

    def accept_all(self, work: Work) -> list[Acceptance]:
        """Accepts many, a transaction and a message per bucket; answers in the order of the rows."""
        answers: dict[int, Acceptance] = {}
        first: dict[Key, int] = {}
        repeats: list[int] = []
        buckets: dict[str, list[int]] = {}
        for index, row in enumerate(work.rows):
            if row.key in first:
                repeats.append(index)
                continue
            first[row.key] = index
            buckets.setdefault(row.key.bucket, []).append(index)
        # Bucket by bucket in turn: messages of one bucket next to each other would fight over its count.
        for start in range(0, max(map(len, buckets.values()), default=0), MAX_ROWS):
            for indexes in buckets.values():
                if chunk := indexes[start : start + MAX_ROWS]:
                    answers.update(self._accept_chunk(chunk, work))
        for index in repeats:
            row = work.rows[index]
            # Read or written a moment ago; but a message of its own, which brings the repeat its own result.
            answers[index] = _answer_of(row, answers[first[row.key]].record)
            self._put_what_is_open([answers[index]], work)
        return [answers[index] for index in range(len(work.rows))]

    def _accept_chunk(self, indexes: list[int], work: Work) -> dict[int, Acceptance]:
        """Rows of one bucket: inserted together, those that are there already read one by one."""
        left: list[int] = list(indexes)
        answers: dict[int, Acceptance] = {}
        while left and len(answers) < MAX_REFUSALS:
            records = [new_record(work.rows[i], work) for i in left]
            written = self._store.write_group([(None, record) for record in records])
            if not isinstance(written, Refused):
                for index, record in zip(left, written, strict=True):
                    answers[index] = Acceptance(Answer.ACCEPTED, work.rows[index], record)
                left = []
                break
            index = left.pop(written.index)
            answers[index] = self._accept_one(work.rows[index], work)
        # A repeat of a whole call: every row is there, and each transaction would find but one more of them.
        for index in left:
            answers[index] = self._accept_one(work.rows[index], work)
        self._put_what_is_open(answers.values(), work)
        return answers

    def _accept_one(self, row: WorkRow, work: Work) -> Acceptance:
        for _ in range(MAX_READS):
            found = self._store.read(row.key)
            if found is None:
                written = self._store.write(None, new_record(row, work))
                if written:
                    return Acceptance(Answer.ACCEPTED, row, written)
            else:
                return _answer_of(row, found)
        raise StorageUnavailable(f"row {row.key.row} changed under {MAX_READS} reads")

    def _is_to_be_put(self, answer: Acceptance) -> bool:
        """A repeat sends its message again: the first one may never have gone out."""
        if answer.answer is Answer.CONFLICT:
            return False
        return answer.answer is Answer.ACCEPTED or state.may_be_put_again(answer.record, self._clock.now())

    def _put_what_is_open(self, answers: Iterable[Acceptance], work: Work) -> None:
        records = [answer.record for answer in answers if self._is_to_be_put(answer)]
        now = self._clock.now()
        rows = [
            Postponed(row_of(r, work), r.due_at if r.state is State.ACCEPTED and r.due_at else now) for r in records
        ]
        if rows:
            self._dispatcher.send(rows, work)


def _answer_of(row: WorkRow, found: Record) -> Acceptance:
    """The answer for a request whose id is taken: a repeat, or a conflict."""
    same = found.payload_hash == row.payload_hash
    return Acceptance(Answer.REPLAYED if same else Answer.CONFLICT, row, found)

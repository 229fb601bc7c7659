"""Taking requests on: which rows of a message this invocation may work on, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.clock import Clock
from shared.deletion.delivery import Bidder, Timing
from shared.errors import StaleDelivery, StorageUnavailable
from shared.ledger import state
from shared.ledger.record import Certainty, Conclusion, Record, State
from shared.ledger.state import Move
from shared.ledger.store import RecordStore
from shared.ledger.work import Work, WorkRow
from shared.parsing.grammar import due_at
from shared.storage.table import Refused

MAX_READS = 5
"""A row that changes under every one of so many reads is fought over; the host's redelivery ends that."""
MAX_REFUSALS = 3
"""Rows dropped from a group one by one before the rest goes row by row too."""

Guard = Callable[[WorkRow, datetime, datetime], Conclusion | None]
"""(row, accepted at, now) -> the end of a request that is not to be carried out (protected, expired), else None."""


@dataclass(frozen=True)
class Claimed:
    """A row that this invocation owns: as it was, and as it is."""

    before: Record
    record: Record


@dataclass(frozen=True)
class Postponed:
    """A row that is not to be touched before an instant."""

    row: WorkRow
    until: datetime


@dataclass
class Taken:
    """What became of the rows of one message."""

    claimed: list[Claimed] = field(default_factory=list)
    ended: list[Record] = field(default_factory=list)
    """Ended now, without a DELETE."""
    repeats: list[Record] = field(default_factory=list)
    """Done before: the result is owed to whoever sent this message."""
    conflicts: list[WorkRow] = field(default_factory=list)
    postponed: list[Postponed] = field(default_factory=list)
    in_flight: list[WorkRow] = field(default_factory=list)
    """Duplicates of work under way: dropped, its own message brings it back."""


class Claimant:
    """Claims rows, many at once where nothing stands against it, else one by one by the table of decisions."""

    def __init__(self, store: RecordStore, clock: Clock, timing: Timing, guard: Guard) -> None:
        self._store = store
        self._clock = clock
        self._timing = timing
        self._guard = guard

    def take(self, work: Work, bidder: Bidder) -> Taken:
        """Claims what may be claimed.

        Raises:
            StaleDelivery: this delivery was or may be superseded; nothing more may be done with it.
            StorageUnavailable: the host is to deliver the message again.
        """
        taken = Taken()
        alone = [row for row in work.rows if not self._can_go_at_once(row, work, bidder)]
        together = [row for row in work.rows if row not in alone] if alone else list(work.rows)
        alone += self._take_group(together, work, bidder, taken)
        for row in alone:
            self._take_one(row, work, bidder, taken)
        return taken

    def _can_go_at_once(self, row: WorkRow, work: Work, bidder: Bidder) -> bool:
        """A first delivery of a row that nothing forbids: write first, read only when refused."""
        now = self._clock.now()
        due = due_of(row, work)
        return (
            bidder.dequeue_count == 1
            and (due is None or due <= now)
            and self._guard(row, work.accepted_at, now) is None
        )

    def _take_group(self, rows: list[WorkRow], work: Work, bidder: Bidder, taken: Taken) -> list[WorkRow]:
        """One transaction for all rows; those that were refused are returned."""
        refused: list[WorkRow] = []
        while rows and len(refused) < MAX_REFUSALS:
            self._timing.check_fresh(bidder, self._clock)
            befores = [new_record(row, work) for row in rows]
            afters = [self._claim(before, bidder) for before in befores]
            written = self._store.write_group(
                [(before if before.etag else None, after) for before, after in zip(befores, afters, strict=True)]
            )
            if not isinstance(written, Refused):
                taken.claimed += [Claimed(b, r) for b, r in zip(befores, written, strict=True)]
                return refused
            refused.append(rows.pop(written.index))
        return refused + rows

    def _take_one(self, row: WorkRow, work: Work, bidder: Bidder, taken: Taken) -> None:
        before = new_record(row, work)
        for _ in range(MAX_READS):
            found = self._store.read(row.key)
            now = self._clock.now()
            guarded = self._guard(row, found.accepted_at if found else work.accepted_at, now)
            choose = state.decide_without_claim if guarded else state.decide
            decision = choose(found, bidder.bid(row.payload_hash), now)
            if decision.move is Move.CONTINUE and found:
                taken.claimed.append(Claimed(before, found))
                return
            if decision.move is not Move.CLAIM:
                self._leave(row, found, decision, bidder, work, taken)
                return
            before = found or new_record(row, work, keep_etag=False)
            if self._advance(before, found, guarded, bidder, taken):
                return
        raise StorageUnavailable(f"row {row.key.row} changed under {MAX_READS} reads")

    def _advance(
        self, before: Record, found: Record | None, guarded: Conclusion | None, bidder: Bidder, taken: Taken
    ) -> bool:
        """One conditional write: the claim, the end of a guarded request, or the row of one that is not yet due."""
        now = self._clock.now()
        if guarded is not None:
            # An earlier try may have deleted the task although its answer was lost.
            certainty = Certainty.UNKNOWN if before.maybe_effect else guarded.certainty
            ended = self._store.write(found, state.conclude(before, replace(guarded, certainty=certainty)))
            taken.ended += [ended] if ended else []
            return ended is not None
        if found is None and before.due_at is not None and now < before.due_at:
            accepted = self._store.write(None, before)
            if accepted:
                taken.postponed.append(Postponed(row_of(accepted), before.due_at))
            return accepted is not None
        self._timing.check_fresh(bidder, self._clock)
        claimed = self._store.write(found, self._claim(before, bidder))
        if claimed:
            taken.claimed.append(Claimed(before, claimed))
        return claimed is not None

    def _leave(
        self, row: WorkRow, found: Record | None, decision: state.Decision, bidder: Bidder, work: Work, taken: Taken
    ) -> None:
        if decision.move is Move.STALE:
            raise StaleDelivery(f"message {bidder.message_id} was delivered again while row {row.key.row} was held")
        if decision.move is Move.CONFLICT:
            taken.conflicts.append(row)
        elif decision.move is Move.DROP:
            taken.in_flight.append(row)
        elif decision.move is Move.POSTPONE and decision.until and found:
            taken.postponed.append(Postponed(row_of(found, work), decision.until))
        elif found:
            taken.repeats.append(found)

    def _claim(self, before: Record, bidder: Bidder) -> Record:
        bid = bidder.bid(before.payload_hash)
        return state.claim(before, bid, self._clock.now(), self._timing.lease)


def row_of(record: Record, like: Work | None = None) -> WorkRow:
    """The row of a message about a stored record.

    Its version goes along only while nothing was tried in any generation, and only when the message that it is to
    travel in (`like`) tells the same of its acceptance: whoever claims by the version alone reads neither in the row.
    """
    untried = record.state is State.ACCEPTED and not record.maybe_sent
    same = like is None or (like.origin, like.accepted_at, like.parent_id) == (
        record.origin,
        record.accepted_at,
        record.parent_id,
    )
    return WorkRow(record.request, record.payload_hash, record.etag if untried and same else None, record.generation)


def due_of(row: WorkRow, work: Work) -> datetime | None:
    """Not before this instant; None for at once."""
    return due_at(row.request.delete_after, work.accepted_at) if row.request.delete_after else None


def new_record(row: WorkRow, work: Work, *, keep_etag: bool = True) -> Record:
    """The row as `accepted`: what a message with an ETag proves is stored, or what is about to be inserted."""
    return Record(
        request=row.request,
        payload_hash=row.payload_hash,
        origin=work.origin,
        accepted_at=work.accepted_at,
        parent_id=work.parent_id,
        generation=row.generation,
        due_at=due_of(row, work),
        etag=row.etag if keep_etag else None,
    )

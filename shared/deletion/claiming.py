"""Claims the rows of a message and decides what happens to those that cannot be claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.clock import Clock
from shared.deletion.delivery import Timing
from shared.deletion.guard import Guard
from shared.deletion.parents import Parents, Veto
from shared.errors import StaleDelivery, StorageUnavailable
from shared.ledger import decisions
from shared.ledger.decisions import Change, Leave, Reason, Write
from shared.ledger.record import Holder, Record
from shared.ledger.store import RecordStore
from shared.storage.table import Refused

MAX_REFUSALS = 3
"""Rows dropped from a group one by one before the rest is taken on in another way."""


@dataclass(frozen=True)
class Claimed:
    """A row that this invocation owns: as it was, and as it is."""

    before: Record
    record: Record


@dataclass(frozen=True)
class Claims:
    """What became of the rows of one message."""

    claimed: list[Claimed] = field(default_factory=list)
    ended: list[Record] = field(default_factory=list)
    """Ended now, without a DELETE."""
    repeats: list[Record] = field(default_factory=list)
    """Done before: the result is owed to whoever sent this message."""
    conflicts: list[Record] = field(default_factory=list)
    """As asked for, not as stored."""
    waiting: list[Record] = field(default_factory=list)
    """Not yet due: they need a message for that time."""
    in_flight: list[Record] = field(default_factory=list)
    """Duplicates of work under way: dropped, its own message brings it back."""
    left: list[Record] = field(default_factory=list)
    """Not looked at, for lack of time: they need a message at once."""
    fault: StorageUnavailable | None = None
    """What stopped the claiming half-way: to be raised once that which is claimed is carried out."""

    @property
    def is_begun(self) -> bool:
        """Whether anything came of the message so far."""
        return any((self.claimed, self.ended, self.repeats, self.conflicts, self.waiting, self.in_flight))


@dataclass(frozen=True)
class _Known:
    """What was asked for, and the row as far as it is known; None for one that is not there yet."""

    asked: Record
    row: Record | None

    @property
    def basis(self) -> Record:
        """What a claim is based on."""
        return self.row or self.asked


@dataclass(frozen=True)
class Claimer:
    """Claims rows, many at once where nothing stands against it, else by a look at each."""

    store: RecordStore
    clock: Clock
    timing: Timing
    guard: Guard
    parents: Parents

    def claim(self, records: Sequence[Record], holder: Holder, began: float) -> Claims:
        """Claims what may be claimed, until half of the time is over within which a DELETE may be sent.

        `began` is the monotonic time of the delivery's start.

        Raises:
            StaleDelivery: this delivery was or may be superseded; nothing more may be done with it.
            StorageUnavailable: the host is to deliver the message again. Not once something is claimed.
        """
        half = began + self.timing.send_window_seconds / 2
        return _Claiming(self, holder, half, self.parents.of_message()).run(records)


@dataclass(frozen=True)
class _Claiming:
    """The claiming of one message's rows."""

    by: Claimer
    holder: Holder
    until: float
    """Half of the time within which a DELETE may be sent."""
    of_parent: Veto
    claims: Claims = field(default_factory=Claims)

    def run(self, records: Sequence[Record]) -> Claims:
        rest = [_Known(asked, asked if asked.etag else None) for asked in records]
        if self.holder.dequeue_count == 1:
            # A first delivery takes the message's word for the rows: write first, and read only what is refused.
            rest = self._together(rest)
        try:
            for known in self._together(self._looked(rest)):
                self._alone(known)
        except StorageUnavailable as fault:
            if not self.claims.claimed:
                raise
            return replace(self.claims, fault=fault)
        return self.claims

    def _decide(self, found: Record | None, asked: Record) -> Write | Leave:
        now, row = self.by.clock.now(), found or asked
        veto = self.of_parent(row, now) or self.by.guard(row, now)
        decision = decisions.on_delivery(found, asked, self.holder, veto, now, self.by.timing.lease)
        if isinstance(decision, Write):
            self.by.timing.check_fresh(self.holder, self.by.clock)
        return decision

    def _looked(self, rows: Sequence[_Known]) -> list[_Known]:
        """The rows as stored, for as many as there is time for."""
        looked: list[_Known] = []
        for known in rows:
            if self._is_late() and (looked or self.claims.is_begun):
                self.claims.left.append(known.asked)
            else:
                looked.append(_Known(known.asked, self.by.store.look(known.asked)))
        return looked

    def _together(self, rows: Sequence[_Known]) -> list[_Known]:
        """One transaction for all that is to be written; those rows that were refused are returned."""
        tries: list[tuple[_Known, Write]] = []
        for known in rows:
            decision = self._decide(known.row, known.asked)
            if isinstance(decision, Leave):
                self._left_alone(decision.why, known.asked, known.row, known.asked)
            else:
                tries.append((known, decision))
        refused: list[_Known] = []
        while tries and len(refused) < MAX_REFUSALS:
            written = self.by.store.write_group([(known.row, write.row) for known, write in tries], self.until)
            if not isinstance(written, Refused):
                for (known, write), row in zip(tries, written, strict=True):
                    self._written(write.why, known.basis, row)
                return refused
            refused.append(tries.pop(written.index)[0])
        return refused + [known for known, _ in tries]

    def _alone(self, known: _Known) -> None:
        asked = known.asked
        if self._is_late() and self.claims.is_begun:
            self.claims.left.append(asked)
            return
        decided = self.by.store.settle(asked.key, lambda found: self._decide(found, asked), asked=asked)
        if isinstance(decided.decision, Leave):
            self._left_alone(decided.decision.why, asked, decided.row, decided.before or known.basis)
        else:
            self._written(decided.decision.why, decided.before or asked, decided.record)

    def _left_alone(self, why: Reason, asked: Record, found: Record | None, based_on: Record) -> None:
        """Notes a row that nothing is written about; `based_on` is what a claim of our own was based on."""
        if why is Reason.STALE:
            message = self.holder.message_id
            raise StaleDelivery(f"message {message} was delivered again while row {asked.key.row} was held")
        if why is Reason.CONFLICT:
            self.claims.conflicts.append(asked)
        elif why is Reason.IN_FLIGHT:
            self.claims.in_flight.append(asked)
        elif why is Reason.NOT_YET:
            self.claims.waiting.append(found or asked)
        elif found is not None and why is Reason.MINE:
            self.claims.claimed.append(Claimed(based_on, found))
        elif found is not None:
            self.claims.repeats.append(found)

    def _written(self, why: Change, before: Record, after: Record) -> None:
        """Notes a row as it was written."""
        if why is Change.CLAIMED:
            self.claims.claimed.append(Claimed(before, after))
        else:
            (self.claims.waiting if why is Change.ACCEPTED else self.claims.ended).append(after)

    def _is_late(self) -> bool:
        return self.by.clock.monotonic() >= self.until

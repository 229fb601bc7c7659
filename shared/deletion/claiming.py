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
"""How many refused rows are dropped from a group, one by one, before the rest is handled differently."""


@dataclass(frozen=True)
class Claimed:
    """A row that this invocation has claimed: before and after the claim."""

    before: Record
    record: Record


@dataclass(frozen=True)
class Claims:
    """What became of the rows of one message."""

    claimed: list[Claimed] = field(default_factory=list)
    ended: list[Record] = field(default_factory=list)
    """Ended now, without a DELETE."""
    repeats: list[Record] = field(default_factory=list)
    """Already done: this message's sender is owed the result."""
    conflicts: list[Record] = field(default_factory=list)
    """As requested, not as stored."""
    waiting: list[Record] = field(default_factory=list)
    """Not yet due: they need a message for their due time."""
    in_flight: list[Record] = field(default_factory=list)
    """Duplicates of work in progress: dropped, because that work has its own message."""
    left: list[Record] = field(default_factory=list)
    """Not looked at for lack of time: they need a message immediately."""
    fault: StorageUnavailable | None = None
    """What stopped the claiming half-way; to be raised once the claimed rows are carried out."""

    @property
    def is_begun(self) -> bool:
        """Whether anything has been done about the message yet."""
        return any((self.claimed, self.ended, self.repeats, self.conflicts, self.waiting, self.in_flight))


@dataclass(frozen=True)
class _Known:
    """The request as asked, and its row as far as known; None for a row that does not exist yet."""

    asked: Record
    row: Record | None

    @property
    def basis(self) -> Record:
        """The record that a claim is based on."""
        return self.row or self.asked


@dataclass(frozen=True)
class Claimer:
    """Claims rows: many in one transaction where possible, else one by one after reading each."""

    store: RecordStore
    clock: Clock
    timing: Timing
    guard: Guard
    parents: Parents

    def claim(self, records: Sequence[Record], holder: Holder, began: float) -> Claims:
        """Claims what may be claimed, until half of the send window has passed.

        `began` is the monotonic time at which the delivery started.

        Raises:
            StaleDelivery: this delivery has been or may have been superseded; do nothing more with it.
            StorageUnavailable: the host should deliver the message again. Not raised once a row is claimed.
        """
        half = began + self.timing.send_window_seconds / 2
        return _Claiming(self, holder, half, self.parents.of_message()).run(records)


@dataclass(frozen=True)
class _Claiming:
    """Claims the rows of one message."""

    by: Claimer
    holder: Holder
    until: float
    """The end of the first half of the send window."""
    of_parent: Veto
    claims: Claims = field(default_factory=Claims)

    def run(self, records: Sequence[Record]) -> Claims:
        rest = [_Known(asked, asked if asked.etag else None) for asked in records]
        if self.holder.dequeue_count == 1:
            # A first delivery trusts what the message says about the rows: write first, and read only what is refused.
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
        """The rows as stored, as many as there is time to read."""
        looked: list[_Known] = []
        for known in rows:
            if self._is_late() and (looked or self.claims.is_begun):
                self.claims.left.append(known.asked)
            else:
                looked.append(_Known(known.asked, self.by.store.look(known.asked)))
        return looked

    def _together(self, rows: Sequence[_Known]) -> list[_Known]:
        """Writes everything in one transaction; returns the rows that were refused."""
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
        """Notes a row that is left alone; `based_on` is the record that our own claim was based on."""
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
        """Notes a row that was written."""
        if why is Change.CLAIMED:
            self.claims.claimed.append(Claimed(before, after))
        else:
            (self.claims.waiting if why is Change.ACCEPTED else self.claims.ended).append(after)

    def _is_late(self) -> bool:
        return self.by.clock.monotonic() >= self.until

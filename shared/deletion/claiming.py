"""Claims the rows of a message and decides what happens to those that cannot be claimed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.clock import Clock
from shared.deletion.delivery import Timing
from shared.deletion.guard import Guard
from shared.deletion.parents import Parents
from shared.errors import StaleDelivery, StorageUnavailable
from shared.ledger import decisions
from shared.ledger.decisions import Change, Leave, Reason, Write
from shared.ledger.record import Conclusion, Holder, Record
from shared.ledger.store import RecordStore
from shared.storage.table import Refused

MAX_REFUSALS = 3
"""Rows dropped from a group one by one before the rest is taken on in another way."""


@dataclass(frozen=True)
class Claimed:
    """A row that this invocation owns: as it was, and as it is."""

    before: Record
    record: Record


@dataclass
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

    def left_alone(self, why: Reason, asked: Record, found: Record | None, holder: Holder, based_on: Record) -> None:
        """Notes a row that nothing is written about; `based_on` is what a claim of our own was based on."""
        if why is Reason.STALE:
            raise StaleDelivery(f"message {holder.message_id} was delivered again while row {asked.key.row} was held")
        if why is Reason.MINE and found is not None:
            self.claimed.append(Claimed(based_on, found))
        elif why is Reason.CONFLICT:
            self.conflicts.append(asked)
        elif why is Reason.IN_FLIGHT:
            self.in_flight.append(asked)
        elif why is Reason.NOT_YET:
            self.waiting.append(found or asked)
        elif found is not None:
            self.repeats.append(found)

    def written(self, why: Change, before: Record, after: Record) -> None:
        """Notes a row as it was written."""
        if why is Change.CLAIMED:
            self.claimed.append(Claimed(before, after))
        else:
            (self.waiting if why is Change.ACCEPTED else self.ended).append(after)


@dataclass(frozen=True)
class _Known:
    """What was asked for, and the row as far as it is known; None for one that is not there yet."""

    asked: Record
    row: Record | None

    @property
    def basis(self) -> Record:
        """What a claim is based on."""
        return self.row or self.asked


Decide = Callable[[Record | None, Record], Write | Leave]
"""(row as stored, request as asked for) -> what is done about it."""


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
        claims, half = Claims(), began + self.timing.send_window_seconds / 2
        decide = self._decider(holder)
        rest = [_Known(asked, asked if asked.etag else None) for asked in records]
        if holder.dequeue_count == 1:
            # A first delivery takes the message's word for the rows: write first, and read only what is refused.
            rest = self._together(rest, decide, holder, half, claims)
        try:
            for known in self._together(self._looked(rest, half, claims), decide, holder, half, claims):
                self._alone(known, decide, holder, half, claims)
        except StorageUnavailable as fault:
            if not claims.claimed:
                raise
            claims.fault = fault
        return claims

    def _decider(self, holder: Holder) -> Decide:
        of_parent = self.parents.of_message()

        def veto(row: Record, now: datetime) -> Conclusion | None:
            return of_parent(row, now) or self.guard(row, now)

        def decide(found: Record | None, asked: Record) -> Write | Leave:
            now = self.clock.now()
            ended = veto(found or asked, now)
            decision = decisions.on_delivery(found, asked, holder, ended, now, self.timing.lease)
            if isinstance(decision, Write):
                self.timing.check_fresh(holder, self.clock)
            return decision

        return decide

    def _looked(self, rows: Sequence[_Known], half: float, claims: Claims) -> list[_Known]:
        """The rows as stored, for as many as there is time for."""
        looked: list[_Known] = []
        for known in rows:
            if self.clock.monotonic() >= half and (looked or claims.is_begun):
                claims.left.append(known.asked)
            else:
                looked.append(_Known(known.asked, self.store.look(known.asked)))
        return looked

    def _together(
        self, rows: Sequence[_Known], decide: Decide, holder: Holder, half: float, claims: Claims
    ) -> list[_Known]:
        """One transaction for all that is to be written; those rows that were refused are returned."""
        tries: list[tuple[_Known, Write]] = []
        for known in rows:
            decision = decide(known.row, known.asked)
            if isinstance(decision, Leave):
                claims.left_alone(decision.why, known.asked, known.row, holder, known.asked)
            else:
                tries.append((known, decision))
        refused: list[_Known] = []
        while tries and len(refused) < MAX_REFUSALS:
            written = self.store.write_group([(known.row, write.row) for known, write in tries], half)
            if not isinstance(written, Refused):
                for (known, write), row in zip(tries, written, strict=True):
                    claims.written(write.why, known.basis, row)
                return refused
            refused.append(tries.pop(written.index)[0])
        return refused + [known for known, _ in tries]

    def _alone(self, known: _Known, decide: Decide, holder: Holder, half: float, claims: Claims) -> None:
        asked = known.asked
        if self.clock.monotonic() >= half and claims.is_begun:
            claims.left.append(asked)
            return
        decided = self.store.settle(asked.key, lambda found: decide(found, asked), asked=asked)
        if isinstance(decided.decision, Leave):
            claims.left_alone(decided.decision.why, asked, decided.row, holder, decided.before or known.basis)
        else:
            claims.written(decided.decision.why, decided.before or asked, decided.record)

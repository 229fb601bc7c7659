"""Claims the rows of a message and decides what happens to those that cannot be claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.clock import Clock
from shared.deletion.delivery import Delivery, Timing
from shared.deletion.parents import Parents, Veto
from shared.deletion.vetoes import Vetoes
from shared.errors import StaleDelivery, StorageUnavailable
from shared.ledger import decisions
from shared.ledger.decisions import Change, Leave, Reason, Write
from shared.ledger.record import Key, Record
from shared.ledger.store import RecordStore
from shared.storage.table import Refused

MAX_REFUSALS = 3
"""How many refused rows are dropped from a group, one by one, before the rest is handled differently."""


@dataclass(frozen=True)
class Claims:
    """What became of the rows of one message."""

    claimed: list[Write] = field(default_factory=list)
    """The claims of this invocation."""
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
class Claimer:
    """Claims rows: many in one transaction where possible, else one by one after reading each."""

    store: RecordStore
    clock: Clock
    timing: Timing
    vetoes: Vetoes
    parents: Parents

    def claim(self, records: Sequence[Record], delivery: Delivery, claim_id: str, began: float) -> Claims:
        """Claims what may be claimed, until half of the send window has passed.

        `began` is the monotonic time at which the delivery started.

        Raises:
            StaleDelivery: this delivery has been or may have been superseded; do nothing more with it.
            StorageUnavailable: the host should deliver the message again. Not raised once a row is claimed.
        """
        half = began + self.timing.send_window_seconds / 2
        return _Claiming(self, delivery, claim_id, half, self.parents.of_message()).run(records)


Rows = Mapping[Key, Record | None]
"""What is known of the rows; None for one that does not exist yet."""


@dataclass(frozen=True)
class _Claiming:
    """Claims the rows of one message."""

    by: Claimer
    delivery: Delivery
    claim_id: str
    until: float
    """The end of the first half of the send window."""
    of_parent: Veto
    claims: Claims = field(default_factory=Claims)

    def run(self, records: Sequence[Record]) -> Claims:
        rest = records
        if self.delivery.dequeue_count == 1:
            # A first delivery trusts what the message says about the rows: write first, and read only what is refused.
            rest = self._together(rest, {asked.key: asked for asked in rest if asked.etag})
        try:
            rows = self._looked(rest)
            for asked in self._together([asked for asked in rest if asked.key in rows], rows):
                self._alone(asked, rows)
        except StorageUnavailable as fault:
            if not self.claims.claimed:
                raise
            return replace(self.claims, fault=fault)
        return self.claims

    def _decide(self, found: Record | None, asked: Record) -> Write | Leave:
        now, row = self.by.clock.now(), found or asked
        veto = self.of_parent(row, now) or self.by.vetoes(row, now)
        mine = self.delivery.claim(self.claim_id, now + self.by.timing.lease)
        decision = decisions.on_delivery(found, asked, mine, veto, now)
        if isinstance(decision, Write):
            self.by.timing.check_fresh(self.delivery, self.by.clock)
        return decision

    def _looked(self, records: Sequence[Record]) -> Rows:
        """The rows as stored, as many as there is time to read."""
        rows: dict[Key, Record | None] = {}
        for asked in records:
            if self._is_late() and (rows or self.claims.is_begun):
                self.claims.left.append(asked)
            else:
                rows[asked.key] = self.by.store.look(asked)
        return rows

    def _together(self, records: Sequence[Record], rows: Rows) -> Sequence[Record]:
        """Writes everything in one transaction; returns the requests whose rows were refused."""
        tries: list[tuple[Record, Write]] = []
        for asked in records:
            found = rows.get(asked.key)
            decision = self._decide(found, asked)
            if isinstance(decision, Leave):
                self._left_alone(decision.why, asked, found, asked)
            else:
                tries.append((asked, decision))
        refused: list[Record] = []
        while tries and len(refused) < MAX_REFUSALS:
            changes = [(rows.get(asked.key), write.row) for asked, write in tries]
            written = self.by.store.write_group(changes, self.until)
            if not isinstance(written, Refused):
                for (asked, write), row in zip(tries, written, strict=True):
                    self._written(write.why, row, rows.get(asked.key) or asked)
                return refused
            refused.append(tries.pop(written.index)[0])
        return refused + [asked for asked, _ in tries]

    def _alone(self, asked: Record, rows: Rows) -> None:
        if self._is_late() and self.claims.is_begun:
            self.claims.left.append(asked)
            return
        decision = self.by.store.settle(asked.key, lambda found: self._decide(found, asked), asked=asked)
        if isinstance(decision, Leave):
            self._left_alone(decision.why, asked, decision.row, decision.before or rows[asked.key] or asked)
        else:
            self._written(decision.why, decision.row, decision.before or asked)

    def _left_alone(self, why: Reason, asked: Record, found: Record | None, before: Record) -> None:
        """Notes a row that is left alone; `before` is what our own claim was based on."""
        if why is Reason.STALE:
            message = self.delivery.message_id
            raise StaleDelivery(f"message {message} was delivered again while row {asked.key.row} was held")
        if why is Reason.CONFLICT:
            self.claims.conflicts.append(asked)
        elif why is Reason.IN_FLIGHT:
            self.claims.in_flight.append(asked)
        elif why is Reason.NOT_YET:
            self.claims.waiting.append(found or asked)
        elif found is not None and why is Reason.MINE:
            self._written(Change.CLAIMED, found, before)
        elif found is not None:
            self.claims.repeats.append(found)

    def _written(self, why: Change, row: Record, before: Record) -> None:
        """Notes a row that was written; `before` is the row before, or else the request as its message tells it."""
        if why is Change.CLAIMED:
            self.claims.claimed.append(Write(row, why, before))
        else:
            (self.claims.waiting if why is Change.ACCEPTED else self.claims.ended).append(row)

    def _is_late(self) -> bool:
        return self.by.clock.monotonic() >= self.until

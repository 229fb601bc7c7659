"""The synchronous DELETE: one attempt while the caller waits, and the queue for what did not settle at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.deletion.acceptance import Answer
from shared.deletion.claiming import Claimed, new_record
from shared.deletion.delivery import Bidder
from shared.deletion.owed import OwedResults
from shared.deletion.worker import Parts
from shared.errors import StaleDelivery
from shared.ledger import state
from shared.ledger.record import Origin, Record, State
from shared.ledger.store import RecordStore
from shared.ledger.work import Work, WorkRow
from shared.request.model import DeletionRequest, payload_hash


class Standing(StrEnum):
    """How a synchronous call came out."""

    SETTLED = "settled"
    OPEN = "open"
    """The app goes on from the queue."""
    REPLAYED = "replayed"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Settlement:
    """The standing, and the row behind it."""

    standing: Standing
    record: Record


class SynchronousDeletion:
    """Deletes at once, with the same rows and rules as the queue worker."""

    def __init__(self, parts: Parts, store: RecordStore, owed: OwedResults) -> None:
        self._parts = parts
        self._store = store
        self._owed = owed

    def delete(self, request: DeletionRequest, invocation_id: str) -> Settlement:
        """One attempt, or what became of the id before.

        Raises StorageUnavailable: nothing is promised; what was begun is found by its id or by housekeeping.
        """
        parts = self._parts
        began = parts.clock.monotonic()
        work = Work((WorkRow(request, payload_hash(request)),), Origin.HTTP, parts.clock.now())
        before = new_record(work.rows[0], work)
        bid = Bidder.http(invocation_id, parts.new_id()).bid(before.payload_hash)
        claim = state.claim(before, bid, parts.clock.now(), parts.timing.lease)
        claimed = self._store.write(None, claim)
        if claimed is None:
            found = self._store.read(before.key)
            if found is None or found.claim is None or found.claim.claim_id != bid.claim_id:
                return self._repeat(work)
            claimed = found
        try:
            settled = parts.attempt.carry_out([Claimed(before, claimed)], began, emit_pending=True)
        except StaleDelivery:
            return self._repeat(work)  # Stalled for longer than its claim: a message took the request over.
        if settled.done:
            return Settlement(Standing.SETTLED, self._owed.try_to_send(settled.done[0]))
        parts.dispatcher.send(settled.retries(), work)
        return Settlement(Standing.OPEN, settled.released[0])

    def _repeat(self, work: Work) -> Settlement:
        answer = self._parts.acceptor.accept_all(work)[0]
        if answer.answer is Answer.CONFLICT:
            return Settlement(Standing.CONFLICT, answer.record)
        done = answer.record.state is State.DONE
        return Settlement(Standing.REPLAYED if done else Standing.OPEN, answer.record)

"""The synchronous DELETE: one attempt while the caller waits, then the queue if that did not settle it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from shared.clock import Clock
from shared.deletion.acceptance import Acceptor, Receipt
from shared.deletion.attempt import Attempt
from shared.deletion.delivery import Timing
from shared.deletion.outbox import Outbox
from shared.errors import StaleDelivery
from shared.ledger import decisions
from shared.ledger.decisions import Change, Reason, Write
from shared.ledger.record import Claim, Origin, Record, State
from shared.ledger.store import RecordStore
from shared.request.model import DeletionRequest


class SyncOutcome(StrEnum):
    """How a synchronous call ended."""

    ENDED = "ended"
    CONTINUES = "continues"
    """The app carries on from the queue."""
    REPLAYED = "replayed"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Called:
    """How a synchronous call ended, and its row."""

    outcome: SyncOutcome
    record: Record


@dataclass(frozen=True)
class SynchronousDeletion:
    """Deletes immediately, with the same rows and rules as the queue worker."""

    store: RecordStore
    clock: Clock
    timing: Timing
    new_id: Callable[[], str]
    attempt: Attempt
    acceptor: Acceptor
    outbox: Outbox

    def delete(self, request: DeletionRequest, invocation_id: str) -> Called:
        """Makes one attempt, or says what the id already stands for.

        Raises StorageUnavailable: nothing is promised, and a repeat of the call carries on from where this one stopped.
        """
        began, now = self.clock.monotonic(), self.clock.now()
        asked = Record.new(request, Origin.HTTP, now)
        mine = Claim.of_call(self.new_id(), invocation_id, now + self.timing.lease)
        decided = self.store.settle(
            asked.key, lambda found: decisions.on_call(found, asked, mine), asked=asked, is_new=True
        )
        if decided.why not in {Change.CLAIMED, Reason.MINE}:
            return self._repeat(asked)
        try:
            claim = Write(decided.record, Change.CLAIMED)
            record = self.attempt.carry_out([claim], began, emit_pending=True)[0]
        except StaleDelivery:
            return self._repeat(asked)  # Stalled for longer than its claim: a message took over.
        if record.state is State.DONE:
            return Called(SyncOutcome.ENDED, self.outbox.try_to_send(record))
        self.acceptor.requeue(record)
        return Called(SyncOutcome.CONTINUES, record)

    def _repeat(self, asked: Record) -> Called:
        answer = self.acceptor.accept(asked)
        if answer.receipt is Receipt.CONFLICT:
            return Called(SyncOutcome.CONFLICT, answer.record)
        done = answer.record.state is State.DONE
        return Called(SyncOutcome.REPLAYED if done else SyncOutcome.CONTINUES, answer.record)

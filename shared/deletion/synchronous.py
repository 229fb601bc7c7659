"""The synchronous DELETE: one attempt while the caller waits, then the queue if that did not settle it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from shared.clock import Clock
from shared.deletion.acceptance import Acceptor, Receipt
from shared.deletion.attempt import Attempt
from shared.deletion.claiming import Claimed
from shared.deletion.delivery import Timing
from shared.deletion.outbox import Outbox
from shared.errors import StaleDelivery
from shared.ledger import decisions
from shared.ledger.decisions import Change, Reason
from shared.ledger.record import Holder, Origin, Record, State
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
        asked, holder = Record.new(request, Origin.HTTP, now), Holder.http(invocation_id, self.new_id())
        decided = self.store.settle(
            asked.key,
            lambda found: decisions.on_call(found, asked, holder, now, self.timing.lease),
            asked=asked,
            is_new=True,
        )
        if decided.why not in {Change.CLAIMED, Reason.MINE}:
            return self._repeat(asked)
        try:
            attempted = self.attempt.carry_out([Claimed(asked, decided.record)], began, emit_pending=True)
        except StaleDelivery:
            return self._repeat(asked)  # Stalled for longer than its claim: a message took over.
        if attempted.done:
            return Called(SyncOutcome.ENDED, self.outbox.try_to_send(attempted.done[0]))
        self.acceptor.requeue(attempted.released[0])
        return Called(SyncOutcome.CONTINUES, attempted.released[0])

    def _repeat(self, asked: Record) -> Called:
        answer = self.acceptor.accept_all([asked])[0]
        if answer.receipt is Receipt.CONFLICT:
            return Called(SyncOutcome.CONFLICT, answer.record)
        done = answer.record.state is State.DONE
        return Called(SyncOutcome.REPLAYED if done else SyncOutcome.CONTINUES, answer.record)

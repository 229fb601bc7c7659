"""Ends the requests in messages that the host gave up on, with a dead letter and a result. Needs only storage."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.batch.reply import ErrorBody
from shared.clock import Clock
from shared.deletion.acceptance import Dispatcher
from shared.deletion.delivery import Delivery
from shared.deletion.message import Message, body_kept, read_message, rejected
from shared.deletion.outbox import Outbox
from shared.deletion.outcomes import exhausted
from shared.deletion.parents import Parents, Veto
from shared.deletion.vetoes import Vetoes
from shared.ledger import decisions
from shared.ledger.decisions import Change, Leave, Reason, Write
from shared.ledger.record import Record
from shared.ledger.store import RecordStore
from shared.ledger.work import MAX_ROWS
from shared.results.publisher import Publisher
from shared.results.queue import ResultQueue
from shared.results.result import Result
from shared.settings import POISON_SUFFIX

log = logging.getLogger(__name__)

GIVEN_UP = ErrorBody("DeliveriesExhausted", "The host gave up on the message after its last delivery failed.")
ROUND_SECONDS = 60.0
"""Time for the rows of one message; the rest goes back to the queue. A slow last row still ends within two minutes."""


@dataclass(frozen=True)
class PoisonWorker:
    """Ends requests whose message the host gave up on (T8).

    It must raise only for storage: a queue named `*-poison` has no poison queue, and older hosts stop delivering a
    message after its last attempt.
    """

    accounts: tuple[str, ...]
    clock: Clock
    store: RecordStore
    dispatcher: Dispatcher
    publisher: Publisher
    results: ResultQueue
    outbox: Outbox
    vetoes: Vetoes
    parents: Parents

    def deliver(self, delivery: Delivery) -> None:
        """Records and publishes the outcome of every request in the message.

        Raises:
            StorageUnavailable: nothing could be recorded; the message will be delivered again.
        """
        now = self.clock.now()
        message = read_message(delivery, self.accounts, now)
        results = rejected(message, delivery, self.accounts[0], now)
        if len(message.valid) > MAX_ROWS:
            # Possibly too much for one invocation, so each part gets a separate one.
            self.dispatcher.send(message.valid, at=self.clock.now(), queue=delivery.queue)
        else:
            results += self._end_all(message, delivery)
        self.results.send(self.publisher.publish(results, delivery.queue.removesuffix(POISON_SUFFIX)))

    def _end_all(self, message: Message, delivery: Delivery) -> list[Result]:
        """Returns the results of conflicts; all others are sent row by row."""
        conflicts: list[Result] = []
        until, veto = self.clock.monotonic() + ROUND_SECONDS, self.parents.of_message()
        for number, asked in enumerate(message.valid):
            if number and self.clock.monotonic() >= until:
                left = message.valid[number:]
                log.warning("poison_unfinished message_id=%s left=%s", delivery.message_id, len(left))
                self.dispatcher.send(left, at=self.clock.now(), queue=delivery.queue)
                break
            # A repeated step that found a task under another version: the first request holds.
            if self._end(asked, message, delivery, veto) is Reason.CONFLICT and not asked.is_of_a_listing:
                conflicts.append(Result.conflict(asked, self.clock.now(), body_kept(message, delivery)))
        return conflicts

    def _end(self, asked: Record, message: Message, delivery: Delivery, of_parent: Veto) -> decisions.Change | Reason:
        def decide(found: Record | None) -> Write | Leave:
            now = self.clock.now()
            row = found or asked
            late = None if found else self.vetoes.expiry(asked, now)
            return decisions.on_poison(found, asked, exhausted(GIVEN_UP, None, now), late or of_parent(row, now), now)

        decided = self.store.settle(asked.key, decide, asked=asked)
        if decided.why is Reason.NOT_YET:
            # A live claim: its own message may still end the request, so look again when the claim is over.
            self.dispatcher.send([decided.record], queue=delivery.queue)
        elif decided.why in {Reason.WAITING, Change.ACCEPTED}:
            self.dispatcher.send([decided.record])
        elif decided.why in {Reason.DONE, Change.ENDED, Change.MARKED}:
            self.outbox.send(decided.record, body_kept(message, delivery))
        return decided.why

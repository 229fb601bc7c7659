"""The main worker: handles one delivery of a request message, from its bytes to its results."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from shared.clock import Clock, to_text
from shared.deletion.acceptance import Acceptor, Dispatcher, Receipt
from shared.deletion.attempt import Attempt
from shared.deletion.claiming import Claimer, Claims
from shared.deletion.delivery import Delivery
from shared.deletion.message import Message, body_kept, read_message, rejected
from shared.ledger.record import Record, State
from shared.request.envelope import Kind
from shared.results.publisher import Publisher
from shared.results.result import Result

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """Carries out request messages. One per process; safe to call from many threads."""

    accounts: tuple[str, ...]
    clock: Clock
    new_id: Callable[[], str]
    claimer: Claimer
    attempt: Attempt
    acceptor: Acceptor
    dispatcher: Dispatcher
    publisher: Publisher

    def deliver(self, delivery: Delivery) -> list[str]:
        """The encoded result messages of this delivery; its message may be deleted once they are sent.

        Raises:
            StaleDelivery, StorageUnavailable: the host should deliver the message again.
        """
        now = self.clock.now()
        message = read_message(delivery, self.accounts, now)
        results = rejected(message, delivery, self.accounts[0], now)
        if message.kind in {Kind.SINGLE, Kind.OWN}:
            results += self._carry_out(message, delivery)
        else:
            results += self._accept(message)
        return self.publisher.publish(results, delivery.queue)

    def _carry_out(self, message: Message, delivery: Delivery) -> list[Result]:
        if not message.valid:
            return []
        began = self.clock.monotonic()
        claims = self.claimer.claim(message.valid, delivery, self.new_id(), began)
        recorded = self.attempt.carry_out(claims.claimed, began)
        released = [record for record in recorded if record.state is not State.DONE]
        # Before this delivery ends: until then, its message brings the rows back if the put fails.
        self.dispatcher.send([*claims.waiting, *claims.left, *released])
        _log_what_waits(claims, released, delivery)
        if claims.fault is not None:
            raise claims.fault
        done = [record for record in recorded if record.state is State.DONE]
        return self._owed(claims, done, message, delivery)

    def _owed(self, claims: Claims, done: list[Record], message: Message, delivery: Delivery) -> list[Result]:
        now, raw = self.clock.now(), body_kept(message, delivery)
        return [
            *(Result.of(record, raw) for record in done + claims.ended),
            *(Result.of(record, raw, replayed=is_repeat(record, delivery, message.kind)) for record in claims.repeats),
            *(Result.conflict(asked, now, raw) for asked in claims.conflicts if not asked.is_of_a_listing),
        ]

    def _accept(self, message: Message) -> list[Result]:
        """Many requests in one message: accepts them as rows, to be worked on bucket by bucket."""
        results = []
        for answer in self.acceptor.accept_all(message.valid):
            if answer.receipt is Receipt.CONFLICT:
                results.append(Result.conflict(answer.asked, self.clock.now()))
            elif answer.record.state is State.DONE:
                results.append(Result.of(answer.record, replayed=True))
        return results


def is_repeat(record: Record, delivery: Delivery, kind: Kind) -> bool:
    """Whether the message asks again for a request that is done.

    Otherwise this message ended it, or no message did: it was cancelled, and this is the app's own message for it.
    """
    if record.claim is None:
        return kind is not Kind.OWN
    return record.claim.message_id != delivery.message_id


def _log_what_waits(claims: Claims, released: list[Record], delivery: Delivery) -> None:
    for record in released:
        error = record.last_error
        log.warning(
            "retry request_id=%s message_id=%s attempt=%s code=%s next_attempt_at=%s",
            record.request.client_request_id,
            delivery.message_id,
            record.attempts,
            error.code if error else None,
            to_text(record.next_attempt_at) if record.next_attempt_at else None,
        )
    for record in claims.waiting:
        log.info(
            "postponed request_id=%s message_id=%s until=%s",
            record.request.client_request_id,
            delivery.message_id,
            to_text(record.due) if record.due else None,
        )
    for record in claims.in_flight:
        request_id = record.request.client_request_id
        log.info("duplicate_in_flight request_id=%s message_id=%s", request_id, delivery.message_id)
    if claims.left:
        log.warning("claiming_unfinished message_id=%s left=%s", delivery.message_id, len(claims.left))

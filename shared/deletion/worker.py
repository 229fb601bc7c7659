"""The main job: one delivery of a request message, from its bytes to the results that are owed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from shared.clock import Clock, to_text
from shared.deletion.acceptance import Acceptor, Answer, Dispatcher
from shared.deletion.attempt import Attempt, Settled
from shared.deletion.claiming import Claimant, Taken
from shared.deletion.delivery import Bidder, Delivery, Timing
from shared.deletion.guard import Guard
from shared.deletion.message import Message, read_message
from shared.ledger.record import Record, State
from shared.results.emission import Emission, Emitter, recorded
from shared.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What the services are put together from."""

    settings: Settings
    clock: Clock
    timing: Timing
    new_id: Callable[[], str]
    claimant: Claimant
    attempt: Attempt
    guard: Guard
    acceptor: Acceptor
    dispatcher: Dispatcher
    emitter: Emitter


class Worker:
    """Carries out request messages. One per process; safe to call from many threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def deliver(self, delivery: Delivery) -> list[str]:
        """The encoded result messages that this delivery owes; its message may go once they are sent.

        Raises:
            StaleDelivery, StorageUnavailable: the host is to deliver the message again.
        """
        now = self._parts.clock.now()
        message = read_message(delivery, self._parts.settings, now)
        emissions = message.refused(self._parts.settings.batch_accounts[0], now)
        if message.is_single or message.is_own:
            emissions += self._carry_out(message, delivery)
        elif message.work.rows:
            emissions += self._accept(message)
        return self._parts.emitter.texts(emissions, delivery.queue)

    def _carry_out(self, message: Message, delivery: Delivery) -> list[Emission]:
        parts = self._parts
        if not message.work.rows:
            return []
        began = parts.clock.monotonic()
        taken = parts.claimant.take(message.work, Bidder.of(delivery, parts.new_id()))
        settled = parts.attempt.carry_out(taken.claimed, began)
        # Before this delivery ends: until then the message at hand would bring the rows back if the put failed.
        parts.dispatcher.send(taken.postponed + settled.retries(), message.work)
        _log_what_waits(taken, settled, delivery)
        return self._owed(taken, settled, message, delivery)

    def _owed(self, taken: Taken, settled: Settled, message: Message, delivery: Delivery) -> list[Emission]:
        now = self._parts.clock.now()
        return [
            *(recorded(r, message.body_of(r.request)) for r in settled.done + taken.ended),
            *(recorded(r, message.body_of(r.request), replayed=is_repeat(r, delivery)) for r in taken.repeats),
            *(message.conflict(row, now) for row in taken.conflicts),
        ]

    def _accept(self, message: Message) -> list[Emission]:
        """Many requests in one message: accepted as rows, then worked on bucket by bucket."""
        emissions = []
        for answer in self._parts.acceptor.accept_all(message.work):
            if answer.answer is Answer.CONFLICT:
                emissions.append(message.conflict(answer.row, self._parts.clock.now()))
            elif answer.record.state is State.DONE:
                emissions.append(recorded(answer.record, message.body_of(answer.row.request), replayed=True))
        return emissions


def is_repeat(record: Record, delivery: Delivery) -> bool:
    """Whether another message than this one brought the request to its end."""
    return record.claim is None or record.claim.message_id != delivery.message_id


def _log_what_waits(taken: Taken, settled: Settled, delivery: Delivery) -> None:
    for record in settled.released:
        error = record.last_error
        log.warning(
            "retry request_id=%s message_id=%s attempt=%s code=%s next_attempt_at=%s",
            record.request.client_request_id,
            delivery.message_id,
            record.attempts,
            error.code if error else None,
            to_text(record.next_attempt_at) if record.next_attempt_at else None,
        )
    for postponed in taken.postponed:
        log.info(
            "postponed request_id=%s message_id=%s until=%s",
            postponed.row.request.client_request_id,
            delivery.message_id,
            to_text(postponed.until),
        )
    for row in taken.in_flight:
        log.info("duplicate_in_flight request_id=%s message_id=%s", row.request.client_request_id, delivery.message_id)

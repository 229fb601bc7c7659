"""Messages that the host gave up: each gets an outcome, a dead letter and a result. Depends on storage alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.batch.reply import BatchError
from shared.clock import Clock
from shared.deletion.acceptance import Dispatcher
from shared.deletion.claiming import Postponed, new_record, row_of
from shared.deletion.delivery import Delivery
from shared.deletion.guard import Guard
from shared.deletion.message import Message, read_message
from shared.deletion.outcomes import exhausted
from shared.deletion.owed import OwedResults
from shared.errors import StorageUnavailable
from shared.ledger import state
from shared.ledger.record import Record
from shared.ledger.state import Move
from shared.ledger.store import RecordStore
from shared.ledger.work import WorkRow
from shared.results.emission import Emission, Emitter
from shared.settings import POISON_SUFFIX, Settings
from shared.storage.queues import Sender

MAX_READS = 5
GIVEN_UP = BatchError("DeliveriesExhausted", "The host gave the message up after its last delivery failed.")


@dataclass(frozen=True)
class PoisonParts:
    """What the poison service is put together from."""

    settings: Settings
    clock: Clock
    store: RecordStore
    dispatcher: Dispatcher
    emitter: Emitter
    sender: Sender
    owed: OwedResults
    guard: Guard


class PoisonWorker:
    """Ends requests whose message the host gave up (T8).

    It must not raise for anything but storage: a queue named `*-poison` has no poison queue of its own, and older
    hosts stop showing a message after its last attempt.
    """

    def __init__(self, parts: PoisonParts) -> None:
        self._parts = parts

    def deliver(self, delivery: Delivery) -> None:
        """Records and sends the outcome of every request in the message.

        Raises:
            StorageUnavailable: nothing could be recorded; the message is seen again.
        """
        parts = self._parts
        message = read_message(delivery, parts.settings, parts.clock.now())
        emissions = message.refused(parts.settings.batch_accounts[0], parts.clock.now())
        for row in message.work.rows:
            ended = self._end(row, message, delivery)
            if isinstance(ended, Emission):
                emissions.append(ended)
            elif ended is not None:
                parts.owed.send(ended, message.body_of(row.request))
        for text in parts.emitter.texts(emissions, delivery.queue.removesuffix(POISON_SUFFIX)):
            parts.sender.send(parts.settings.result_queue, text)

    def _end(self, row: WorkRow, message: Message, delivery: Delivery) -> Emission | Record | None:
        """The row as it ended, a conflict, or None when it was put back until a live claim ends."""
        parts = self._parts
        for _ in range(MAX_READS):
            found, now = parts.store.read(row.key), parts.clock.now()
            bid = state.Bid("", delivery.message_id, delivery.dequeue_count, row.payload_hash)
            decision = state.decide_without_claim(found, bid, now)
            if decision.move is Move.CONFLICT:
                return message.conflict(row, now)
            if decision.move is Move.EMIT and found:
                # Should the host not show this copy again, housekeeping sends what the mark says is owed.
                marked = found if found.emit_pending else parts.store.write(found, replace(found, emit_pending=True))
                if marked:
                    return marked
                continue
            if found and row.generation < found.generation:
                return None  # Redriven since: a late copy must not end the newer generation.
            if decision.move is Move.POSTPONE and decision.until and found:
                parts.dispatcher.send([Postponed(row_of(found), decision.until)], message.work, delivery.queue)
                return None
            before = found or new_record(row, message.work, keep_etag=False)
            late = None if found else parts.guard.expiry(row, message.work.accepted_at, now)
            end = late or exhausted(before.last_error or GIVEN_UP, None, before.maybe_effect, now)
            ended = parts.store.write(found, state.conclude(before, end, emit_pending=True))
            if ended:
                return ended
        raise StorageUnavailable(f"row {row.key.row} changed under {MAX_READS} reads")

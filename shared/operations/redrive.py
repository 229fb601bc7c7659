"""Redrives dead letters: each starts a new generation of its request, with a new result (T9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.cleanup.redrive import CleanupRedrive
from shared.clock import Clock
from shared.deletion.acceptance import Dispatcher
from shared.deletion.outbox import Outbox
from shared.errors import CorruptRecord, InvalidInput
from shared.ledger import decisions
from shared.ledger.decisions import Change, Leave, Reason, Write
from shared.ledger.record import Key, Origin, Outcome, Record
from shared.ledger.store import RecordStore
from shared.ledger.work import MAX_MESSAGE_BYTES
from shared.parsing.grammar import due_at
from shared.request.envelope import read_body
from shared.request.model import parse_request, with_default
from shared.results.dead_letter import DeadLetter
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_listing import NOT_REDRIVABLE
from shared.results.result import Result

MAY_BE_OWED = timedelta(hours=1)
"""For this long after an outcome is recorded, its result may still be unsent: ten deliveries, then the poison queue."""


class Redriven(StrEnum):
    """The result of a redrive."""

    REDRIVEN = "redriven"
    ALREADY = "already"
    NEVER = "never"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Redrive:
    """Redrives dead letters. Doing it twice is harmless. Every method may raise StorageUnavailable."""

    accounts: tuple[str, ...]
    event_queue: str
    clock: Clock
    letters: DeadLetterStore
    store: RecordStore
    dispatcher: Dispatcher
    cleanups: CleanupRedrive
    outbox: Outbox

    def redrive(self, letter_id: str, delay_seconds: float = 0, by: str | None = None) -> Redriven:
        """Starts a new generation of a dead letter's request, with its message hidden for the delay."""
        letter = self.letters.read(letter_id)
        if letter is None:
            return Redriven.UNKNOWN
        if letter.outcome in NOT_REDRIVABLE:
            return Redriven.NEVER
        if letter.redriven_at is not None:
            return Redriven.ALREADY
        try:
            why = self._redrive(letter, delay_seconds)
        except InvalidInput:
            # The row was purged, and today's settings refuse its request: its account has left the allow list.
            return Redriven.NEVER
        if why is Reason.STALE:
            return Redriven.ALREADY  # Not by this letter, which can be redriven once its request ends this way again.
        # Last: if the call dies before this, its repeat finds the row of its generation still open.
        marked = self.letters.mark_redriven(letter_id, self.clock.now(), by)
        # The call that reopened the row may find the mark of one that came while it sent the message.
        is_its_own = why is Change.REOPENED or (marked and why is Reason.OPEN)
        return Redriven.REDRIVEN if is_its_own else Redriven.ALREADY

    def _redrive(self, letter: DeadLetter, delay_seconds: float) -> Change | Reason:
        if letter.queue == self.event_queue:
            # Whether this call or an earlier one wrote its row is not known here: the mark decides.
            return Reason.OPEN if self.cleanups.redrive(letter, delay_seconds) else Reason.STALE
        until = self.clock.now() + timedelta(seconds=delay_seconds)
        decided = self._reopen(letter, until if delay_seconds > 0 else None)
        if decided.why in {Change.REOPENED, Reason.OPEN}:
            self.dispatcher.send([decided.record], at=max(until, decided.record.due or until))
        return decided.why

    def _reopen(self, letter: DeadLetter, until: datetime | None) -> Write | Leave:
        """The row of the new generation, due at `until` at the earliest, or why there is none.

        Due, not merely hidden: the daily round requeues whatever has been due for an hour.
        """
        key, now = Key(letter.client_request_id or "", letter.dry_run), self.clock.now()

        def decide(found: Record | None) -> Write | Leave:
            fresh = self._from_letter(letter, now) if found is None else replace(found, origin=Origin.REDRIVE)
            due_at = max(until, fresh.due_at or until) if until else fresh.due_at
            fresh = replace(fresh, generation=letter.generation + 1, due_at=due_at)
            return decisions.on_redrive(found, fresh, now, is_its_end=found is not None and _is_end_of(found, letter))

        try:
            found = self.store.read(key)
        except CorruptRecord:
            found = self._ended(letter, now)
        if found and isinstance(decide(found), Write):
            self._send_owed(found, now)
        return self.store.settle(key, decide)

    def _ended(self, letter: DeadLetter, now: datetime) -> Record | None:
        """The row that could not be read, ended: that end has another dead letter, which can be redriven."""
        asked = replace(self._from_letter(letter, now), generation=letter.generation)
        row = self.store.look(asked)
        return self.outbox.send(row) if row and row.emit_pending else row

    def _from_letter(self, letter: DeadLetter, now: datetime) -> Record:
        """Rebuilds a purged row: the dead letter holds the request as received."""
        value = read_body(letter.body, max_bytes=MAX_MESSAGE_BYTES)
        request = parse_request(value, with_default(self.accounts, letter.batch_url), now)
        return replace(
            Record.new(request, Origin.REDRIVE, now, policy=letter.policy),
            due_at=due_at(request.delete_after, letter.first_seen_at) if request.delete_after else None,
            # The row that knew is gone: this generation or an earlier one may have deleted a task that is now absent.
            maybe_effect=(letter.attempts > 0 or letter.generation > 0) and not letter.dry_run,
        )

    def _send_owed(self, record: Record, now: datetime) -> None:
        """Sends the old generation's result: the message that still owes it will find the new generation."""
        if record.emit_pending or (record.conclusion and now - record.conclusion.completed_at < MAY_BE_OWED):
            self.outbox.send(record)


def _is_end_of(record: Record, letter: DeadLetter) -> bool:
    """Whether a done row ended as the dead letter says, or was only left by a late copy after the purge."""
    request, end = record.request, record.conclusion
    if end is None:
        return False
    same = (request.job_id.lower(), request.task_id.lower()) == (
        (letter.job_id or "").lower(),
        (letter.task_id or "").lower(),
    )
    return Result.of(record).id == (letter.result_id or letter.id) or (same and end.outcome is Outcome.EXPIRED)

"""Putting a dead letter back: a new generation of its request, with a result of its own (T9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.cleanup.redrive import CleanupRedrive
from shared.clock import Clock
from shared.deletion.acceptance import Dispatcher
from shared.deletion.claiming import Postponed, row_of
from shared.deletion.owed import OwedResults
from shared.errors import InvalidInput, StorageUnavailable
from shared.ledger import state
from shared.ledger.record import Key, Origin, Outcome, Record, State
from shared.ledger.store import RecordStore
from shared.ledger.work import MAX_MESSAGE_BYTES, Work
from shared.parsing.grammar import due_at
from shared.request.envelope import read_body
from shared.request.model import parse_request, payload_hash
from shared.results.dead_letters import DeadLetter, DeadLetterStore
from shared.results.event import ending_of
from shared.settings import Settings

MAX_READS = 5
MAY_BE_OWED = timedelta(hours=1)
"""So long a message may still stand behind an outcome without its result having gone out: ten deliveries and poison."""
HOPELESS = frozenset({Outcome.REJECTED.value, Outcome.CONFLICT.value})
"""Outcomes that another try cannot change: the sender must change the request."""


class Redriven(StrEnum):
    """What became of the wish to put a dead letter back."""

    PUT_BACK = "put-back"
    ALREADY = "already"
    NEVER = "never"
    UNKNOWN = "unknown"


class Redrive:
    """Puts dead letters back. Doing it twice is harmless. Every method may raise StorageUnavailable."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        letters: DeadLetterStore,
        store: RecordStore,
        dispatcher: Dispatcher,
        cleanups: CleanupRedrive,
        owed: OwedResults,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._letters = letters
        self._store = store
        self._dispatcher = dispatcher
        self._cleanups = cleanups
        self._owed = owed

    def put_back(self, letter_id: str, delay_seconds: float = 0) -> Redriven:
        """A new generation of the request behind a dead letter, its message hidden for the delay."""
        letter = self._letters.read(letter_id)
        if letter is None:
            return Redriven.UNKNOWN
        if letter.outcome in HOPELESS:
            return Redriven.NEVER
        if letter.redriven_at is not None:
            return Redriven.ALREADY
        try:
            put_back = self._put_back(letter, delay_seconds)
        except InvalidInput:
            # The row was purged, and today's settings do not take its request: its account is no longer listed.
            return Redriven.NEVER
        # Last: a call that died on the way is repeated, and finds the row of its own generation still open.
        marked = self._letters.mark_redriven(letter_id, self._clock.now())
        return Redriven.PUT_BACK if marked and put_back else Redriven.ALREADY

    def _put_back(self, letter: DeadLetter, delay_seconds: float) -> bool:
        if letter.queue == self._settings.job_completion_queue:
            return self._cleanups.put_back(letter, delay_seconds)
        reopened = self._reopen(letter)
        if reopened is not None:
            self._dispatch(reopened, delay_seconds)
        return reopened is not None

    def _reopen(self, letter: DeadLetter) -> Record | None:
        """The row of the new generation; None when it went its way already."""
        key = Key(letter.client_request_id or "", letter.dry_run)
        for _ in range(MAX_READS):
            found, now = self._store.read(key), self._clock.now()
            if found is None:
                written = self._store.write(None, self._from_letter(letter, now))
            elif found.generation > letter.generation:
                return found if found.state is State.ACCEPTED else None
            elif found.state is not State.DONE or not _is_end_of(found, letter):
                # At work, or ended otherwise: the id was used anew after its row had been purged.
                return None
            else:
                found = self._send_owed(found, now)
                anew = replace(state.reopen(found, now), origin=Origin.REDRIVE, generation=letter.generation + 1)
                written = self._store.write(found, anew)
            if written:
                return written
        raise StorageUnavailable(f"row {key.row} changed under {MAX_READS} reads")

    def _from_letter(self, letter: DeadLetter, now: datetime) -> Record:
        """The row anew when it was purged: the request is in the dead letter as received."""
        value = read_body(letter.body, max_bytes=MAX_MESSAGE_BYTES)
        request = parse_request(value, self._settings.batch_accounts, now)
        return Record(
            request=request,
            payload_hash=payload_hash(request),
            origin=Origin.REDRIVE,
            accepted_at=now,
            due_at=due_at(request.delete_after, letter.first_seen_at) if request.delete_after else None,
            generation=letter.generation + 1,
            # The row that knew is gone: an absent task may well be the work of the earlier generation.
            maybe_sent=letter.attempts > 0,
            maybe_effect=letter.attempts > 0 and not letter.dry_run,
        )

    def _dispatch(self, record: Record, delay_seconds: float) -> None:
        row = replace(row_of(record), etag=None)
        work = Work((row,), record.origin, record.accepted_at, record.parent_id)
        until = self._clock.now() + timedelta(seconds=delay_seconds)
        self._dispatcher.send([Postponed(row, max(until, record.due_at or until))], work)

    def _send_owed(self, record: Record, now: datetime) -> Record:
        """The result of the generation that ends here: the message that owes it will find the next one."""
        if record.emit_pending or (record.conclusion and now - record.conclusion.completed_at < MAY_BE_OWED):
            return self._owed.send(record)
        return record


def _is_end_of(record: Record, letter: DeadLetter) -> bool:
    """Whether a row that is done ended as the dead letter tells, or is but what a late copy left after its purge."""
    request, end = record.request, record.conclusion
    same = (request.job_id.lower(), request.task_id.lower()) == (
        (letter.job_id or "").lower(),
        (letter.task_id or "").lower(),
    )
    return ending_of(record).id == letter.id or (same and end is not None and end.outcome is Outcome.EXPIRED)

"""Putting a dead letter back: a new generation of its request, with a result of its own (T9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared import state
from shared.acceptance import Dispatcher
from shared.claiming import Postponed, row_of
from shared.cleanup_redrive import CleanupRedrive
from shared.clock import Clock
from shared.dead_letters import DeadLetter, DeadLetterStore
from shared.envelope import read_body
from shared.errors import StorageUnavailable
from shared.record import Key, Origin, Outcome, Record, State
from shared.request import parse_request, payload_hash
from shared.settings import Settings
from shared.store import RecordStore
from shared.work import MAX_MESSAGE_BYTES, Work

MAX_READS = 5
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
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._letters = letters
        self._store = store
        self._dispatcher = dispatcher
        self._cleanups = cleanups

    def put_back(self, letter_id: str, delay_seconds: float = 0) -> Redriven:
        """A new generation of the request behind a dead letter, its message hidden for the delay."""
        letter = self._letters.read(letter_id)
        if letter is None:
            return Redriven.UNKNOWN
        if letter.outcome in HOPELESS:
            return Redriven.NEVER
        if letter.redriven_at is not None:
            return Redriven.ALREADY
        put_back = self._put_back(letter, delay_seconds)
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
            elif found.state is not State.DONE:
                return None
            else:
                written = self._store.write(found, replace(state.reopen(found, now), origin=Origin.REDRIVE))
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
            generation=letter.generation + 1,
            # The row that knew is gone: an absent task may well be the work of the earlier generation.
            maybe_sent=letter.attempts > 0,
            maybe_effect=letter.attempts > 0 and not letter.dry_run,
        )

    def _dispatch(self, record: Record, delay_seconds: float) -> None:
        row = replace(row_of(record), etag=None)
        work = Work((row,), record.origin, record.accepted_at, record.parent_id)
        until = self._clock.now() + timedelta(seconds=delay_seconds)
        self._dispatcher.send([Postponed(row, until)], work)

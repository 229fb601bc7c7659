"""The daily round: requeues stuck requests, sends unsent results, and purges what is past retention.

It runs step by step, each step over all buckets, for a limited time. A cursor in the table records its place, down to
the row, and the next round continues there. So over the nights every bucket has its turn, however full one of them is.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from shared.cleanup.upkeep import CleanupUpkeep
from shared.clock import Clock, to_text
from shared.deletion.acceptance import Dispatcher
from shared.deletion.outbox import Outbox
from shared.errors import CorruptRecord, StorageUnavailable
from shared.ledger.entity import from_entity
from shared.ledger.record import Record, State
from shared.ledger.tally import BUCKETS
from shared.retention.forgetting import COLUMNS, forgettable_counts, forgettable_sweeps
from shared.settings import POISON_SUFFIX, Settings
from shared.storage.queues import Queues
from shared.storage.table import Found, Table, Write

log = logging.getLogger(__name__)
CURSOR = ("housekeeping", "cursor")
PAGE = 1_000
KEYS = ("PartitionKey", "RowKey")
STUCK_AFTER = timedelta(hours=1)
OWED_AFTER = timedelta(minutes=15)
"""The writer that sets the mark normally sends the result immediately. After this long, assume it died."""
SAVE_SECONDS = 5.0
"""How often the place is saved, hence how much is redone after the host ends the process, on ten seconds' notice."""


@dataclass(frozen=True)
class Step:
    """One query of a bucket, and what to do with the rows that it finds."""

    filter_text: str
    act: Callable[[Sequence[Found]], Counter[str]]
    most: int = 1
    """Rows that are acted on together."""
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Place:
    """A round's place: a bucket, a step, a page of the step's rows, and the last row of the page that is done."""

    bucket: str = BUCKETS[0]
    step: int = 0
    page: str = ""
    """The continuation with which the page began, as JSON; empty for the first page."""
    after: str = ""


@dataclass(frozen=True)
class Housekeeping:
    """Keeps the request table small, and every open request reachable. Raises StorageUnavailable."""

    settings: Settings
    clock: Clock
    records: Table
    queues: Queues
    dispatcher: Dispatcher
    outbox: Outbox
    cleanups: CleanupUpkeep

    def round(self, seconds: float) -> Counter[str]:
        """Goes through all buckets once, or until the time is over; returns counts of what was done."""
        return _Round(self, seconds).run()

    def steps(self, bucket: str, oldest: datetime | None) -> list[Step]:
        """The steps for one bucket; open requests come first, because callers wait for them.

        `oldest` is when the oldest visible message on the request queue was put; None when there is none.
        """
        now, here = self.clock.now(), f"PartitionKey eq '{bucket}'"
        before = to_text(now - timedelta(days=self.settings.retention_days))
        # A cancelled request may still have a delayed message; once its row is purged, that message would run it.
        over = f"completed_at lt '{before}' and due_at lt '{before}'"
        forgotten = f"{here} and state eq 'done' and {over} and emit_pending eq false"
        owed = f"{here} and emit_pending eq true and completed_at lt '{to_text(now - OWED_AFTER)}'"
        untouched = f"touched_at lt '{before}'"
        counts = f"{here} and RowKey ge 'tally:' and RowKey lt 'tally;' and {untouched}"
        sweeps = f"{here} and RowKey ge 'sweep:' and RowKey lt 'sweep;' and {untouched}"
        return [
            # `accepted` and `claimed`: the states that sort before `done`.
            Step(f"{here} and state lt '{State.DONE.value}'", lambda rows: self._requeue(rows, oldest), 16),
            *(Step(text, lambda rows: self._cleanups(rows, oldest)) for text in self.cleanups.filters(bucket)),
            Step(owed, self._send_owed),
            *(Step(text, self._purge, 100, KEYS) for text in (forgotten, *self.cleanups.forgotten(bucket, before))),
            Step(sweeps, lambda rows: self._purge(forgettable_sweeps(self.records, rows, before)), 100, COLUMNS),
            Step(counts, lambda rows: self._purge(forgettable_counts(self.records, rows, before)), 100, KEYS),
        ]

    def _purge(self, rows: Sequence[Found]) -> Counter[str]:
        # If one of them has been redriven since it was read, nothing is deleted, and the next round purges the rest.
        return Counter(purged=len(rows) if rows and self.records.delete_group(rows) else 0)

    def _send_owed(self, rows: Sequence[Found]) -> Counter[str]:
        owed = list(_records(rows))
        for record in owed:
            self.outbox.send(record)
        return Counter(emitted=len(owed))

    def _requeue(self, rows: Sequence[Found], oldest: datetime | None) -> Counter[str]:
        """Sends a new message for rows that are long overdue and have no live claim: their messages must be gone."""
        now = self.clock.now()
        stuck = [record for record in _records(rows) if is_stuck(record, now, oldest)]
        self.dispatcher.send(stuck, at=now)
        for record in stuck:
            log.warning("put_back request_id=%s state=%s", record.request.client_request_id, record.state.value)
        return Counter(put_back=len(stuck))

    def _cleanups(self, rows: Sequence[Found], oldest: datetime | None) -> Counter[str]:
        return Counter(put_back=sum(self.cleanups.requeue(row, oldest) for row in rows))

    def oldest_message(self) -> datetime | None:
        """When the oldest visible message on the request queue or its poison queue was put."""
        now, name = self.clock.now(), self.settings.request_queue
        ages = [self.queues.depth(queue, now).oldest_age_seconds or 0.0 for queue in (name, name + POISON_SUFFIX)]
        return now - timedelta(seconds=max(ages)) if any(ages) else None


class _Round:
    """One round, starting where the last one stopped."""

    def __init__(self, house: Housekeeping, seconds: float) -> None:
        self._house = house
        self._deadline = house.clock.monotonic() + seconds
        self._done: Counter[str] = Counter()
        self._faults: list[StorageUnavailable] = []
        self._saved_at = house.clock.monotonic()
        self._looked: tuple[datetime | None] | None = None

    def run(self) -> Counter[str]:
        steps = [self._house.steps(bucket, self._oldest()) for bucket in BUCKETS]
        places = [Place(bucket, number) for number in range(len(steps[0])) for bucket in BUCKETS]
        begun = self._place()
        start = next((i for i, place in enumerate(places) if replace(begun, page="", after="") == place), 0)
        for number in range(start, start + len(places)):
            place = places[number % len(places)]
            following = places[(number + 1) % len(places)]
            step = steps[BUCKETS.index(place.bucket)][place.step]
            if not self._step(step, begun if number == start else place, following):
                log.warning("housekeeping unfinished=true bucket=%s %s", place.bucket, _counts(self._done))
                return self._done
        self._keep(Place())
        log.info("housekeeping unfinished=false %s", _counts(self._done))
        if self._faults:
            raise self._faults[0]
        return self._done

    def _oldest(self) -> datetime | None:
        """As `Housekeeping.oldest_message`, read once; if the queues do not answer, nothing counts as lost."""
        if self._looked is None:
            try:
                self._looked = (self._house.oldest_message(),)
            except StorageUnavailable as fault:
                self._faults.append(fault)
                self._looked = (datetime.min.replace(tzinfo=UTC),)
        return self._looked[0]

    def _step(self, step: Step, place: Place, following: Place) -> bool:
        """Runs one step; False when time has run out. A fault is kept for later, so that it does not stop the round."""
        try:
            for reached, rows in self._groups(step, place):
                if self._is_over(reached):
                    return False
                self._done += step.act(rows)
        except StorageUnavailable as fault:
            self._faults.append(fault)
        return not self._is_over(following)

    def _groups(self, step: Step, place: Place) -> Iterator[tuple[Place, Sequence[Found]]]:
        """The rows in groups, each with its place. An empty page yields an empty group, so that the time is checked."""
        continuation = json.loads(place.page) if place.page else None
        while True:
            page = self._house.records.query(step.filter_text, step.columns, PAGE, continuation)
            rows = [row for row in page.rows if str(row.entity["RowKey"]) > place.after]
            for start in range(0, len(rows), step.most):
                group = rows[start : start + step.most]
                yield place, group
                place = Place(place.bucket, place.step, place.page, str(group[-1].entity["RowKey"]))
            continuation = page.continuation
            if continuation is None:
                return
            place = Place(place.bucket, place.step, json.dumps(continuation))
            yield place, ()

    def _is_over(self, place: Place) -> bool:
        """Whether the time is over; saves the place then, and every few seconds before."""
        now = self._house.clock.monotonic()
        over = now >= self._deadline
        if over or now - self._saved_at >= SAVE_SECONDS:
            self._keep(place)
            self._saved_at = self._house.clock.monotonic()
        return over

    def _place(self) -> Place:
        found = self._house.records.read(*CURSOR)
        bucket = str(found.entity["bucket"]) if found else ""
        if found is None or bucket not in set(BUCKETS):
            return Place()
        entity = found.entity
        return Place(
            bucket, int(entity.get("step") or 0), str(entity.get("page") or ""), str(entity.get("after") or "")
        )

    def _keep(self, place: Place) -> None:
        found = self._house.records.read(*CURSOR)
        entity = {
            "PartitionKey": CURSOR[0],
            "RowKey": CURSOR[1],
            "bucket": place.bucket,
            "step": place.step,
            "page": place.page,
            "after": place.after,
        }
        self._house.records.write(Write(entity, found.etag if found else None))


def is_stuck(record: Record, now: datetime, oldest: datetime | None = None) -> bool:
    """Whether a request has been due for over an hour with no live claim, and its message must be gone.

    `oldest` is when the oldest visible message was put. If that is before the due time, the request's message may still
    be in the queue behind it, because a function is stopped or overloaded.
    """
    if record.state is State.CLAIMED and record.claim and now < record.claim.expires_at:
        return False
    due = max(record.due or record.accepted_at, record.accepted_at)
    return now - due > STUCK_AFTER and (oldest is None or oldest > due)


def _records(rows: Sequence[Found]) -> Iterator[Record]:
    for found in rows:
        try:
            yield from_entity(found.entity, found.etag)
        except CorruptRecord:
            log.exception("corrupt_record row=%s", found.entity.get("RowKey"))


def _counts(done: Counter[str]) -> str:
    return " ".join(f"{name}={done[name]}" for name in ("purged", "emitted", "put_back"))

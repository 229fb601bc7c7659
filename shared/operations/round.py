"""One round through the request table: step by step, each step over all buckets, for a limited time.

A cursor in the table records its place, down to the row, and the next round continues there. So over the nights every
bucket has its turn, however full one of them is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.clock import Clock
from shared.errors import StorageUnavailable
from shared.ledger.tally import BUCKETS
from shared.storage.query import Query
from shared.storage.table import RowWrite, StoredRow, Table

CURSOR = ("housekeeping", "cursor")
PAGE = 1_000
SAVE_SECONDS = 5.0
"""How often the place is saved, hence how much is redone after the host ends the process, on ten seconds' notice."""


@dataclass(frozen=True)
class Step:
    """One query of a bucket, and what to do with the rows that it finds."""

    query: Query
    act: Callable[[Sequence[StoredRow]], Counter[str]]
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


class Round:
    """One round, starting where the last one stopped."""

    def __init__(self, records: Table, clock: Clock, seconds: float) -> None:
        self.done: Counter[str] = Counter()
        self.faults: list[StorageUnavailable] = []
        """Of steps that failed, which stopped no other step."""
        self._records = records
        self._clock = clock
        self._saved_at = clock.monotonic()
        self._deadline = self._saved_at + seconds

    def run(self, steps: Mapping[str, Sequence[Step]]) -> str | None:
        """Runs each bucket's steps; returns the bucket where the time was over, or None at the end."""
        places = [Place(bucket, number) for number in range(len(steps[BUCKETS[0]])) for bucket in BUCKETS]
        begun = self._place()
        start = next((i for i, place in enumerate(places) if replace(begun, page="", after="") == place), 0)
        for number in range(start, start + len(places)):
            place = places[number % len(places)]
            following = places[(number + 1) % len(places)]
            if not self._step(steps[place.bucket][place.step], begun if number == start else place, following):
                return place.bucket
        self._keep(Place())
        return None

    def _step(self, step: Step, place: Place, following: Place) -> bool:
        """Runs one step; False when time has run out. A fault is kept for later, so that it does not stop the round."""
        try:
            for reached, rows in self._groups(step, place):
                if self._is_over(reached):
                    return False
                self.done += step.act(rows)
        except StorageUnavailable as fault:
            self.faults.append(fault)
        return not self._is_over(following)

    def _groups(self, step: Step, place: Place) -> Iterator[tuple[Place, Sequence[StoredRow]]]:
        """The rows in groups, each with its place. An empty page yields an empty group, so that the time is checked."""
        continuation = json.loads(place.page) if place.page else None
        while True:
            page = self._records.query(step.query, step.columns, PAGE, continuation)
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
        now = self._clock.monotonic()
        over = now >= self._deadline
        if over or now - self._saved_at >= SAVE_SECONDS:
            self._keep(place)
            self._saved_at = self._clock.monotonic()
        return over

    def _place(self) -> Place:
        found = self._records.read(*CURSOR)
        bucket = str(found.entity["bucket"]) if found else ""
        if found is None or bucket not in set(BUCKETS):
            return Place()
        entity = found.entity
        return Place(
            bucket, int(entity.get("step") or 0), str(entity.get("page") or ""), str(entity.get("after") or "")
        )

    def _keep(self, place: Place) -> None:
        found = self._records.read(*CURSOR)
        entity = {
            "PartitionKey": CURSOR[0],
            "RowKey": CURSOR[1],
            "bucket": place.bucket,
            "step": place.step,
            "page": place.page,
            "after": place.after,
        }
        self._records.write(RowWrite(entity, found.etag if found else None))

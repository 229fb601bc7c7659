"""Clean-ups in the request table: one by its event id, or a list, newest first."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Generic, TypeVar

from shared.cleanup.entity import (
    IN_LIST,
    PLACE,
    cleanup_key,
    cleanup_rows,
    from_entity,
    key_of_place,
    list_entity,
    place_of,
    to_entity,
)
from shared.cleanup.record import Cleanup, Phase
from shared.errors import InvalidInput, StorageUnavailable
from shared.ledger.pauses import Pauses
from shared.ledger.store import readable_rows
from shared.ledger.tally import BUCKETS, Totals, totals
from shared.storage.query import Query
from shared.storage.ranges import all_rows
from shared.storage.table import ANY_VERSION, Refused, RowWrite, Table

log = logging.getLogger(__name__)

D = TypeVar("D")

SETTLE_SECONDS = 10.0
"""How long a conditional write is retried while other writers interfere."""
LISTS_ALL = ("cleanups", "lists-all")
"""Key of the row that records that the list is complete, including clean-ups of versions before there was a list."""
PAGE = 1_000
GROUP = 40
"""Rows added to the list in one transaction: two writes each, below the limit of a hundred."""


@dataclass(frozen=True)
class CleanupPage:
    """A page of clean-ups, newest first, and the key after which the next page begins; None at the end."""

    cleanups: tuple[Cleanup, ...]
    continuation: str | None


@dataclass(frozen=True)
class Settled(Generic[D]):
    """A decision about a row, and the row afterwards."""

    decision: D
    cleanup: Cleanup | None

    @property
    def row(self) -> Cleanup:
        """The row, if the decision implies that there is one."""
        if self.cleanup is None:
            raise ValueError(f"{self.decision} has no clean-up")
        return self.cleanup


@dataclass(frozen=True)
class CleanupStore:
    """Reads and conditionally writes clean-ups. Every method may raise StorageUnavailable."""

    table: Table
    pauses: Pauses

    def read(self, event_id: str, *, dry_run: bool) -> Cleanup | None:
        """The clean-up of an event, or None. Raises CorruptRecord for a row that cannot be read."""
        found = self.table.read(*cleanup_key(event_id, dry_run=dry_run))
        return from_entity(found.entity, found.etag) if found else None

    def write(self, before: Cleanup | None, after: Cleanup, now: datetime) -> Cleanup | None:
        """Inserts (`before` is None) or replaces all columns; None if the row has changed since it was read."""
        etags = self.table.write_group(_writes(before, after, now))
        return None if isinstance(etags, Refused) else replace(after, etag=etags[0], place=place_of(after))

    def settle(
        self, event_id: str, decide: Callable[[Cleanup | None], tuple[D, Cleanup | None]], *, dry_run: bool
    ) -> Settled[D]:
        """Decides about a row and writes the result, repeating both until no other writer interferes.

        `decide` returns the decision and the new row, or None to leave the row. Raises StorageUnavailable if the row
        kept changing.
        """
        for _ in self.pauses.tries(self.pauses.clock.monotonic() + SETTLE_SECONDS):
            found = self.read(event_id, dry_run=dry_run)
            decision, after = decide(found)
            written = self.write(found, after, self.pauses.clock.now()) if after else found
            if written or after is None:
                return Settled(decision, written)
        raise StorageUnavailable(f"clean-up {event_id} changed under every read")

    def totals(self, cleanup: Cleanup) -> Totals:
        """How many requests the clean-up made, with rows or without, and how many ended with which outcome."""
        counted = totals(self.table, cleanup.event.event_id, dry_run=cleanup.event.dry_run)
        # Until a listing that begins again has a page, what the last one asked for without rows may still have none.
        is_by_row = cleanup.with_rows and cleanup.phase is not Phase.WAITING
        return counted if is_by_row else replace(counted, requested=max(cleanup.asked, counted.requested))

    def newest(self, top: int, phase: Phase | None, after: str, now: datetime) -> CleanupPage:
        """A page of at most `top` clean-ups, newest first. Raises InvalidInput if `after` is not a continuation."""
        if after and not PLACE.fullmatch(after):
            raise InvalidInput.at("continuation", "must be a continuation from an earlier response")
        self._complete_list(now)
        places = list(heapq.merge(*(self._places(bucket, top + 1, phase, after) for bucket in BUCKETS)))
        taken = places[:top]
        found = [(place, self._at(place)) for place in taken]
        # The clean-up may have been purged, submitted again, or changed phase since its place was read.
        cleanups = tuple(c for place, c in found if c and c.place == place and phase in {None, c.phase})
        return CleanupPage(cleanups, taken[-1] if len(places) > top else None)

    def _at(self, place: str) -> Cleanup | None:
        event_id, dry_run = key_of_place(place)
        found = self.table.read(*cleanup_key(event_id, dry_run=dry_run))
        return next(readable_rows([found], from_entity), None) if found else None

    def _places(self, bucket: str, top: int, phase: Phase | None, after: str) -> list[str]:
        query = Query(bucket).where("RowKey", "gt", f"{IN_LIST}{after}").where("RowKey", "lt", f"{IN_LIST[:-1]};")
        if phase is not None:
            query = query.where("phase", "eq", phase.value)
        rows = all_rows(self.table, query, ["PartitionKey", "RowKey"], min(top, PAGE))
        return [str(found.entity["RowKey"]).removeprefix(IN_LIST) for found in islice(rows, top)]

    def _complete_list(self, now: datetime) -> None:
        """Once, at the first listing: adds clean-ups of versions before there was a list."""
        if self.table.read(*LISTS_ALL):
            return
        complete = True
        for bucket in BUCKETS:
            old = [row for row in all_rows(self.table, cleanup_rows(bucket)) if not row.entity.get("place")]
            for start in range(0, len(old), GROUP):
                cleanups = readable_rows(old[start : start + GROUP], from_entity)
                writes = [write for cleanup in cleanups for write in _writes(cleanup, cleanup, now)]
                # A clean-up that changed meanwhile was written with its place; the next listing adds the others.
                complete &= not (writes and isinstance(self.table.write_group(writes), Refused))
        if complete:
            self.table.write(RowWrite({"PartitionKey": LISTS_ALL[0], "RowKey": LISTS_ALL[1]}))


def _writes(before: Cleanup | None, after: Cleanup, now: datetime) -> list[RowWrite]:
    """The writes for the row and its place in the list. The row's condition applies to both."""
    return [
        RowWrite(to_entity(after, now), before.etag if before else None),
        RowWrite(list_entity(after, now), ANY_VERSION),
    ]

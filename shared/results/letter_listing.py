"""Lists the dead letters of all partitions that match a filter, newest first.

Each partition is sorted that way, so a page is a merge of their heads. The service applies whatever conditions it can,
so letters that do not match cost only its scan.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from shared.ledger.record import Outcome
from shared.results.dead_letter import DeadLetter, letter_of
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_rows import OLD_PARTITION, place_at
from shared.storage.query import Query
from shared.storage.table import StoredRow

NOT_REDRIVABLE = frozenset({Outcome.REJECTED.value, Outcome.CONFLICT.value})
"""Outcomes that another try cannot change: the sender has to change the request."""
MOST_QUERIES = 100
"""Queries for one page: after five seconds the service may answer any of them with no rows and a continuation.

https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination
"""
MOST_ROWS = 1_000

Continuation = dict[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class LetterFilter:
    """Which dead letters to list."""

    outcome: str | None = None
    reason: str | None = None
    job_id: str | None = None
    queue: str | None = None
    since: datetime | None = None
    """First seen at this instant or later."""
    before: datetime | None = None
    """First seen before this instant."""
    settled: bool = False
    redrivable: bool = False
    """Only letters that have not been redriven and could succeed."""
    redriven: bool | None = None
    """Only letters that were redriven, or only those that were not; None: both."""

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a letter matches. The service checks most of this, except for columns that older rows lack."""
        wanted = (self.outcome, self.reason, self.job_id and self.job_id.lower(), self.queue)
        has = (letter.outcome, letter.reason, (letter.job_id or "").lower(), letter.queue)
        return (
            all(want is None or want == value for want, value in zip(wanted, has, strict=True))
            and (letter.settled_at is not None) == self.settled
            and not (self.redrivable and (letter.redriven_at or letter.outcome in NOT_REDRIVABLE))
            and self.redriven in (None, letter.redriven_at is not None)
        )

    def query(self, partition: str, after: str) -> Query:
        """What the service looks for: a range of one partition's rows, with conditions."""
        low = max(after, place_at(self.before) if self.before else "")
        high = f"at:{place_at(self.since)}" if self.since else "at;"
        query = Query(partition).where("RowKey", "gt", f"at:{low}").where("RowKey", "lt", high)
        for column, text in self._texts(partition):
            query = query if text is None else query.where(column, "eq", text)
        if self.redrivable:
            query = query.where("redriven_at", "eq", "")
            for outcome in sorted(NOT_REDRIVABLE):
                query = query.where("outcome", "ne", outcome)
        if self.redriven is not None:
            query = query.where("redriven_at", "gt" if self.redriven else "eq", "")
        if partition != OLD_PARTITION:
            query = query.where("settled_at", "gt" if self.settled else "eq", "")
        return query

    def _texts(self, partition: str) -> list[tuple[str, str | None]]:
        texts = [("outcome", self.outcome), ("reason", self.reason), ("queue", self.queue)]
        job = self.job_id.lower() if self.job_id else None
        return texts if partition == OLD_PARTITION else [*texts, ("job_key", job)]


@dataclass(frozen=True)
class Place:
    """Where a page begins: after a letter, plus continuations in partitions that the service was still scanning."""

    after: str = ""
    scans: Mapping[str, Continuation] = field(default_factory=dict)


@dataclass
class _Lane(Generic[T]):
    """One partition's letters with their places, read as they are needed."""

    query: Query
    continuation: Continuation | None
    items: deque[tuple[str, T]] = field(default_factory=deque)
    is_read: bool = False

    @property
    def is_open(self) -> bool:
        """Whether its next letter is still unknown."""
        return not self.items and not (self.is_read and self.continuation is None)


@dataclass(frozen=True)
class LetterListing:
    """Pages of dead letters. Raises StorageUnavailable."""

    letters: DeadLetterStore

    def page(self, wanted: LetterFilter, top: int, place: Place | None = None) -> tuple[list[DeadLetter], Place | None]:
        """At most `top` letters without bodies, and where the next page begins; None at the end.

        A page can be short, or empty, without being the last: the service may have scanned for too long.
        """

        def take(row: StoredRow) -> DeadLetter | None:
            letter = letter_of(row)
            return letter if wanted.takes(letter) else None

        return self._merged(wanted, top, place or Place(), None, take)

    def reasons(self, top: int, *, redriven: bool = False) -> tuple[list[str], bool]:
        """The reasons of the newest letters that are open or redriven, and whether there are more.

        Settled letters are left out.
        """

        def take(row: StoredRow) -> str | None:
            return None if row.entity.get("settled_at") else str(row.entity["reason"])

        # Most of a page's time goes into columns: three of them take a fifth of it.
        columns = ["RowKey", "reason", "settled_at"]
        found, rest = self._merged(LetterFilter(redriven=redriven), top, Place(), columns, take)
        return found, rest is not None

    def _merged(
        self,
        wanted: LetterFilter,
        top: int,
        place: Place,
        columns: Sequence[str] | None,
        take: Callable[[StoredRow], T | None],
    ) -> tuple[list[T], Place | None]:
        lanes: dict[str, _Lane[T]] = {
            name: _Lane(wanted.query(name, place.after), place.scans.get(name)) for name in self.letters.partitions()
        }
        # Slightly more than each partition's share, so that few have to be queried twice.
        size, queries = min(MOST_ROWS, top // 5 + 5), 0
        found: list[T] = []
        last = place.after
        while len(found) < top:
            while unread := [lane for lane in lanes.values() if lane.is_open]:
                if queries >= MOST_QUERIES:
                    return found, Place(last, _still_looking(lanes))
                self._read(unread[0], size, columns, take)
                queries += 1
            heads = [lane.items for lane in lanes.values() if lane.items]
            if not heads:
                return found, None
            last, item = min(heads, key=lambda items: items[0][0]).popleft()
            found.append(item)
        is_more = any(lane.items or lane.continuation for lane in lanes.values())
        return found, Place(last) if is_more else None

    def _read(
        self, lane: _Lane[T], size: int, columns: Sequence[str] | None, take: Callable[[StoredRow], T | None]
    ) -> None:
        page = self.letters.table.query(lane.query, columns, size, lane.continuation)
        lane.is_read, lane.continuation = True, page.continuation
        for row in page.rows:
            if (item := take(row)) is not None:
                lane.items.append((str(row.entity["RowKey"]).removeprefix("at:"), item))


def _still_looking(lanes: Mapping[str, _Lane[T]]) -> dict[str, Continuation]:
    """The continuations of the partitions whose next letter is still unknown."""
    return {name: lane.continuation for name, lane in lanes.items() if lane.is_open and lane.continuation}

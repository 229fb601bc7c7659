"""Dead letters newest first, of all partitions together, as far as a filter takes them.

Each partition is in that order, so that a page is a merge of their heads. What the service can judge, it judges: time
does not grow with letters that are not wanted but for its own look at them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.ledger.record import Outcome
from shared.results.dead_letters import DeadLetter, DeadLetterStore, letter_of
from shared.results.letter_rows import OLD_PARTITION, place_at, place_of

NOT_REDRIVABLE = frozenset({Outcome.REJECTED.value, Outcome.CONFLICT.value})
"""Outcomes that another try cannot change: the sender must change the request."""
MOST_QUERIES = 100
"""Of one page: the service may answer any of them with no row and where to go on, after five seconds of its own.

https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination
"""
MOST_ROWS = 1_000

Continuation = dict[str, str]


@dataclass(frozen=True)
class LetterFilter:
    """Which dead letters are meant."""

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
    """Only those that were not redriven and could succeed."""

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a letter is meant. The service judges the most of it, but for what older rows do not have."""
        wanted = (self.outcome, self.reason, self.job_id and self.job_id.lower(), self.queue)
        has = (letter.outcome, letter.reason, (letter.job_id or "").lower(), letter.queue)
        return (
            all(want is None or want == value for want, value in zip(wanted, has, strict=True))
            and (letter.settled_at is not None) == self.settled
            and not (self.redrivable and (letter.redriven_at or letter.outcome in NOT_REDRIVABLE))
        )

    def query(self, partition: str, after: str) -> str:
        """The filter for the service: a range of one partition's rows, and conditions on them."""
        low = max(after, place_at(self.before) if self.before else "")
        high = f"at:{place_at(self.since)}" if self.since else "at;"
        clauses = [f"PartitionKey eq '{partition}'", f"RowKey gt 'at:{low}'", f"RowKey lt '{high}'"]
        clauses += [f"{column} eq {_quoted(text)}" for column, text in self._texts(partition) if text is not None]
        if self.redrivable:
            clauses += ["redriven_at eq ''", *(f"outcome ne '{outcome}'" for outcome in sorted(NOT_REDRIVABLE))]
        if partition != OLD_PARTITION:
            clauses.append("settled_at gt ''" if self.settled else "settled_at eq ''")
        return " and ".join(clauses)

    def _texts(self, partition: str) -> list[tuple[str, str | None]]:
        texts = [("outcome", self.outcome), ("reason", self.reason), ("queue", self.queue)]
        job = self.job_id.lower() if self.job_id else None
        return texts if partition == OLD_PARTITION else [*texts, ("job_key", job)]


@dataclass(frozen=True)
class Place:
    """Where a page begins: after a letter, and, in partitions where the service was still looking, where it was."""

    after: str = ""
    scans: Mapping[str, Continuation] = field(default_factory=dict)


@dataclass
class _Lane:
    """One partition's letters, read as they are needed."""

    query: str
    continuation: Continuation | None
    letters: deque[DeadLetter] = field(default_factory=deque)
    is_read: bool = False

    @property
    def is_open(self) -> bool:
        """Whether its next letter is not known yet."""
        return not self.letters and not (self.is_read and self.continuation is None)


class LetterListing:
    """Pages of dead letters. Raises StorageUnavailable."""

    def __init__(self, letters: DeadLetterStore) -> None:
        self._letters = letters

    def page(self, wanted: LetterFilter, top: int, place: Place | None = None) -> tuple[list[DeadLetter], Place | None]:
        """At most `top` letters without bodies, and where the next page begins; None at the end.

        The page may be shorter, or empty, and not the last, when the service took long to look.
        """
        place = place or Place()
        lanes = {
            name: _Lane(wanted.query(name, place.after), place.scans.get(name)) for name in self._letters.partitions()
        }
        size, queries = min(MOST_ROWS, top // 8 + 4), 0
        found: list[DeadLetter] = []
        while len(found) < top:
            while unread := [lane for lane in lanes.values() if lane.is_open]:
                if queries >= MOST_QUERIES:
                    return found, _still_looking(lanes, found, place)
                self._read(unread[0], size, wanted)
                queries += 1
            heads = [lane.letters for lane in lanes.values() if lane.letters]
            if not heads:
                return found, None
            found.append(min(heads, key=lambda letters: place_of(letters[0])).popleft())
        is_more = any(lane.letters or lane.continuation for lane in lanes.values())
        return found, Place(place_of(found[-1])) if is_more and found else None

    def _read(self, lane: _Lane, size: int, wanted: LetterFilter) -> None:
        page = self._letters.table.query(lane.query, None, size, lane.continuation)
        lane.is_read, lane.continuation = True, page.continuation
        lane.letters.extend(letter for row in page.rows if wanted.takes(letter := letter_of(row)))


def _still_looking(lanes: Mapping[str, _Lane], found: list[DeadLetter], place: Place) -> Place:
    """Where to go on when some partitions have not told their next letter."""
    scans = {name: lane.continuation for name, lane in lanes.items() if lane.is_open and lane.continuation}
    return Place(place_of(found[-1]) if found else place.after, scans)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

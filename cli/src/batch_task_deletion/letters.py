"""Dead letters by a filter: how many it takes, and one pass that redrives or settles them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from batch_task_deletion.client import Client
from batch_task_deletion.faults import AnswerLost, OutOfReach
from batch_task_deletion.find import object_of
from batch_task_deletion.patience import Patience

Filter = dict[str, Any]

MOST_COUNTED = 1_000
"""The most that one call of a dry run counts."""

MOST_A_CALL = 200
"""Taken by one call; small enough that a call is answered in seconds."""


@dataclass
class Count:
    """What a filter takes, and the instant before which a letter must have been seen first to count."""

    matched: int
    before: str | None
    documents: list[dict[str, Any]]
    """The answers of the dry run."""


@dataclass
class Pass:
    """One pass over the letters that a filter takes. `act` is `redrive` or `settle`."""

    client: Client
    act: str
    wanted: Filter
    most: int | None = None
    per_second: int | None = None
    matched: int = 0
    done: int = 0

    def count(self) -> Count:
        """How many letters the whole pass would take, by a dry run to its end."""
        count = Count(0, self.wanted.get("before"), [])
        every = {"most": MOST_COUNTED, "dryRun": True}
        for document in self._calls(lambda: self.wanted | _before(count.before) | every):
            count.matched += int(document.get("matched") or 0)
            count.before = count.before or document.get("before")
            count.documents.append(document)
        return count

    def carry_out(self, count: Count) -> Iterator[dict[str, Any]]:
        """Takes them, to the end of the pass or to `most` in all; the answers as they come."""
        self.wanted |= _before(count.before)
        for document in self._calls(self._next, lambda: self._taken_of(count.matched)):
            taken = int(document.get("matched") or 0)
            self.matched += taken
            self.done += int(document.get("redriven", document.get("settled", taken)) or 0)
            yield document

    def _next(self) -> Filter:
        speed = {} if self.per_second is None else {"perSecond": self.per_second}
        left = self._left()
        return self.wanted | speed | {"most": MOST_A_CALL if left is None else min(MOST_A_CALL, left)}

    def _left(self) -> int | None:
        return None if self.most is None else max(0, self.most - self.matched)

    def _taken_of(self, total: int) -> None:
        """After a lost answer: the letters that are missing now were taken, by the lost call at the worst."""
        taken = max(total - self.count().matched, self.matched)
        self.done += taken - self.matched
        self.matched = taken

    def _calls(self, body: Callable[[], Filter], lost: Callable[[], None] | None = None) -> Iterator[dict[str, Any]]:
        """The answers of one pass, each call going on where the one before ended.

        With a bound on the number, a lost answer is not simply asked for again: a repeat takes others, above the bound.
        """
        continuation: str | None = None
        seen: set[str] = set()
        bounded = lost is not None and self.most is not None
        patience = Patience()
        while True:
            if bounded and self._left() == 0:
                return
            asked = body() | ({} if continuation is None else {"continuation": continuation})
            try:
                document = object_of(self.client.post(f"/dead-letters/{self.act}", asked, once=bounded))
            except AnswerLost:
                pause = patience.pause(self.client.clock.now())
                if lost is None or pause is None:
                    raise
                self.client.clock.sleep(pause)
                lost()
                continue
            patience = Patience()
            yield document
            continuation = document.get("continuation")
            if not continuation:
                return
            if continuation in seen:
                raise OutOfReach("the app's pass over the dead letters goes round in a circle")
            seen.add(continuation)


def _before(instant: str | None) -> Filter:
    return {} if instant is None else {"before": instant}

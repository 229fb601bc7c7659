"""Dead letters that match a filter: counts them, and redrives or settles them in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from batch_task_deletion.client import Client
from batch_task_deletion.faults import AnswerLost, OutOfReach
from batch_task_deletion.find import object_of
from batch_task_deletion.retry import RetryWindow

Filter = dict[str, Any]

MOST_COUNTED = 1_000
"""The most letters that one dry-run call counts."""

MOST_A_CALL = 200
"""Letters per call: few enough that the app answers within seconds."""


@dataclass
class Count:
    """How many letters match. `before` excludes letters first seen after the count began."""

    matched: int
    before: str | None
    documents: list[dict[str, Any]]
    """The responses of the dry run."""


@dataclass
class Pass:
    """One pass over the letters that match a filter. `act` is `redrive` or `settle`."""

    client: Client
    act: str
    wanted: Filter
    most: int | None = None
    per_second: int | None = None
    matched: int = 0
    done: int = 0
    is_calling: bool = False
    """Whether an acting call has been sent and not yet answered: it may be carried out even if no answer arrives."""
    is_over: bool = False

    def count(self) -> Count:
        """How many letters the whole pass would act on, found by a dry run."""
        count = Count(0, self.wanted.get("before"), [])
        every = {"most": MOST_COUNTED, "dryRun": True}
        for document in self._calls(lambda: self.wanted | _before(count.before) | every):
            count.matched += int(document.get("matched") or 0)
            count.before = count.before or document.get("before")
            count.documents.append(document)
        return count

    def carry_out(self, count: Count) -> Iterator[dict[str, Any]]:
        """Acts on the letters, up to `most` in all, and yields the responses as they arrive."""
        self.wanted |= _before(count.before)
        for document in self._calls(self._next, lambda: self._taken_of(count.matched)):
            taken = int(document.get("matched") or 0)
            self.matched += taken
            self.done += int(document.get("redriven", document.get("settled", taken)) or 0)
            self.is_over = not document.get("continuation") or self._left() == 0
            yield document

    def _next(self) -> Filter:
        speed = {} if self.per_second is None else {"perSecond": self.per_second}
        left = self._left()
        return self.wanted | speed | {"most": MOST_A_CALL if left is None else min(MOST_A_CALL, left)}

    def _left(self) -> int | None:
        return None if self.most is None else max(0, self.most - self.matched)

    def _taken_of(self, total: int) -> None:
        """After a lost response: count again. Letters that no longer match were acted on, possibly by the lost call."""
        taken = max(total - self.count().matched, self.matched)
        self.done += taken - self.matched
        self.matched = taken
        self.is_calling = False

    def _calls(self, body: Callable[[], Filter], lost: Callable[[], None] | None = None) -> Iterator[dict[str, Any]]:
        """The responses of one pass; each call continues where the one before ended.

        With a limit, a call whose response was lost is not simply repeated: it would act on further letters.
        """
        continuation: str | None = None
        seen: set[str] = set()
        bounded = lost is not None and self.most is not None
        retries = RetryWindow()
        while True:
            if bounded and self._left() == 0:
                return
            asked = body() | ({} if continuation is None else {"continuation": continuation})
            try:
                self.is_calling = self.is_calling or not asked.get("dryRun")
                document = object_of(self.client.post(f"/dead-letters/{self.act}", asked, once=bounded))
                self.is_calling = self.is_calling and bool(asked.get("dryRun"))
            except AnswerLost:
                pause = retries.pause(self.client.clock.now())
                if lost is None or pause is None:
                    raise
                self.client.clock.sleep(pause)
                lost()
                continue
            retries = RetryWindow()
            yield document
            continuation = document.get("continuation")
            if not continuation:
                return
            if continuation in seen:
                raise OutOfReach("the app returned the same continuation twice")
            seen.add(continuation)


def _before(instant: str | None) -> Filter:
    return {} if instant is None else {"before": instant}

"""The requests that reached the service: one entry each, from its arrival on, and counters over all of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from devstack.batch.routes import UNKNOWN, Route
from devstack.http1 import Headers

_KEPT_HEADERS = (
    *("client-request-id", "return-client-request-id", "ocp-date"),
    *("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"),
    *("User-Agent", "Accept", "Content-Type", "Host"),
)


@dataclass
class Entry:
    """One request. It is complete once `status` is set or `dropped` is true."""

    number: int
    """The call's number in order of arrival, from 1; not reset by `clear`."""
    time: datetime
    method: str
    target: str
    """The path and query as sent."""
    headers: dict[str, str]
    """The headers of interest, by their usual names."""
    authorized: bool
    """Whether the call had an Authorization header; its value is not kept."""
    route: Route = UNKNOWN
    status: int | None = None
    code: str | None = None
    request_id: str = ""
    effect: str | None = None
    """What the call changed, `task-deleted` for instance; None: nothing."""
    fault: str | None = None
    """The fault rule that applied."""
    dropped: bool = False
    seconds: float | None = None
    """The time from arrival to the answer."""

    def document(self) -> dict[str, Any]:
        """The entry as the control API shows it."""
        shown = asdict(self)
        route = shown.pop("route")
        shown["requestId"] = shown.pop("request_id")
        return {**shown, **route, "time": self.time.isoformat()}


@dataclass
class Counters:
    """Sums since the start or the last `clear`."""

    requests: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    dropped: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)

    def document(self) -> dict[str, Any]:
        """The counters as the control API shows them."""
        return {
            "requests": self.requests,
            "inFlight": self.in_flight,
            "mostInFlight": self.most_in_flight,
            "dropped": self.dropped,
            "operations": dict(self.operations),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "effects": dict(self.effects),
        }


class Journal:
    """Entries in the order of arrival. A request that is still under way has an entry without a status."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._counters = Counters()
        self._arrived = 0
        self._started: dict[int, float] = {}
        self._changed = threading.Condition()

    def open(self, now: datetime, method: str, target: str, headers: Headers) -> Entry:
        """Adds an entry for a request that has arrived."""
        kept = {name: value for name in _KEPT_HEADERS if (value := headers.get(name)) is not None}
        with self._changed:
            self._arrived += 1
            entry = Entry(self._arrived, now, method, target, kept, headers.get("Authorization") is not None)
            self._entries.append(entry)
            self._started[entry.number] = time.monotonic()
            counters = self._counters
            counters.requests += 1
            counters.in_flight += 1
            counters.most_in_flight = max(counters.most_in_flight, counters.in_flight)
            return entry

    def route(self, entry: Entry, route: Route) -> None:
        """Adds what the request means to its entry; only then does `wait` see it."""
        with self._changed:
            entry.route = route
            self._counters.operations[route.operation] += 1
            self._changed.notify_all()

    def close(self, entry: Entry, status: int | None) -> None:
        """Completes the entry: the answer is about to be sent, or the connection is cut (None)."""
        with self._changed:
            entry.status, entry.dropped = status, status is None
            entry.seconds = round(time.monotonic() - self._started.pop(entry.number), 6)
            counters = self._counters
            counters.in_flight -= 1
            if status is None:
                counters.dropped += 1
            else:
                counters.statuses[status] += 1
            if entry.effect:
                counters.effects[entry.effect] += 1
            self._changed.notify_all()

    def entries(self, operation: str | None = None, job: str | None = None, task: str | None = None) -> list[Entry]:
        """Copies of the entries, oldest first, optionally of one operation, job or task."""
        with self._changed:
            return [replace(entry) for entry in self._entries if _fits(entry.route, operation, job, task)]

    def wait(
        self, count: int = 1, timeout: float = 10.0, *, operation: str | None = None, task: str | None = None
    ) -> list[Entry]:
        """Returns the entries as soon as there are `count` of them, answered or not; raises TimeoutError."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.entries(operation, None, task)) >= count, timeout)
        if not enough:
            raise TimeoutError(f"fewer than {count} requests arrived in {timeout} s")
        return self.entries(operation, None, task)

    def counters(self) -> Counters:
        """A copy of the counters."""
        with self._changed:
            now = self._counters
            return replace(
                now, operations=now.operations.copy(), statuses=now.statuses.copy(), effects=now.effects.copy()
            )

    def clear(self) -> None:
        """Removes the entries and resets the counters, except for requests that are under way."""
        with self._changed:
            self._entries.clear()
            in_flight = self._counters.in_flight
            self._counters = Counters(in_flight=in_flight, most_in_flight=in_flight)


def _fits(route: Route, operation: str | None, job: str | None, task: str | None) -> bool:
    pairs = ((route.operation, operation), (route.job, job), (route.task, task))
    return all(wanted is None or value.lower() == wanted.lower() for value, wanted in pairs)

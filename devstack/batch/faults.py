"""Simulated faults: rules that say which calls fail, in which way and how often."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from devstack.batch.errors import ServiceError, usual_code
from devstack.batch.protocol import error_answer
from devstack.batch.routes import OPERATIONS, Route
from devstack.http1 import Answer

_GATEWAY_PAGE = b"<html><body><h1>The gateway could not complete the request.</h1></body></html>"
_LONGEST_HOLD_SECONDS = 300.0


class InvalidFault(Exception):
    """Raised when a rule cannot be read; the text says what is wrong."""


_NOTHING = type(None)
# A value of the wrong type would break the call that the rule applies to, not the one that set the rule.
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("operation", "job", "task"), (str,)),
    **dict.fromkeys(("code", "message", "location", "body", "next_link"), (str, _NOTHING)),
    **dict.fromkeys(("drop", "hold", "after_effect"), (bool,)),
    **dict.fromkeys(("status", "times", "total_times"), (int, _NOTHING)),
    "retry_after": (str, int, float, _NOTHING),
    "headers": (Mapping,),
    "delay_seconds": (float, int),
    "skip": (int,),
}


@dataclass(frozen=True)
class FaultRule:
    """What happens to the calls that match. Globs ignore case; a rule's effects are combined.

    A rule that neither answers (`status`, `body`) nor drops lets the call through, perhaps with a delay.
    """

    operation: str = "task-delete"
    """A glob matched against the names in `routes.OPERATIONS`."""
    job: str = "*"
    task: str = "*"
    status: int | None = None
    code: str | None = None
    """Batch error code; by default the usual one of the status. Empty: a gateway's HTML page without any code."""
    message: str | None = None
    retry_after: str | float | None = None
    """The `Retry-After` header, seconds or an HTTP date."""
    location: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    """Sent unchanged in place of the error document."""
    next_link: str | None = None
    """Sent as `odata.nextLink` by a list call, in place of the real link."""
    drop: bool = False
    """Cut the connection instead of answering."""
    delay_seconds: float = 0.0
    hold: bool = False
    """Wait until the rule is released or removed, five minutes at most."""
    after_effect: bool = False
    """Let the call take effect before the fault applies."""
    skip: int = 0
    """How many calls on each target pass before the rule applies."""
    times: int | None = None
    """How many calls on each target the rule applies to; None: all."""
    total_times: int | None = None
    """How many calls on all targets together the rule applies to; None: all."""

    def __post_init__(self) -> None:
        if not any(fnmatchcase(name, str(self.operation)) for name in OPERATIONS):
            raise InvalidFault(f"operation: {self.operation!r} matches none of {', '.join(sorted(OPERATIONS))}")
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise InvalidFault(f"{name}: {value!r} is no {kinds[0].__name__}")

    @property
    def answers(self) -> bool:
        """Whether it replaces the real answer."""
        return self.drop or self.status is not None or self.body is not None

    def covers(self, route: Route) -> bool:
        """Whether it applies to a call."""
        pairs = ((route.operation, self.operation), (route.job, self.job), (route.task, self.task))
        return all(fnmatchcase(value.lower(), glob.lower()) for value, glob in pairs)

    def answer(self, base_url: str, request_id: str, now: datetime) -> Answer:
        """The answer that it gives instead of the real one."""
        status = self.status or 200
        code = usual_code(status) if self.code is None else self.code
        if self.body is not None or status < 300:
            answer = Answer(status, {"Content-Type": "application/json"}, (self.body or "").encode())
        elif code:
            error = ServiceError(code, status=status, text=self.message)
            answer = error_answer(error, base_url, request_id, now)
        else:
            answer = Answer(status, {"Content-Type": "text/html"}, _GATEWAY_PAGE)
        extra = {"Retry-After": self.retry_after, "Location": self.location}
        named = {name: str(value) for name, value in extra.items() if value is not None}
        return Answer(answer.status, {**answer.headers, **named, **self.headers}, answer.body)


class FaultBook:
    """The rules in force. The newest one that covers a call and is not used up applies to it."""

    def __init__(self) -> None:
        self._rules: dict[str, FaultRule] = {}
        self._released: dict[str, threading.Event] = {}
        self._seen: Counter[tuple[str, Route]] = Counter()
        self._bites: Counter[str] = Counter()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, rule: FaultRule) -> str:
        """Adds a rule; returns its id."""
        with self._lock:
            rule_id = f"fault-{next(self._ids)}"
            self._rules[rule_id] = rule
            self._released[rule_id] = threading.Event()
            return rule_id

    def rules(self) -> dict[str, tuple[FaultRule, int]]:
        """The rules by id, each with the number of calls that it has affected."""
        with self._lock:
            return {rule_id: (rule, self._bites[rule_id]) for rule_id, rule in self._rules.items()}

    def take(self, route: Route) -> tuple[str, FaultRule] | None:
        """The rule that applies to this call, which counts towards its times."""
        target = Route(route.operation, route.job.lower(), route.task.lower())
        with self._lock:
            for rule_id, rule in reversed(self._rules.items()):
                if rule.covers(route) and self._bite(rule_id, rule, target):
                    return rule_id, rule
        return None

    def linger(self, rule_id: str, rule: FaultRule) -> None:
        """Waits as the rule says: its delay, and until it is released if it holds calls."""
        if rule.delay_seconds:
            time.sleep(rule.delay_seconds)
        released = self._released.get(rule_id)
        if rule.hold and released is not None:
            released.wait(_LONGEST_HOLD_SECONDS)

    def release(self, rule_id: str) -> None:
        """Releases the calls that the rule holds, and later ones. Raises KeyError for an unknown id."""
        with self._lock:
            self._released[rule_id].set()

    def remove(self, rule_id: str | None = None) -> None:
        """Removes a rule, or all of them, and releases what it holds. An unknown id is no error."""
        with self._lock:
            for each in [rule_id] if rule_id is not None else list(self._rules):
                if self._rules.pop(each, None) is not None:
                    self._released.pop(each).set()

    def _bite(self, rule_id: str, rule: FaultRule, target: Route) -> bool:
        if rule.total_times is not None and self._bites[rule_id] >= rule.total_times:
            return False
        seen = self._seen[rule_id, target]
        self._seen[rule_id, target] += 1
        if seen < rule.skip or (rule.times is not None and seen >= rule.skip + rule.times):
            return False
        self._bites[rule_id] += 1
        return True

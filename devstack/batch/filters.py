"""The `$filter` of List Tasks: comparisons of a task's properties, joined by `and`, `or`, `not` and brackets.

The grammar is the part of OData that "OData filters in Batch" lists; per-property limits of the real service are not
kept, since they are not documented for every property.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from devstack.batch.errors import ServiceError
from devstack.batch.resources import Task

Predicate = Callable[[Task], bool]

_PROPERTIES: dict[str, Callable[[Task], Any]] = {
    "id": lambda task: task.id.lower(),
    "state": lambda task: task.state,
    "stateTransitionTime": lambda task: task.state_changed,
    "creationTime": lambda task: task.created,
    "lastModified": lambda task: task.last_modified,
    "displayName": lambda task: task.definition.get("displayName"),
    "executionInfo/exitCode": lambda task: task.exit_code,
    "executionInfo/startTime": lambda task: task.started,
    "executionInfo/endTime": lambda task: task.ended,
    "executionInfo/result": lambda task: task.result,
    "executionInfo/retryCount": lambda _: 0,
}
_WITHOUT_CASE = {"id", "state", "executionInfo/result"}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<instant>datetime'[^']*')|(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<word>[A-Za-z][\w/]*)|(?P<mark>[(),]))",
    re.IGNORECASE | re.ASCII,
)


def read_filter(text: str) -> Predicate:
    """The filter as a function of a task; raises InvalidQueryParameterValue when it cannot be read."""
    try:
        return _Reader(text).whole()
    except (ValueError, LookupError) as error:
        values = [("QueryParameterName", "$filter"), ("QueryParameterValue", text), ("Reason", str(error))]
        raise ServiceError("InvalidQueryParameterValue", values) from error


class _Reader:
    """Recursive descent: or < and < not < comparison."""

    def __init__(self, text: str) -> None:
        self._tokens = _split(text)
        self._at = 0

    def whole(self) -> Predicate:
        predicate = self._disjunction()
        if self._at < len(self._tokens):
            raise ValueError(f"unexpected {self._tokens[self._at][1]}")
        return predicate

    def _disjunction(self) -> Predicate:
        parts = [self._conjunction()]
        while self._skip("or"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda task: any(part(task) for part in parts)

    def _conjunction(self) -> Predicate:
        parts = [self._term()]
        while self._skip("and"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else lambda task: all(part(task) for part in parts)

    def _term(self) -> Predicate:
        if self._skip("not"):
            inner = self._term()
            return lambda task: not inner(task)
        if self._skip("("):
            inner = self._disjunction()
            self._need(")")
            return inner
        if self._skip("startswith"):
            return self._prefix()
        return self._comparison()

    def _prefix(self) -> Predicate:
        self._need("(")
        name = self._next("word")
        self._need(",")
        prefix = _literal(name, "text", self._next("text"))
        self._need(")")
        read = _PROPERTIES[name]
        return lambda task: str(read(task) or "").startswith(prefix)

    def _comparison(self) -> Predicate:
        name = self._next("word")
        read, compare = _PROPERTIES[name], _COMPARISONS[self._next("word").lower()]
        kind, raw = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        self._at += 1
        wanted = _literal(name, kind, raw)

        def holds(task: Task) -> bool:
            value = read(task)
            if value is None:
                return compare is operator.ne  # OData: null equals nothing and has no order
            return compare(value, wanted)

        _refuse_other_kinds(name, wanted)
        return holds

    def _skip(self, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][1].lower() == text:
            self._at += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._skip(text):
            raise ValueError(f"{text} expected")

    def _next(self, kind: str) -> str:
        found, raw = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if found != kind:
            raise ValueError(f"{kind} expected, not {raw or 'the end'}")
        self._at += 1
        return raw


def _split(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"unexpected {text[at:].strip()[:20]}")
        tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        at = match.end()
    return tokens


def _literal(name: str, kind: str, raw: str) -> Any:
    if kind == "instant":
        return datetime.fromisoformat(raw[len("datetime'") : -1])
    if kind == "number":
        return int(raw)
    if kind == "text":
        value = raw[1:-1].replace("''", "'")
        return value.lower() if name in _WITHOUT_CASE else value
    raise ValueError(f"value expected, not {raw or 'the end'}")


def _refuse_other_kinds(name: str, wanted: Any) -> None:
    if name.endswith("Time") or name == "lastModified":
        kind: type = datetime
    elif name.endswith(("exitCode", "retryCount")):
        kind = int
    else:
        kind = str
    if not isinstance(wanted, kind) or (isinstance(wanted, datetime) and wanted.tzinfo is None):
        raise ValueError(f"{name} cannot be compared with that")

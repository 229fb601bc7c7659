"""The language of `$filter`: comparisons of properties, joined by `and`, `or` and brackets.

It is the part of OData that "OData filters in Batch" lists, property by property and operator by operator
(https://learn.microsoft.com/rest/api/batchservice/odata-filters-in-batch). What the page does not list is refused: a
filter that only the simulator understands would hide a fault of the client.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from devstack.batch.errors import ServiceError
from devstack.batch.resources import Job, Task

Resource = TypeVar("Resource", Job, Task)

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
EQUALITY = frozenset({"eq", "ne"})
ORDER = frozenset(_COMPARISONS)
_TOKEN = re.compile(
    r"\s*(?:(?P<instant>datetime'[^']*')|(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<word>[A-Za-z][\w/]*)|(?P<mark>[(),]))",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Property(Generic[Resource]):
    """One property that a list can be filtered by."""

    read: Callable[[Resource], Any]
    kind: type
    """The type it is compared with: `str`, `int` or `datetime`."""
    operators: frozenset[str] = ORDER
    has_prefixes: bool = False
    """Whether `startswith` accepts it."""

    def literal(self, kind: str, raw: str) -> Any:
        """The value of a literal; raises ValueError if it is of another kind."""
        value: Any = None
        if kind == "instant":
            value = datetime.fromisoformat(raw[len("datetime'") : -1])
        elif kind == "number":
            value = int(raw)
        elif kind == "text":
            value = raw[1:-1].replace("''", "'")
        if not isinstance(value, self.kind) or (isinstance(value, datetime) and value.tzinfo is None):
            raise ValueError(f"{self.kind.__name__} expected, not {raw or 'the end'}")
        return value


Properties = Mapping[str, Property[Resource]]
Predicate = Callable[[Resource], bool]


def read_filter(text: str, properties: Properties[Resource]) -> Predicate[Resource]:
    """The filter as a function of a resource; raises InvalidQueryParameterValue when it cannot be read."""
    try:
        return _Reader(text, properties).whole()
    except ValueError as error:
        values = [("QueryParameterName", "$filter"), ("QueryParameterValue", text), ("Reason", str(error))]
        raise ServiceError("InvalidQueryParameterValue", values) from error


class _Reader(Generic[Resource]):
    """Recursive descent: or < and < comparison."""

    def __init__(self, text: str, properties: Properties[Resource]) -> None:
        self._tokens = _split(text)
        self._properties: Properties[Resource] = properties
        self._at = 0

    def whole(self) -> Predicate[Resource]:
        predicate = self._disjunction()
        if self._at < len(self._tokens):
            raise ValueError(f"unexpected {self._tokens[self._at][1]}")
        return predicate

    def _disjunction(self) -> Predicate[Resource]:
        parts = [self._conjunction()]
        while self._skip("or"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda resource: any(part(resource) for part in parts)

    def _conjunction(self) -> Predicate[Resource]:
        parts = [self._term()]
        while self._skip("and"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else lambda resource: all(part(resource) for part in parts)

    def _term(self) -> Predicate[Resource]:
        if self._skip("("):
            inner = self._disjunction()
            self._need(")")
            return inner
        if self._skip("startswith"):
            return self._prefix()
        return self._comparison()

    def _prefix(self) -> Predicate[Resource]:
        """Reads `startswith`, which is case-sensitive here: what the service does is undocumented."""
        self._need("(")
        name, found = self._property()
        if not found.has_prefixes:
            raise ValueError(f"startswith does not take {name}")
        self._need(",")
        prefix = found.literal("text", self._next("text"))
        self._need(")")
        return lambda resource: str(found.read(resource) or "").startswith(prefix)

    def _comparison(self) -> Predicate[Resource]:
        name, found = self._property()
        sign = self._next("word").lower()
        if sign not in found.operators:
            raise ValueError(f"{name} cannot be compared by {sign}")
        kind, raw = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        self._at += 1
        compare, wanted = _COMPARISONS[sign], _folded(found.literal(kind, raw))

        def holds(resource: Resource) -> bool:
            value = _folded(found.read(resource))
            if value is None:
                return sign == "ne"  # OData: null equals nothing and has no order
            return compare(value, wanted)

        return holds

    def _property(self) -> tuple[str, Property[Resource]]:
        name = self._next("word")
        if name not in self._properties:
            raise ValueError(f"{name} is none of {', '.join(sorted(self._properties))}")
        return name, self._properties[name]

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


def _folded(value: Any) -> Any:
    """The text as compared. Ids ignore letter case; public examples show `'Completed'` and `'Success'`."""
    return value.lower() if isinstance(value, str) else value


def _split(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"unexpected {text[at:].strip()[:20]}")
        tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        at = match.end()
    return tokens

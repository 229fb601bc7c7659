"""Strict JSON: nothing is dropped, coerced or guessed.

`json.loads` alone keeps the last of two equal keys, accepts NaN and `1e999`, decodes UTF-16,
and lets escaped control characters through; each of these is a fault here.
A fault is left in the tree as a `Fault`, so that one bad field or list item can be reported
while the rest is still read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import InvalidInput, Problem

MAX_DEPTH = 8
TOO_LARGE = "RequestBodyTooLarge"
"""Code of the InvalidInput for a body over its limit (HTTP answers 413, the rest 400)."""

MAX_OBJECTS = 8_000
MAX_VALUES = 80_000
"""Limits for one text, names not counted: more than twice what the largest useful body holds.

4 MiB of `{}` are 1.4 million objects, which would take seconds and some hundred MB before any item limit applies.
"""

_MAX_DIGITS = 40
_MAX_EXCERPT = 64
_MAX_POINTER = 256
_MAX_PROBLEMS = 20
# C0, DEL, C1 and lone surrogates. Control characters would forge log lines and break the XML of
# the queue service (one such message makes every receive on that queue fail); lone surrogates
# cannot be encoded at all.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Fault:
    """Stands in for a value that was refused, and says why."""

    text: str


def excerpt(text: str, most: int = _MAX_EXCERPT) -> str:
    """The text shortened for an error message or the log, with unprintable characters escaped."""
    return _cut("".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[: most + 1]), most)


def pointer(at: str, token: str | int) -> str:
    """The JSON pointer (RFC 6901) of a member; long keys and long pointers are shortened."""
    return _cut(f"{at}/{excerpt(str(token)).replace('~', '~0').replace('/', '~1')}", _MAX_POINTER)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def capped(problems: list[Problem], at: str = "") -> list[Problem]:
    """The first 20 problems and a count of the rest: error bodies and queue messages have little room."""
    more = len(problems) - _MAX_PROBLEMS
    return problems if more <= 0 else [*problems[:_MAX_PROBLEMS], Problem(at, f"has {more} more faults")]


def text_fault(text: str) -> str | None:
    """Why a string is refused anywhere in a request, or None when it is fine."""
    found = _FORBIDDEN.search(text)
    if found is None:
        return None
    kind = "a lone surrogate" if found.group() >= "\ud800" else "a control character"
    return f"contains {kind} (U+{ord(found.group()):04X})"


def parse(raw: bytes | str, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> object:
    """The value of a JSON text; raises InvalidInput with a pointer to each fault, and nothing else."""
    value = read(raw, max_bytes=max_bytes, max_depth=max_depth)
    refuse_faults(value)
    return value


def read(raw: bytes | str, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> object:
    """The value of a JSON text, with a `Fault` in place of each bad part.

    Raises InvalidInput only when nothing can be read: over `max_bytes`, not UTF-8, or not JSON.
    """
    text = _decoded(raw, max_bytes)
    if not text.strip():
        raise _whole("is empty")
    try:
        # strict=False lets raw control characters through, so that the check below can point at them.
        value = json.loads(
            text,
            strict=False,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=lambda name: Fault(f"is {name}, which is not a JSON number"),
            object_pairs_hook=_Objects().unique,
        )
    except json.JSONDecodeError as error:
        raise _whole(f"is not JSON (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise _whole(f"is nested deeper than {max_depth}") from None
    return _Marker().marked(value, max_depth)


def faults(value: object, at: str = "") -> Iterator[Problem]:
    """Every fault in a tree returned by `read`, with its pointer."""
    if isinstance(value, Fault):
        yield Problem(at, value.text)
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from faults(member, pointer(at, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from faults(member, pointer(at, index))


def refuse_faults(value: object, at: str = "") -> None:
    """Raise InvalidInput when a tree returned by `read` has a fault."""
    problems = list(faults(value, at))
    if problems:
        raise InvalidInput(capped(problems, at))


def _decoded(raw: bytes | str, max_bytes: int) -> str:
    size = len(raw) if isinstance(raw, bytes) else len(raw.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        raise InvalidInput([Problem("", f"is {size} bytes long; at most {max_bytes} are allowed")], TOO_LARGE)
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _whole(f"is not UTF-8 (byte {error.start})") from None
    if text.startswith("\ufeff"):
        # Some editors and .NET writers add it invisibly; RFC 8259, section 8.1, forbids it.
        raise _whole("begins with a byte order mark (U+FEFF), which JSON must not")
    return text


def _whole(text: str) -> InvalidInput:
    return InvalidInput([Problem("", text)])


def _integer(digits: str) -> int | Fault:
    # int() takes quadratic time, and raises ValueError above 4,300 digits.
    return int(digits) if len(digits) <= _MAX_DIGITS else Fault("is too large a number")


def _fraction(text: str) -> float | Fault:
    number = float(text)
    return number if math.isfinite(number) else Fault("is too large a number")


class _Objects:
    """Builds the objects of one text, and raises when there are too many."""

    def __init__(self) -> None:
        self._count = 0

    def unique(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        """The object, with a fault in place of each member whose name appears more than once."""
        self._count += 1
        if self._count > MAX_OBJECTS:
            raise _whole(f"holds more than {MAX_OBJECTS} objects")
        members = dict(pairs)
        if len(members) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    members[key] = Fault("appears more than once")
                seen.add(key)
        return members


class _Marker:
    """Replaces bad strings, members with bad names and values nested too deep by faults, in one text."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def marked(self, value: object, room: int) -> object:
        """The value with its faults marked; `room` is how many more levels it may have."""
        self._left -= 1
        if self._left < 0:
            raise _whole(f"holds more than {MAX_VALUES} values")
        if isinstance(value, str):
            fault = text_fault(value)
            return value if fault is None else Fault(fault)
        if not isinstance(value, dict | list):
            return value
        if room == 0:
            return Fault("is nested too deeply")
        if isinstance(value, list):
            return [self.marked(member, room - 1) for member in value]
        return {key: self._member(key, member, room - 1) for key, member in value.items()}

    def _member(self, key: str, value: object, room: int) -> object:
        fault = text_fault(key)
        return self.marked(value, room) if fault is None else Fault(f"has a name that {fault}")

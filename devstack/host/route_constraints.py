"""The inline constraints of ASP.NET Core route templates; a value that breaks one makes the route not match.

https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-constraints
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime

Constraint = Callable[[str], bool]

_CALL = re.compile(r"(?P<name>[A-Za-z]+)(?:\((?P<argument>.*)\))?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def parse_constraint(text: str) -> Constraint:
    """The check that one constraint such as `int` or `length(3,8)` stands for. Raises ValueError for an unknown one."""
    match = _CALL.fullmatch(text)
    name = match["name"].lower() if match else ""
    if match and match["argument"] is None and name in _PLAIN:
        return _PLAIN[name]
    if match and match["argument"] is not None and name in _WITH_ARGUMENT:
        return _WITH_ARGUMENT[name](match["argument"])
    raise ValueError(f"route constraint {text!r} is not known")


def _integer_of(bits: int) -> Constraint:
    bound = 2 ** (bits - 1)
    return lambda value: bool(re.fullmatch(r"[+-]?\d+", value)) and -bound <= int(value) < bound


def _is_guid(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True


def _is_datetime(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_number(value: str) -> bool:
    return bool(_NUMBER.fullmatch(value))


def _length(argument: str) -> Constraint:
    least, _, most = argument.partition(",")
    return lambda value: int(least) <= len(value) <= int(most or least)


def _range(argument: str) -> Constraint:
    least, _, most = argument.partition(",")
    is_long = _integer_of(64)
    return lambda value: is_long(value) and int(least) <= int(value) <= int(most)


def _min(argument: str) -> Constraint:
    return _range(f"{int(argument)},{2**63 - 1}")


def _max(argument: str) -> Constraint:
    return _range(f"{-(2**63)},{int(argument)}")


def _min_length(argument: str) -> Constraint:
    return lambda value: len(value) >= int(argument)


def _max_length(argument: str) -> Constraint:
    return lambda value: len(value) <= int(argument)


def _regex(argument: str) -> Constraint:
    # A template doubles braces and backslashes; ASP.NET searches, ignoring case.
    pattern = re.compile(argument.replace("{{", "{").replace("}}", "}"), re.IGNORECASE)
    return lambda value: bool(pattern.search(value))


_PLAIN: dict[str, Constraint] = {
    "int": _integer_of(32),
    "long": _integer_of(64),
    "bool": lambda value: value.lower() in ("true", "false"),
    "datetime": _is_datetime,
    "decimal": _is_number,
    "double": _is_number,
    "float": _is_number,
    "guid": _is_guid,
    "alpha": lambda value: bool(re.fullmatch(r"[A-Za-z]*", value)),
    "required": bool,
}
_WITH_ARGUMENT: dict[str, Callable[[str], Constraint]] = {
    "minlength": _min_length,
    "maxlength": _max_length,
    "length": _length,
    "min": _min,
    "max": _max,
    "range": _range,
    "regex": _regex,
}

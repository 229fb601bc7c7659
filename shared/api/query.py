"""The query of an HTTP call: names in any letter case, and no unknown parameters.

Ignoring a parameter would do something else than the caller intended: `?dryrun=true` would cancel the real request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from shared.errors import InvalidInput, Problem

# The host's own: https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
_OF_THE_HOST = frozenset({"code", "clientid"})


class Asked(Protocol):
    """What `read_query` needs of a call."""

    @property
    def query(self) -> Mapping[str, str]: ...

    @property
    def method(self) -> str: ...


def key(name: str) -> str:
    """The pointer to a parameter in an error."""
    return f"query:{name}"


def read_query(call: Asked, *known: str, elsewhere: Mapping[str, str] | None = None) -> dict[str, str]:
    """The parameters of the call, by the names in `known`. Raises InvalidInput, one problem for each unknown name.

    An empty value counts as absent, because the host drops it. `elsewhere` says, by names in lower case, where the call
    takes something that is not a parameter.
    """
    names = {name.lower(): name for name in known}
    there = {name: text for name, text in call.query.items() if text}
    unknown = [name for name in there if name.lower() not in names.keys() | _OF_THE_HOST]
    if unknown:
        usual = "a POST takes its fields in the body" if call.method == "POST" else ""
        problems = [_unknown(name, (elsewhere or {}).get(name.lower(), usual)) for name in unknown]
        raise InvalidInput(problems, "InvalidQueryParameterName")
    return {names[name.lower()]: text for name, text in there.items() if name.lower() in names}


def _unknown(name: str, right_place: str) -> Problem:
    return Problem(key(name), "is not a parameter of this operation" + (f"; {right_place}" if right_place else ""))


def boolean(query: Mapping[str, str], name: str) -> bool:
    """A parameter that is `true` or `false`; absent: false. Raises InvalidInput."""
    text = query.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise InvalidInput.at(key(name), "must be true or false")
    return text == "true"


def page_size(query: Mapping[str, str], default: int, most: int) -> int:
    """The parameter `top`: how many entries a page has at most. Raises InvalidInput."""
    text = query.get("top")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most):
        raise InvalidInput.at(key("top"), f"must be a whole number from 1 to {most}")
    return int(text)

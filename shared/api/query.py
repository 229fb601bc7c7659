"""The query of an HTTP call: names in any letter case, and nothing that the call does not know.

A parameter that is ignored does something else than was asked: `?dryrun=true` would cancel the real request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from shared.errors import InvalidInput, Problem

# The host's own: https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
_OF_THE_HOST = frozenset({"code", "clientid"})


class Asked(Protocol):
    """The parts of a call that its query is read by."""

    @property
    def query(self) -> Mapping[str, str]: ...

    @property
    def method(self) -> str: ...


def key(name: str) -> str:
    """How an error points at a parameter."""
    return f"query:{name}"


def read_query(call: Asked, *known: str) -> dict[str, str]:
    """The parameters that came, by the names given here. Raises InvalidInput, one problem for each unknown name.

    An empty value counts as absent: the host drops it on the way.
    """
    names = {name.lower(): name for name in known}
    there = {name: text for name, text in call.query.items() if text}
    unknown = [name for name in there if name.lower() not in names.keys() | _OF_THE_HOST]
    if unknown:
        hint = "; what a POST is to do stands in its body" if call.method == "POST" else ""
        problems = [Problem(key(name), f"is not a parameter of this operation{hint}") for name in unknown]
        raise InvalidInput(problems, "InvalidQueryParameterName")
    return {names[name.lower()]: text for name, text in there.items() if name.lower() in names}


def boolean(query: Mapping[str, str], name: str) -> bool:
    """A parameter that is `true` or `false`; absent: false. Raises InvalidInput."""
    text = query.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise InvalidInput.at(key(name), "must be true or false")
    return text == "true"

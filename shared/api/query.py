"""The query of an HTTP call: names in any letter case, and nothing that the call does not know.

A parameter that is ignored does something else than was asked: `?dryrun=true` would take the real request back.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import InvalidInput, Problem

# The host's own: https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
_OF_THE_HOST = frozenset({"code", "clientid"})


def read_query(query: Mapping[str, str], *known: str) -> dict[str, str]:
    """The parameters that came, by the names given here. Raises InvalidInput, one problem for each stranger."""
    names = {name.lower(): name for name in known}
    strangers = [name for name in query if name.lower() not in names.keys() | _OF_THE_HOST]
    if strangers:
        raise InvalidInput(
            [Problem(name, "is not a parameter of this operation") for name in strangers], "InvalidQueryParameterName"
        )
    return {names[name.lower()]: text for name, text in query.items() if name.lower() in names}


def boolean(query: Mapping[str, str], name: str) -> bool:
    """A parameter that is `true` or `false`; absent: false. Raises InvalidInput."""
    text = query.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise InvalidInput.at(name, "must be true or false")
    return text == "true"

"""List calls: which resources fall on a page, which properties are shown, and the link to the next page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic
from urllib.parse import quote, urlencode

from devstack.batch.errors import ServiceError
from devstack.batch.filters import Properties, Resource, read_filter

MOST_RESULTS = 1000
_SKIP_MARK = "1!/"  # holds marks that clients encode in different ways, as real tokens do


@dataclass(frozen=True)
class Page(Generic[Resource]):
    """The jobs or tasks of one page, and the skip token of the next one when there is one."""

    found: list[Resource]
    next_token: str | None


def cut_page(
    resources: Iterable[Resource], query: Mapping[str, str], properties: Properties[Resource]
) -> Page[Resource]:
    """The page that `$filter`, `maxresults` and `$skiptoken` ask for.

    The token names the last resource of the page before, not an offset, so deletions between pages hide nothing else.
    """
    matches = read_filter(query["$filter"], properties) if "$filter" in query else None
    most, after = read_max_results(query), _read_token(query.get("$skiptoken"))
    found: list[Resource] = []
    for resource in resources:
        if resource.sequence <= after or (matches and not matches(resource)):
            continue
        if len(found) == most:
            return Page(found, _token(found[-1].sequence))
        found.append(resource)
    return Page(found, None)


def next_link(base_url: str, path: str, query: Mapping[str, str], token: str) -> str:
    """The whole URL of the next page: the same call with another skip token."""
    return f"{base_url}{path}?{urlencode({**query, '$skiptoken': token}, safe='$', quote_via=quote)}"


def select(document: dict[str, Any], names: str | None) -> dict[str, Any]:
    """The properties that `$select` names, or all of them without one; `a/b` selects the whole of `a`."""
    if not names:
        return document
    wanted = {name.strip().partition("/")[0] for name in names.split(",")}
    return {name: value for name, value in document.items() if name in wanted}


def read_max_results(query: Mapping[str, str]) -> int:
    """`maxresults`, 1 to 1000, by default 1000."""
    text = query.get("maxresults", str(MOST_RESULTS))
    values = [("QueryParameterName", "maxresults"), ("QueryParameterValue", text)]
    if not (text.isascii() and text.lstrip("-").isdigit()):
        raise ServiceError("InvalidQueryParameterValue", values)
    if not 1 <= int(text) <= MOST_RESULTS:
        limits = [("MinimumAllowed", "1"), ("MaximumAllowed", str(MOST_RESULTS))]
        raise ServiceError("OutOfRangeQueryParameterValue", values + limits)
    return int(text)


def _token(sequence: int) -> str:
    return _SKIP_MARK + base64.b64encode(str(sequence).encode()).decode()


def _read_token(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.b64decode(token.removeprefix(_SKIP_MARK), validate=True))
    except ValueError as error:
        values = [("QueryParameterName", "$skiptoken"), ("QueryParameterValue", token)]
        raise ServiceError("InvalidQueryParameterValue", values) from error

"""The URLs of the Batch service, and the last guard before a token is asked for.

`quote` leaves dots alone and every HTTP client folds dot segments, so that a task id of `..` would
turn `DELETE /jobs/j1/tasks/..` into the deletion of the job. Hence two locks: the ids must keep their
grammar, and what the client library made of the URL must be the intended text to the letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote, urlencode, urlsplit

from shared.parsing import account_url, grammar

_MOST_CONTINUATION: Final = 8_192


class UnsafeTarget(Exception):
    """Raised when a call would not go where it is meant to; nothing has been sent then."""


def job_path(job_id: str) -> str:
    """Raises UnsafeTarget for an id that is none."""
    try:
        return f"/jobs/{quote(grammar.job_id(job_id), safe='')}"
    except ValueError:
        raise UnsafeTarget("the job id is not one that a URL may be built from") from None


def task_path(job_id: str, task_id: str) -> str:
    """Raises UnsafeTarget for an id that is none."""
    try:
        return f"{job_path(job_id)}/tasks/{quote(grammar.task_id(task_id), safe='')}"
    except ValueError:
        raise UnsafeTarget("the task id is not one that a URL may be built from") from None


def url_of(account: str, path: str, query: Mapping[str, str | int]) -> str:
    """A whole URL; blanks become `%20`, since only form bodies write them as `+`."""
    return f"{account}{path}?{urlencode(query, quote_via=quote, safe='')}"


def follow(continuation: str, account: str, path: str) -> str:
    """The URL of a listing's next page: its query from the service's link, all else from our own entry.

    Raises UnsafeTarget for a link to another account or another path.
    """
    refused = UnsafeTarget("the link to the next page leads to another place than the listing")
    if len(continuation) > _MOST_CONTINUATION or not continuation.isascii() or not continuation.isprintable():
        raise refused
    try:
        link = urlsplit(continuation)
        same_account = account_url.canonical(f"{link.scheme}://{link.netloc}") == account
    except ValueError:
        raise refused from None
    # Ids are compared without letter case by the service, which may spell the path its own way.
    if not same_account or link.fragment or unquote(link.path).lower() != unquote(path).lower():
        raise refused
    return f"{account}{path}?{link.query}"


def check(prepared_url: str | None, account: str, path: str) -> None:
    """Raises UnsafeTarget unless the prepared URL has exactly this account and path."""
    if prepared_url is None or prepared_url.partition("?")[0] != account + path or "#" in prepared_url:
        raise UnsafeTarget("the prepared URL is not the intended one")

"""The URLs of the Batch service, and the last check before a token is requested.

`quote` leaves dots alone and every HTTP client folds dot segments, so a task id of `..` would turn
`DELETE /jobs/j1/tasks/..` into a deletion of the job. Hence two locks: ids must match their grammar,
and the URL that the client library prepared must equal the intended one exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote, urlencode, urlsplit

from shared.parsing import account_url, grammar

_MOST_CONTINUATION: Final = 8_192


class UnsafeTarget(Exception):
    """Raised when a call would go somewhere else than intended; nothing has been sent."""


def job_path(job_id: str) -> str:
    """The path of a job. Raises UnsafeTarget for an invalid id."""
    try:
        return f"/jobs/{quote(grammar.job_id(job_id), safe='')}"
    except ValueError:
        raise UnsafeTarget("the job id is not safe in a URL") from None


def task_path(job_id: str, task_id: str) -> str:
    """The path of a task. Raises UnsafeTarget for an invalid id."""
    try:
        return f"{job_path(job_id)}/tasks/{quote(grammar.task_id(task_id), safe='')}"
    except ValueError:
        raise UnsafeTarget("the task id is not safe in a URL") from None


def url_of(account: str, path: str, query: Mapping[str, str | int]) -> str:
    """A complete URL; spaces become `%20`, since only form bodies write them as `+`."""
    return f"{account}{path}?{urlencode(query, quote_via=quote, safe='')}"


def follow(continuation: str, account: str, path: str) -> str:
    """The URL of a listing's next page: the query from the service's link, the rest from our allow-list entry.

    Raises UnsafeTarget for a link to another account or another path.
    """
    refused = UnsafeTarget("the link to the next page points outside the listing")
    if len(continuation) > _MOST_CONTINUATION or not continuation.isascii() or not continuation.isprintable():
        raise refused
    try:
        link = urlsplit(continuation)
        same_account = account_url.canonical(f"{link.scheme}://{link.netloc}") == account
    except ValueError:
        raise refused from None
    # The service ignores case in ids, and may spell the path differently.
    if not same_account or link.fragment or unquote(link.path).lower() != unquote(path).lower():
        raise refused
    return f"{account}{path}?{link.query}"


def check(prepared_url: str | None, account: str, path: str) -> None:
    """Raises UnsafeTarget unless the prepared URL has exactly this account and path."""
    if prepared_url is None or prepared_url.partition("?")[0] != account + path or "#" in prepared_url:
        raise UnsafeTarget("the prepared URL is not the intended one")

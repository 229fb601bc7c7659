"""Pages of an account's jobs, which sweeps read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.batch.answer import items_in
from shared.batch.reply import Reply

MOST_JOBS: Final = 1_000
"""The service's own maximum for one page."""
JOBS_QUERY: Final[Mapping[str, str | int]] = {
    "$select": "id,state,metadata,usesTaskDependencies",
    "maxresults": MOST_JOBS,
}
"""No filter by id: patterns ignore case, and whether the service's `startswith` does is not documented."""


@dataclass(frozen=True)
class ListedJob:
    """One job of a page: the fields that policies need."""

    id: str
    state: str
    """In lower case: `active`, `completed`, ..."""
    metadata: tuple[tuple[str, str], ...] = ()
    uses_dependencies: bool = False
    is_readable: bool = True
    """False when its state or its owner's marks could not be read, so nobody knows whether it may be touched."""


@dataclass(frozen=True)
class JobPage:
    """A page of jobs, empty unless `reply` is a 2xx."""

    reply: Reply
    jobs: tuple[ListedJob, ...] = ()
    continuation: str | None = None
    """The service's link to the next page; None on the last one."""

    @classmethod
    def of(cls, reply: Reply) -> JobPage:
        """The page in a reply; a 2xx without a readable page counts as unanswered."""
        reply, items, link = items_in(reply, "list of jobs")
        jobs = (_job(item) for item in items if isinstance(item, dict) and isinstance(item.get("id"), str))
        return cls(reply, tuple(jobs), link)


def _job(item: dict[str, Any]) -> ListedJob:
    state, dependencies = item.get("state"), item.get("usesTaskDependencies")
    metadata = _metadata(item.get("metadata"))
    if not isinstance(state, str) or not (dependencies is None or isinstance(dependencies, bool)) or metadata is None:
        return ListedJob(item["id"], "", metadata or (), is_readable=False)
    return ListedJob(item["id"], state.lower(), metadata, dependencies is True)


def _metadata(value: object) -> tuple[tuple[str, str], ...] | None:
    """The name-value pairs, or None when the value is not a list of them."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return None
    pairs = [(entry.get("name"), entry.get("value")) for entry in value]
    # A name without a value is not a mark; a value of another type may hide one.
    if not all(isinstance(name, str) and isinstance(text, str | None) for name, text in pairs):
        return None
    return tuple((name, text or "") for name, text in pairs)

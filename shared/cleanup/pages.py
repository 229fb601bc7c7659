"""What a clean-up's row records of a page, so that a repeated step makes the same requests and counts them once. Pure.

The requests of a clean-up without delays have no rows before their first claim: the clean-up's row counts them, and
keeps the ids of its last page. All other requests are counted when their rows are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from shared.batch.listing import TaskPage, mark_of
from shared.cleanup.record import Cleanup, Phase
from shared.request.model import DeletionRequest

ID_BYTES = 6
"""Bytes kept of an id, which is a hash. Two ids on consecutive pages share them once in 10^8 repeats."""


def is_recorded(cleanup: Cleanup, continuation: str | None) -> bool:
    """Whether the row already records this page: an earlier run of its step died after writing it.

    After a wait or a failure, the row still names this page as the next one.
    """
    return cleanup.phase is Phase.LISTING and (cleanup.next_page is None or continuation != cleanup.next_page)


def leads_back(cleanup: Cleanup, link: str | None) -> bool:
    """Whether a link to the next page has been followed before, so that the listing would never end.

    Brent's way: one link is remembered, and replaced at steps 0, 1, 2, 4, 8 and so on, so a row stays small and any
    cycle is found.
    """
    return link is not None and mark_of(link) == cleanup.link_mark


def followed(cleanup: Cleanup, link: str | None) -> Cleanup:
    """The row with the link to the next page, before the current step is recorded as done."""
    is_remembered = link is not None and cleanup.step & (cleanup.step - 1) == 0
    return replace(cleanup, next_page=link, link_mark=mark_of(link) if link and is_remembered else cleanup.link_mark)


def recorded(cleanup: Cleanup, page: TaskPage, requests: Sequence[DeletionRequest], now: datetime) -> Cleanup:
    """The row with a new page recorded."""
    return replace(
        followed(cleanup, page.continuation),
        skipped=cleanup.skipped + len(page.tasks) - len(requests),
        first_listed_at=cleanup.first_listed_at or now,
        asked=0 if cleanup.with_rows else cleanup.asked + len(requests),
        page_ids=b"" if cleanup.with_rows else b"".join(map(_short, requests)),
    )


def asked_again(cleanup: Cleanup, requests: Sequence[DeletionRequest]) -> list[DeletionRequest]:
    """Of the requests of a page that is listed again, those that the row has recorded.

    If some of its tasks are gone by then, the page includes tasks of the next one. Requests with rows are counted once
    in any case.
    """
    if cleanup.with_rows:
        return list(requests)
    ids = cleanup.page_ids
    known = {ids[start : start + ID_BYTES] for start in range(0, len(ids), ID_BYTES)}
    return [request for request in requests if _short(request) in known]


def _short(request: DeletionRequest) -> bytes:
    return UUID(request.client_request_id).bytes[:ID_BYTES]

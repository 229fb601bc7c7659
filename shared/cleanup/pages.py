"""What a clean-up's row records of a page, so that a repeated step makes the same requests and counts them once. Pure.

The requests of a clean-up without delays have no rows before their first claim: the clean-up's row counts them, and
keeps the ids of its last page. All other requests are counted when their rows are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from shared.batch.listing import TaskPage
from shared.cleanup.record import Cleanup, Phase
from shared.request.model import DeletionRequest

ID_BYTES = 6
"""Bytes kept of an id, which is a hash. Two ids on consecutive pages share them once in 10^8 repeats."""


def is_recorded(cleanup: Cleanup, continuation: str | None) -> bool:
    """Whether the row already records this page: an earlier run of its step died after writing it.

    After a wait or a failure, the row still names this page as the next one.
    """
    return cleanup.phase is Phase.LISTING and (cleanup.next_page is None or continuation != cleanup.next_page)


def recorded(cleanup: Cleanup, page: TaskPage, requests: Sequence[DeletionRequest], now: datetime) -> Cleanup:
    """The row with a new page recorded."""
    return replace(
        cleanup,
        skipped=cleanup.skipped + len(page.tasks) - len(requests),
        next_page=page.continuation,
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

"""What is remembered of a page of tasks, so that a repeat asks for just the same and counts it once. Pure.

The requests of a clean-up that is carried out at once have no rows before their first claim: the clean-up's own row
counts them, and names those of its last page. All others are counted with their rows.
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
"""Of a derived id, which is a hash: two of a page and the next with the same ones come once in 10^8 repeats."""


def is_recorded(cleanup: Cleanup, continuation: str | None) -> bool:
    """Whether the row already records this page: an earlier run of its step died after writing it.

    A row that was written while waiting or after a failure still names this page as the one to come.
    """
    return cleanup.phase is Phase.LISTING and (cleanup.next_page is None or continuation != cleanup.next_page)


def recorded(cleanup: Cleanup, page: TaskPage, requests: Sequence[DeletionRequest], now: datetime) -> Cleanup:
    """The row with a page that it did not know."""
    return replace(
        cleanup,
        skipped=cleanup.skipped + len(page.tasks) - len(requests),
        next_page=page.continuation,
        first_listed_at=cleanup.first_listed_at or now,
        asked=0 if cleanup.with_rows else cleanup.asked + len(requests),
        page_ids=b"" if cleanup.with_rows else b"".join(map(_short, requests)),
    )


def asked_again(cleanup: Cleanup, requests: Sequence[DeletionRequest]) -> list[DeletionRequest]:
    """Of a page that was listed again, those that the row records.

    With some of its tasks gone by then, a page reaches into the next one. What has a row is counted once anyway.
    """
    if cleanup.with_rows:
        return list(requests)
    ids = cleanup.page_ids
    known = {ids[start : start + ID_BYTES] for start in range(0, len(ids), ID_BYTES)}
    return [request for request in requests if _short(request) in known]


def _short(request: DeletionRequest) -> bytes:
    return UUID(request.client_request_id).bytes[:ID_BYTES]

"""The Batch service as the rest of the app sees it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from shared.batch.job_listing import JobPage
from shared.batch.listing import TaskPage, TaskState
from shared.batch.reply import Reply
from shared.clock import TimeBox
from shared.request.model import DeletionRequest


class Lists(Protocol):
    """The lists of an account. Nothing is raised: the reply says what happened."""

    def list_jobs(self, account: str, continuation: str | None, box: TimeBox) -> JobPage: ...

    def list_completed_tasks(
        self, account: str, job_id: str, continuation: str | None, box: TimeBox, *, ended_by: datetime | None = None
    ) -> TaskPage:
        """With `ended_by`, tasks that ended later may be left out."""


class Batch(Lists, Protocol):
    """One deletion and the reads around it. Nothing is raised: the reply says what happened."""

    def delete(self, request: DeletionRequest, box: TimeBox) -> Reply: ...

    def get_task(self, request: DeletionRequest, box: TimeBox) -> Reply: ...

    def get_job(self, account: str, job_id: str, box: TimeBox) -> tuple[Reply, str | None]: ...

    def look_at_task(self, account: str, job_id: str, task_id: str, box: TimeBox) -> tuple[Reply, TaskState | None]: ...

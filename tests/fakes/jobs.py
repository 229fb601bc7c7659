"""A job whose tasks are to be deleted as a whole, and what says so."""

from __future__ import annotations

import uuid
from typing import Any

from tests.fakes.app import World

JOB = "render-7"
RECORD: dict[str, Any] = {
    "time": "2026-11-24T08:00:01Z",
    "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.BATCH/BATCHACCOUNTS/ACCT",
    "operationName": "TaskCompleteEvent",
    "properties": {"jobId": JOB, "id": "t-0003"},
}
"""A diagnostic record about one task of the job."""


def job_world(job_id: str = JOB) -> World:
    """An app, and a job of 25 completed tasks listed in pages of 10."""
    world = World()
    world.batch.seed(job_id, 25)
    world.batch.page_size = 10
    return world


def job_event(job_id: str = JOB, **fields: Any) -> dict[str, Any]:
    """A bare event for a job, with a fresh id."""
    return {"clientRequestId": str(uuid.uuid4()), "jobId": job_id} | fields

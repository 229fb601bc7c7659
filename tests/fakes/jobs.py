"""Messages which say that the tasks of a job, or one of them, may be deleted."""

from __future__ import annotations

import uuid
from typing import Any

JOB = "render-7"
RECORD: dict[str, Any] = {
    "time": "2026-11-24T08:00:01Z",
    "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.BATCH/BATCHACCOUNTS/ACCT",
    "operationName": "TaskCompleteEvent",
    "properties": {"jobId": JOB, "id": "t-0003"},
}
"""A diagnostic record about one task of the job."""


def job_event(job_id: str = JOB, **fields: Any) -> dict[str, Any]:
    """A bare event for a job, with a new id."""
    return {"clientRequestId": str(uuid.uuid4()), "jobId": job_id} | fields

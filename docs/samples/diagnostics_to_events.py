"""Turns Batch's diagnostic records, as an Event Hub carries them, into one job-completion event for each job.

Batch reports the end of tasks and never that of a job. So the first record of a job makes the event, and the app
waits until Batch itself says that the job is completed. Later records make the same event again: duplicates.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5


def job_events(bodies: Iterable[bytes], account_urls: Mapping[str, str]) -> list[str]:
    """The events of the jobs that the records are about; `account_urls` by the account's name in lower case."""
    events: dict[str, str] = {}
    for body in bodies:
        # Azure Monitor puts many records into one message of the hub.
        for record in json.loads(body)["records"]:
            if record["operationName"] == "TaskCompleteEvent":
                event = _job_event(record, account_urls)
                events[event["clientRequestId"]] = json.dumps(event)
    return list(events.values())


def _job_event(record: Mapping[str, Any], account_urls: Mapping[str, str]) -> dict[str, Any]:
    account = record["resourceId"].rpartition("/")[2].lower()
    job_id = record["properties"]["jobId"]
    return {
        "clientRequestId": str(uuid5(NAMESPACE_URL, f"{account_urls[account]}/jobs/{job_id}")),
        "jobId": job_id,
        "batchUrl": account_urls[account],
        "requireJobCompleted": True,
    }

"""Turns Batch's diagnostic records, as an Event Hub carries them, into one job-completion event for each job.

Batch reports the end of tasks and never that of a job. So the first record of a job makes the event, and the app
waits until Batch itself says that the job is completed. Later records make the same event again: duplicates.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

log = logging.getLogger(__name__)

KEEP = {"succeeded": "P3D", "failed": "P7D"}
"""As in job_manager_done.py: a job that reports both ways has one id, and so must ask for one thing."""


def job_events(bodies: Iterable[bytes], account_urls: Mapping[str, str]) -> list[str]:
    """The events of the jobs that the records are about; `account_urls` by the account's resource id in lower case.

    By the whole id, since two regions may each have an account of one name.
    What is no record of a completed task in one of the accounts is left out; what looks like none at all is logged.
    """
    records = (record for body in bodies for record in _records(body))
    events = (event for record in records if (event := _job_event(record, account_urls)))
    return list({event["clientRequestId"]: json.dumps(event) for event in events}.values())


def _records(body: bytes) -> list[Any]:
    """Azure Monitor puts many records into one message of the hub."""
    try:
        return list(json.loads(body)["records"])
    except (ValueError, LookupError, TypeError) as fault:
        log.warning("message_skipped fault=%r", fault)
        return []


def _job_event(record: Any, account_urls: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        if record["operationName"] != "TaskCompleteEvent":
            return None
        account_url = account_urls[record["resourceId"].lower()]
        job_id = record["properties"]["jobId"]
    except (LookupError, TypeError, AttributeError) as fault:
        log.warning("record_skipped fault=%r", fault)
        return None
    return {
        "clientRequestId": str(uuid5(NAMESPACE_URL, f"{account_url}/jobs/{job_id}")),
        "jobId": job_id,
        "batchUrl": account_url,
        "deleteAfter": KEEP,
    }

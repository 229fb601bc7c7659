"""Turns Batch's diagnostic records, as an Event Hub carries them, into one job-completion event for each job.

Batch reports the end of tasks, but never the end of a job. So the first record of a job produces the event, and the app
waits until Batch says that the job is completed. Later records produce the same event again, which is a duplicate.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

log = logging.getLogger(__name__)

KEEP = {"succeeded": "P3D", "failed": "P7D"}
"""As in job_manager_done.py: events of both kinds have the same id for a job, so they must have the same payload."""


def job_events(bodies: Iterable[bytes], account_urls: Mapping[str, str]) -> list[str]:
    """The events for the jobs in the records. `account_urls` is by the account's resource id, in lower case.

    The whole id is needed, because accounts in different regions may have the same name.
    Anything but the end of a task in one of these accounts is skipped; what cannot be read as a record is also logged.
    """
    records = (record for body in bodies for record in _records(body))
    events = (event for record in records if (event := _job_event(record, account_urls)))
    return list({event["clientRequestId"]: json.dumps(event) for event in events}.values())


def _records(body: bytes) -> list[Any]:
    """The records of one message; Azure Monitor puts many into each."""
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

"""For the end of a job-manager task: requests the deletion of its job's completed tasks.

Needs azure-identity and azure-storage-queue on the node, and a pool whose user-assigned identity may send to the
queue. Batch sets AZ_BATCH_JOB_ID and AZ_BATCH_ACCOUNT_URL on every task.
"""

from __future__ import annotations

import json
import os
from uuid import NAMESPACE_URL, uuid5

from azure.identity import ManagedIdentityCredential
from azure.storage.queue import QueueClient


def job_completed(account_url: str, job_id: str) -> str:
    """The event. If the task runs twice, both events have the same id, and the second is a duplicate."""
    account_url = account_url.rstrip("/")
    event = {
        "clientRequestId": str(uuid5(NAMESPACE_URL, f"{account_url}/jobs/{job_id}")),
        "jobId": job_id,
        "batchUrl": account_url,
        "deleteAfter": {"succeeded": "P3D", "failed": "P7D"},
    }
    return json.dumps(event)


def main() -> None:
    """Sends it. The job is not completed while this task runs; the app waits until it is."""
    credential = ManagedIdentityCredential(client_id=os.environ["SENDER_CLIENT_ID"])
    with QueueClient.from_queue_url(os.environ["JOB_COMPLETION_QUEUE_URL"], credential) as queue:
        # -1: the message does not expire. By default, the service drops messages after seven days.
        queue.send_message(
            job_completed(os.environ["AZ_BATCH_ACCOUNT_URL"], os.environ["AZ_BATCH_JOB_ID"]), time_to_live=-1
        )


if __name__ == "__main__":
    main()

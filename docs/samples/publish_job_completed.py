"""Publishes a job's end to a custom Event Grid topic, whose subscription puts it on the job-completion queue.

Needs azure-identity and requests, and the role EventGrid Data Sender on the topic (infra/app/event-grid.bicep).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import requests
from azure.identity import DefaultAzureCredential

EVENT_TYPE = "Pipeline.JobCompleted"
"""The only type that the subscription passes: the app starts a clean-up for every event that it gets."""


def job_completed(account_url: str, job_id: str, ended_at: datetime) -> dict[str, object]:
    """The CloudEvent. `source` and `id` make its identity: sent twice, it is one event. `batchUrl` selects the account."""
    account_url = account_url.rstrip("/")
    return {
        "specversion": "1.0",
        "id": f"{job_id}-{ended_at:%Y%m%dT%H%M%SZ}",
        "source": account_url,
        "type": EVENT_TYPE,
        "subject": f"jobs/{job_id}",
        "time": ended_at.isoformat(),
        "datacontenttype": "application/json",
        "data": {"jobId": job_id, "batchUrl": account_url, "select": "succeeded"},
    }


def main(endpoint: str, account_url: str, job_id: str) -> None:
    """Publishes the event. Raises requests.HTTPError if the topic refuses it."""
    token = DefaultAzureCredential().get_token("https://eventgrid.azure.net/.default").token
    answer = requests.post(
        endpoint,
        params={"api-version": "2018-01-01"},
        json=[job_completed(account_url, job_id, datetime.now(UTC))],
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/cloudevents-batch+json; charset=utf-8",
        },
        timeout=30,
    )
    answer.raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])

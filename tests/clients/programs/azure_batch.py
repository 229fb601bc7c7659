"""The official azure-batch client deletes through the app, whose address is its account and whose key a policy adds."""

from __future__ import annotations

import os
import uuid
from typing import Any

import requests
from azure.batch import BatchClient
from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

URL, KEY = os.environ["FUNCTION_URL"], os.environ["FUNCTION_KEY"]
JOB = f"py-{uuid.uuid4().hex[:8]}"
VERSIONS = ("2024-07-01.20.0", "2025-06-01")


class FunctionKey(SansIOHTTPPolicy[Any, Any]):
    """Adds the app's key, and allows calls without TLS, which only go to the local stack."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.headers["x-functions-key"] = KEY
        request.context.options["enforce_https"] = False


class NoToken:
    """A credential for the client, whose token the app does not read."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken("none", 2**31)


def main() -> None:
    """Deletes tasks, and checks that the answers are those of Batch."""
    jobs = [{"id": JOB, "state": "completed", "tasks": {"count": 4, "prefix": "task-", "first": 0}}]
    requests.post(f"{os.environ['BATCH_CONTROL_URL']}/jobs", json=jobs, timeout=60).raise_for_status()
    for index, version in enumerate(VERSIONS):
        options: dict[str, Any] = {"api_version": version, "per_call_policies": [FunctionKey()], "retry_total": 0}
        with BatchClient(f"{URL}/api", NoToken(), **options) as batch:
            delete(batch, f"task-{index}")


def delete(batch: BatchClient, task: str) -> None:
    """Deletes one task, deletes it again as not found, and keeps another by its condition."""
    batch.delete_task(JOB, task, service_timeout=15)
    expect(404, "TaskNotFound", lambda: batch.delete_task(JOB, task))
    expect(
        412,
        "ConditionNotMet",
        lambda: batch.delete_task(JOB, "task-3", etag='"0x1"', match_condition=MatchConditions.IfNotModified),
    )


def expect(status: int, code: str, call: Any) -> None:
    """Raises RuntimeError unless the call raises the error with this code."""
    try:
        call()
    except HttpResponseError as error:
        found = (error.status_code, error.error.code if error.error else None)
        if found != (status, code) or (status == 404) != isinstance(error, ResourceNotFoundError):
            raise RuntimeError(f"{found} in place of {(status, code)}") from error
        return
    raise RuntimeError(f"no error in place of {code}")


if __name__ == "__main__":
    main()

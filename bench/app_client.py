"""The app's own client of the Batch service, as the app configures it; the only module here that knows how."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from shared.batch.client import BatchClient
from shared.batch.transport import batch_session
from shared.clock import SystemClock, TimeBox
from shared.request.model import DeletionRequest

API_VERSION = "2024-07-01.20.0"
SECONDS = 60


class _Tokens:
    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token

    def renewed(self, stale: str) -> str:
        return self._token


def delete_call(url: str, ca: str | None, threads: int, token: str) -> Callable[[], int | None]:
    """A call that deletes a task and returns the status; None if nothing was sent."""
    clock = SystemClock()
    client = BatchClient(
        batch_session(threads, ca),
        _Tokens(token),
        accounts=(url,),
        api_version=API_VERSION,
        clock=clock,
        max_concurrency=threads,
    )

    def call() -> int | None:
        wire = {"clientRequestId": str(uuid.uuid4()), "jobId": "bench", "taskId": "task-1", "batchUrl": url}
        request = DeletionRequest.model_validate(wire, by_alias=True, by_name=False)
        return client.delete(request, TimeBox.lasting(SECONDS, clock)).status

    return call

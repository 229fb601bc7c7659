"""What the tests of the Batch client share: requests, tokens, time boxes, and a client for any account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.batch.client import BatchClient
from shared.batch.transport import batch_session
from shared.clock import Clock, SystemClock, TimeBox
from shared.errors import TokenUnavailable
from shared.request.model import DeletionRequest

API_VERSION = "2024-07-01.20.0"
REQUEST_ID = "7d9c1a3e-0f4b-4c55-9d8e-2b6f0a1c3d4e"


@dataclass
class CountedTokens:
    """Counts how often a token is asked for; each refused token is replaced by the next of `renewals`, if any."""

    current: str | None = "first-token"
    renewals: list[str] = field(default_factory=list)
    asked: int = 0

    def token(self) -> str:
        """The current token; raises TokenUnavailable if there is none."""
        self.asked += 1
        if self.current is None:
            raise TokenUnavailable("the identity endpoint is down")
        return self.current

    def renewed(self, stale: str) -> str:
        """The token that replaces a refused one."""
        if self.current == stale:
            self.current = self.renewals.pop(0) if self.renewals else None
        return self.token()


def deletion(account: str, **fields: Any) -> DeletionRequest:
    """An unvalidated deletion request, so that tests can pass values that validation would refuse."""
    known = {"client_request_id": REQUEST_ID, "job_id": "job1", "task_id": "task1", "batch_url": account}
    return DeletionRequest.model_construct(**{**known, **fields})


def within(seconds: float, *, start: float | None = None, clock: Clock | None = None) -> TimeBox:
    """A time box of so many seconds from now, in whose first `start` seconds the call must begin."""
    now = (clock or SystemClock()).monotonic()
    return TimeBox(now + (seconds if start is None else start), now + seconds)


def client(
    account: str,
    tokens: Any = None,
    *,
    clock: Clock | None = None,
    max_concurrency: int = 8,
    ca_file: str | None = None,
) -> BatchClient:
    """A client whose allow list has one account."""
    return BatchClient(
        batch_session(max_concurrency, ca_file),
        CountedTokens() if tokens is None else tokens,
        accounts=[account],
        api_version=API_VERSION,
        clock=clock or SystemClock(),
        max_concurrency=max_concurrency,
    )

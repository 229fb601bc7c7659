"""The simulated Batch service of one account: its HTTP server, and the object by which tests control it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from devstack.batch.access import AUDIENCE, Gate
from devstack.batch.account import Account
from devstack.batch.control import PREFIX, Service, answer_control
from devstack.batch.errors import ServiceError
from devstack.batch.exchange import Exchange
from devstack.batch.faults import FaultBook, FaultRule
from devstack.batch.journal import Entry, Journal
from devstack.batch.seeding import read_job_seed
from devstack.http1 import Answer, Incoming
from devstack.loopback import LoopbackServer
from devstack.tokens import DEFAULT_SIGNING_KEY

API_VERSION = "2024-07-01.20.0"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class BatchSimulator:
    """One Batch account on 127.0.0.1, as a context manager or between `start` and `stop`.

    `latency_seconds` is added to every call; `transition_seconds` is how long jobs take to end or to be deleted.
    A stopped simulator keeps its state and port, and can be started again.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        signing_key: str = DEFAULT_SIGNING_KEY,
        audience: str = AUDIENCE,
        latency_seconds: float = 0.0,
        transition_seconds: float = 0.5,
        api_versions: tuple[str, ...] = (API_VERSION,),
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.account = Account(now, transition_seconds)
        self.faults = FaultBook()
        self.journal = Journal()
        self._gate = Gate(signing_key, now, audience)
        self._exchange = Exchange(
            self.account, self.faults, self.journal, self._gate, now, api_versions, latency_seconds
        )
        self.server = LoopbackServer(self._serve, port)
        self._controlled = Service(self.account, self.faults, self.journal, self._gate, lambda: self.url)

    @property
    def url(self) -> str:
        """The account's URL, without a slash at the end."""
        return self.server.url

    def start(self) -> Self:
        """Starts accepting requests."""
        self.server.start()
        return self

    def stop(self) -> None:
        """Cuts all connections; calls held by a fault rule are released."""
        self.server.stop()
        self.faults.remove()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def seed(self, description: Mapping[str, Any] | None = None, /, **fields: Any) -> int:
        """Creates a job with tasks, see `seeding.read_job_seed`; returns the number of tasks."""
        return self.account.place(read_job_seed({**(description or {}), **fields}))

    def fault(self, **fields: Any) -> str:
        """Adds a FaultRule; returns its id."""
        return self.faults.add(FaultRule(**fields))

    def task_ids(self, job_id: str) -> list[str]:
        """The ids of the tasks that the job still has; none if the job is gone."""
        try:
            return [task.id for task in self.account.tasks(job_id)]
        except ServiceError:
            return []

    def deletes(self, task: str | None = None) -> list[Entry]:
        """The task deletions that arrived, whatever their results."""
        return self.journal.entries("task-delete", task=task)

    def revoke_tokens(self) -> None:
        """Refuses every token issued so far with 401."""
        self._gate.revoke_issued_tokens()

    def reset(self) -> None:
        """Removes all jobs, faults and journal entries."""
        self._controlled.reset()

    def _serve(self, incoming: Incoming) -> Answer | None:
        if incoming.target.startswith(PREFIX):
            return answer_control(self._controlled, incoming)
        return self._exchange.serve(incoming)

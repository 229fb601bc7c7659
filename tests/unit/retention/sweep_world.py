"""An in-memory account that real sweep steps run on: messages, rows and requests, with faults between them."""

from __future__ import annotations

import itertools
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.deletion.outcomes import RetryPolicy
from shared.errors import AppError
from shared.parsing.protection import is_protected
from shared.parsing.retention_policy import is_in_force
from shared.parsing.retention_setting import read_policies
from shared.request.model import DeletionRequest
from shared.results.event import event_text
from shared.retention.agenda import Agenda, AgendaStore
from shared.retention.closing import SweepCloser
from shared.retention.judging import Rules
from shared.retention.message import SweepStep, is_sweep_step, read_sweep_step, write_sweep_step
from shared.retention.record import SweepStore
from shared.retention.report import closing_event, open_of
from shared.retention.step import request_of
from shared.retention.stopping import Stop, SweepStopper
from shared.retention.sweep import Sweep
from shared.retention.sweeper import Sweeper, SweeperParts
from shared.retention.timer import SweepTimer, TimerParts
from tests.chaos.faults import ProcessDied
from tests.fakes.app import ACCOUNT
from tests.fakes.passage import Operation, Passage, T, storage, undisturbed
from tests.fakes.queues import MemoryQueues, Message, QueueHost
from tests.fakes.table import MemoryTable
from tests.unit.retention.swept_account import FakeJob, FakeTask, SweptAccount

INTERVAL = timedelta(hours=6)
QUEUE = "job-completions"


@dataclass(frozen=True)
class Request:
    """A deletion that was requested, with what its message carries."""

    request: DeletionRequest
    sweep_id: str
    digest: str


class SweepWorld(SweptAccount):
    """Everything that a sweep uses. Time moves on when the next message is due later."""

    def __init__(self, *policies: dict[str, Any], protected: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.passage: Passage = undisturbed
        """The way of all operations; see `FaultInjector`."""
        self.table = MemoryTable(passage=self._pass)
        self.queues = MemoryQueues(self.clock)
        self.host = QueueHost(self.queues, self.clock, self._pass)
        self.accounts: tuple[str, ...] = (ACCOUNT,)
        self.rules = Rules((), ())
        self.set_rules(*policies, protected=protected)
        self.requests: dict[str, Request] = {}
        self.asked = Counter[str]()
        """Ids by sweep, however often each was sent."""
        self.done: dict[str, str] = {}
        self.deleted: list[tuple[Request, FakeJob, FakeTask]] = []
        self.results: list[dict[str, Any]] = []
        self._ids = itertools.count(1)

    def _pass(self, operation: Operation[T]) -> T:
        return self.passage(operation)

    def set_rules(self, *policies: dict[str, Any], protected: tuple[str, ...] = ()) -> None:
        """Replaces the settings."""
        problems: list[str] = []
        self.rules = Rules(read_policies(json.dumps(policies), self.accounts, problems), protected)
        assert problems == []

    # What the sweeps are put together from

    def ask(self, sweep: Sweep) -> None:
        """See Outlet."""
        self.passage(storage("ask", lambda: self._ask(sweep)))

    def _ask(self, sweep: Sweep) -> None:
        for asked in sweep.asked:
            request = request_of(sweep, asked)
            count = sweep.count_of(asked.policy)
            assert count is not None
            known = self.requests.get(request.client_request_id)
            assert known is None or known.request == request, "a repeat must not become a conflict"
            self.requests[request.client_request_id] = Request(request, sweep.sweep_id, count.digest)
            if known is None:
                self.asked[sweep.sweep_id] += 1

    def send_step(self, step: SweepStep, delay_seconds: float = 0.0) -> None:
        """See Outlet."""
        self.passage(storage("send step", lambda: self.queues.put(QUEUE, write_sweep_step(step), delay_seconds)))

    def send_result(self, text: str) -> None:
        """See Outlet."""
        self.passage(storage("send result", lambda: self.results.append(json.loads(text))))

    @property
    def sweeps(self) -> SweepStore:
        return SweepStore(self.table)

    @property
    def agenda(self) -> Agenda | None:
        return AgendaStore(self.table).read(ACCOUNT)

    def _closer(self) -> SweepCloser:
        return SweepCloser(AgendaStore(self.table), self, lambda sweep: event_text(closing_event(sweep)))

    def sweeper(self) -> Sweeper:
        """A process with the current settings."""
        retries = RetryPolicy(4, 5, 900, lambda: 0.5)
        parts = SweeperParts(self.clock, self.accounts, self.rules, self.sweeps, self, self, self._closer(), retries)
        return Sweeper(parts)

    def timer(self) -> SweepTimer:
        """The timer with the current settings."""
        return SweepTimer(
            TimerParts(
                clock=self.clock,
                accounts=self.accounts,
                rules=self.rules,
                interval=INTERVAL,
                sweeps=self.sweeps,
                agendas=AgendaStore(self.table),
                outlet=self,
                closer=self._closer(),
                new_id=lambda: str(uuid.UUID(int=next(self._ids))),
                open_of=self.open_of,
            )
        )

    def open_of(self, sweep: Sweep) -> int:
        """The requests of a sweep that are not done."""
        return open_of(
            sweep,
            Counter(self.done[i] for i, r in self.requests.items() if r.sweep_id == sweep.sweep_id and i in self.done),
        )

    # The host

    @property
    def messages(self) -> list[Message]:
        """The messages of the steps to come."""
        return self.queues[QUEUE]

    def deliver(self, message: Message) -> None:
        """Delivers a message that is still there."""
        if message in self.messages:
            with suppress(AppError, ProcessDied):
                self.host.deliver(QUEUE, message, self._step)

    def _step(self, message: Message) -> None:
        value = json.loads(message.text)
        assert is_sweep_step(value)
        self.sweeper().deliver(read_sweep_step(value), message.id)

    def next_message(self) -> Message | None:
        """The message that is due first; moves time on to it."""
        if not self.messages:
            return None
        message = min(self.messages, key=lambda each: each.visible_at)
        self.clock.advance(max(0.0, (message.visible_at - self.clock.now()).total_seconds()))
        return message

    def settle(self, most: int = 500) -> None:
        """Delivers messages until none is left."""
        for _ in range(most):
            message = self.next_message()
            if message is None:
                return
            self.deliver(message)
        raise AssertionError("the sweep does not end")

    def sweep(self, **fields: Any) -> Sweep:
        """Runs a whole sweep without its deletions; returns its final row."""
        begun = self.timer().begin(ACCOUNT, **fields)
        assert begun is not None
        self.settle()
        return self.row(begun.sweep_id)

    def row(self, sweep_id: str) -> Sweep:
        """A sweep's row."""
        found = self.sweeps.read(sweep_id)
        assert found is not None
        return found

    def stop(self, sweep_id: str) -> Stop:
        """Asks a sweep to stop."""
        stop, _ = SweepStopper(self.clock, self.sweeps, self._closer(), self.open_of).stop(sweep_id)
        return stop

    def jobs_by_id(self, asked: Request) -> str:
        """The id of a request's job in Batch's spelling."""
        return next(job_id for job_id in self.seen_as if job_id.lower() == asked.request.job_id.lower())

    # The deletions

    def open_requests(self) -> Iterator[str]:
        """The ids of requests that are not done."""
        return (request_id for request_id in self.requests if request_id not in self.done)

    def carry_out(self, request_id: str) -> None:
        """Carries out one deletion under the current settings."""
        asked = self.requests[request_id]
        self.done[request_id] = self._outcome(asked)

    def carry_out_all(self) -> None:
        """Carries out every open deletion."""
        for request_id in list(self.open_requests()):
            self.carry_out(request_id)

    def _outcome(self, asked: Request) -> str:
        request = asked.request
        sweep = self.row(asked.sweep_id)
        is_off = sweep.is_stopping
        in_force = is_in_force(self.rules.policies, request.batch_url, request.job_id, asked.digest)
        if is_off or not in_force or is_protected(request.job_id, self.rules.protected):
            return "cancelled"
        job = self.jobs.get(request.job_id.lower())
        task = job.tasks.get(request.task_id) if job else None
        if job is None or task is None:
            return "notFound"
        if task.etag != request.if_match:
            return "preconditionFailed"
        if not task.can_go:
            return "failed"
        del job.tasks[task.id]
        self.deleted.append((asked, job, task))
        return "deleted"

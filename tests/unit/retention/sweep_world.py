"""An account in memory, swept by the real steps: messages, rows and requests, with whatever goes wrong between them."""

from __future__ import annotations

import itertools
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.batch.job_listing import JobPage, ListedJob
from shared.batch.listing import CompletedTask, TaskPage
from shared.batch.reply import ErrorBody, Reply, Sent
from shared.clock import TimeBox, to_text
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
from tests.fake_clock import FakeClock
from tests.memory_table import MemoryTable

ACCOUNT = "https://acct.region.batch.azure.com"
OK = Reply(Sent.ANSWERED, 200, request_id="batch-1")
INTERVAL = timedelta(hours=6)
MOST_DELIVERIES = 10
DAY = timedelta(days=1)


class Crash(Exception):
    """The process died here."""


def refused(status: int, code: str | None = None, retry_after: float | None = None) -> Reply:
    """An answer with an error; without a code of Batch's it is a gateway's."""
    error = ErrorBody(code or "UnexpectedAnswer", "Refused.")
    return Reply(Sent.ANSWERED, status, error, code is not None, retry_after, "batch-2")


@dataclass
class FakeTask:
    """One task of the account."""

    id: str
    ended: datetime | None
    succeeded: bool = True
    version: int = 1
    can_go: bool = True
    """False for one whose DELETE Batch refuses for good."""

    @property
    def etag(self) -> str:
        return f"0x{self.version:04X}"

    def listed(self) -> CompletedTask:
        """As Batch shows it."""
        end = to_text(self.ended) if self.ended else None
        return CompletedTask(self.id, 0 if self.succeeded else 1, None, end, self.etag)


@dataclass
class FakeJob:
    """One job of the account."""

    id: str
    tasks: dict[str, FakeTask] = field(default_factory=dict)
    state: str = "active"
    marked: bool = False
    uses_dependencies: bool = False

    def listed(self) -> ListedJob:
        """As Batch shows it."""
        mark = (("Task-Retention", "keep"),) if self.marked else ()
        return ListedJob(self.id, self.state, (("team", "vfx"), *mark), self.uses_dependencies)


@dataclass
class Message:
    """A message of the job-completion queue."""

    id: str
    text: str
    visible_at: datetime
    deliveries: int = 0


@dataclass(frozen=True)
class Request:
    """A deletion that was asked for, with what its message carries."""

    request: DeletionRequest
    sweep_id: str
    digest: str


class SweepWorld:
    """Everything that a sweep meets. Time moves when the next message is due later."""

    def __init__(self, *policies: dict[str, Any], protected: tuple[str, ...] = ()) -> None:
        self.clock = FakeClock()
        self.table = MemoryTable()
        self.accounts: tuple[str, ...] = (ACCOUNT,)
        self.rules = Rules((), ())
        self.set_rules(*policies, protected=protected)
        self.jobs: dict[str, FakeJob] = {}
        self.page_size = 2
        self.pages_by_offset = False
        """Then what goes between two pages makes others shift into its place, and be skipped."""
        self.answers: list[Reply | JobPage | TaskPage | Callable[[], None] | None] = []
        """What list calls meet in turn: an answer in place of theirs, or something that happens meanwhile."""
        self.calls: list[str] = []
        self.seen_as: dict[str, FakeJob] = {}
        """Each job as it was listed last."""
        self.messages: list[Message] = []
        self.requests: dict[str, Request] = {}
        self.asked = Counter[str]()
        """Ids by sweep, however often each was sent."""
        self.done: dict[str, str] = {}
        self.deleted: list[tuple[Request, FakeJob, FakeTask]] = []
        self.results: list[dict[str, Any]] = []
        self.poisoned: list[Message] = []
        self.fault: Callable[[], None] = lambda: None
        self.table.fault = lambda *_: self.fault()
        self._ids = itertools.count(1)

    # The account

    def job(self, job_id: str, *tasks: FakeTask, **fields: Any) -> FakeJob:
        """Puts a job there."""
        job = FakeJob(job_id, {task.id: task for task in tasks}, **fields)
        self.jobs[job_id.lower()] = job
        return job

    def ended(self, task_id: str, ago: timedelta = 10 * DAY, **fields: Any) -> FakeTask:
        """A task that ended so long ago."""
        return FakeTask(task_id, self.clock.now() - ago, **fields)

    def left(self) -> list[str]:
        """Jobs and tasks that are still there."""
        return [f"{job.id}/{task}" for job in self.jobs.values() for task in job.tasks]

    def set_rules(self, *policies: dict[str, Any], protected: tuple[str, ...] = ()) -> None:
        """The settings from now on."""
        problems: list[str] = []
        self.rules = Rules(read_policies(json.dumps(policies), self.accounts, problems), protected)
        assert problems == []

    # What the sweeps are put together from

    def list_jobs(self, account: str, continuation: str | None, box: TimeBox) -> JobPage:
        """See Lists."""
        self.calls.append("jobs")
        made = self._made_up(JobPage)
        if isinstance(made, JobPage):
            return made
        jobs = list(self.jobs.values())
        page, link = self._page([job.id for job in jobs], continuation, "jobs")
        for job_id in page:
            job = self.jobs[job_id.lower()]
            self.seen_as[job.id] = FakeJob(job.id, {}, job.state, job.marked, job.uses_dependencies)
        return JobPage(OK, tuple(self.jobs[job_id.lower()].listed() for job_id in page), link)

    def list_completed_tasks(
        self, account: str, job_id: str, continuation: str | None, box: TimeBox, *, ended_by: datetime | None = None
    ) -> TaskPage:
        """See Lists."""
        self.calls.append(job_id)
        made = self._made_up(TaskPage)
        if isinstance(made, TaskPage):
            return made
        job = self.jobs.get(job_id.lower())
        if job is None:
            return TaskPage(refused(404, "JobNotFound"))
        found = [task for task in job.tasks.values() if task.ended and (ended_by is None or task.ended <= ended_by)]
        page, link = self._page([task.id for task in found], continuation, job_id)
        return TaskPage(OK, tuple(job.tasks[task_id].listed() for task_id in page), link)

    def _made_up(self, kind: Callable[[Reply], Any]) -> Any:
        made = self.answers.pop(0) if self.answers else None
        if isinstance(made, Reply):
            return kind(made)
        if callable(made):
            made()
            return None
        return made

    def _page(self, ids: list[str], continuation: str | None, kind: str) -> tuple[list[str], str | None]:
        start = 0
        if continuation is not None:
            _, number, last = continuation.rsplit("|", 2)
            start = (
                int(number)
                if self.pages_by_offset
                else next(
                    (at + 1 for at, each in enumerate(ids) if each == last), len([each for each in ids if each <= last])
                )
            )
        page = ids[start : start + self.page_size]
        more = len(ids) > start + self.page_size
        return page, f"{kind}|{start + self.page_size}|{page[-1]}" if more else None

    def ask(self, sweep: Sweep) -> None:
        """See Outlet."""
        self.fault()
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
        self.fault()
        visible_at = self.clock.now() + timedelta(seconds=delay_seconds)
        self.messages.append(Message(f"m-{next(self._ids)}", write_sweep_step(step), visible_at))

    def send_result(self, text: str) -> None:
        """See Outlet."""
        self.fault()
        self.results.append(json.loads(text))

    @property
    def sweeps(self) -> SweepStore:
        return SweepStore(self.table)

    @property
    def agenda(self) -> Agenda | None:
        return AgendaStore(self.table).read(ACCOUNT)

    def _closer(self) -> SweepCloser:
        return SweepCloser(AgendaStore(self.table), self, lambda sweep: event_text(closing_event(sweep)))

    def sweeper(self) -> Sweeper:
        """A process with the settings of now."""
        retries = RetryPolicy(4, 5, 900, lambda: 0.5)
        parts = SweeperParts(self.clock, self.accounts, self.rules, self.sweeps, self, self, self._closer(), retries)
        return Sweeper(parts)

    def timer(self) -> SweepTimer:
        """The timer with the settings of now."""
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
        """Requests of a sweep that are not done."""
        return open_of(
            sweep,
            Counter(self.done[i] for i, r in self.requests.items() if r.sweep_id == sweep.sweep_id and i in self.done),
        )

    # The host

    def deliver(self, message: Message) -> None:
        """One delivery: the message goes when the function has returned, else it comes again, ten times in all."""
        if message not in self.messages:
            return
        message.deliveries += 1
        try:
            value = json.loads(message.text)
            assert is_sweep_step(value)
            self.sweeper().deliver(read_sweep_step(value), message.id)
        except (AppError, Crash):
            message.visible_at = self.clock.now() + timedelta(seconds=60)
            if message.deliveries >= MOST_DELIVERIES and message in self.messages:
                self.messages.remove(message)
                self.poisoned.append(message)
            return
        if message in self.messages:
            self.messages.remove(message)

    def next_message(self) -> Message | None:
        """The message that is due first; time moves on to it."""
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
        """A whole sweep without its deletions; the row as it ended."""
        begun = self.timer().begin(ACCOUNT, **fields)
        assert begun is not None
        self.settle()
        return self.row(begun.sweep_id)

    def row(self, sweep_id: str) -> Sweep:
        """The row of a sweep."""
        found = self.sweeps.read(sweep_id)
        assert found is not None
        return found

    def stop(self, sweep_id: str) -> Stop:
        """Somebody asks a sweep to stop."""
        stop, _ = SweepStopper(self.clock, self.sweeps, self._closer(), self.open_of).stop(sweep_id)
        return stop

    def jobs_by_id(self, asked: Request) -> str:
        """The id of a request's job as Batch spells it."""
        return next(job_id for job_id in self.seen_as if job_id.lower() == asked.request.job_id.lower())

    # The deletions

    def open_requests(self) -> Iterator[str]:
        """Ids of requests that are not done."""
        return (request_id for request_id in self.requests if request_id not in self.done)

    def carry_out(self, request_id: str) -> None:
        """One deletion, judged by the settings of now."""
        asked = self.requests[request_id]
        self.done[request_id] = self._outcome(asked)

    def carry_out_all(self) -> None:
        """Every deletion that is open."""
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

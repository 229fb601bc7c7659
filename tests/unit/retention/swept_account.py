"""An in-memory Batch account for sweeps: its jobs and tasks, their pages, and changes while a sweep runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.batch.job_listing import JobPage, ListedJob
from shared.batch.listing import CompletedTask, TaskPage
from shared.batch.reply import Reply
from shared.clock import TimeBox, to_text
from tests.fakes.batch import DELETED, refused
from tests.fakes.clock import FakeClock

DAY = timedelta(days=1)


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
    refusal: Reply | None = None
    """What Batch answers to a listing of the tasks of this job in place of a page, if set."""

    def listed(self) -> ListedJob:
        """As Batch shows it."""
        mark = (("Task-Retention", "keep"),) if self.marked else ()
        return ListedJob(self.id, self.state, (("team", "vfx"), *mark), self.uses_dependencies)


class SweptAccount:
    """A Batch account whose jobs and tasks a sweep lists."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.jobs: dict[str, FakeJob] = {}
        self.page_size = 2
        self.pages_by_offset = False
        """If set, an entry that disappears between two pages shifts the later ones, so that one is skipped."""
        self.answers: list[Reply | JobPage | TaskPage | Callable[[], None] | None] = []
        """For each list call in turn: an answer in place of the real one, or something that happens during the call."""
        self.calls: list[str] = []
        self.seen_as: dict[str, FakeJob] = {}
        """Each job as the last listing showed it."""

    def job(self, job_id: str, *tasks: FakeTask, **fields: Any) -> FakeJob:
        """Adds a job."""
        job = FakeJob(job_id, {task.id: task for task in tasks}, **fields)
        self.jobs[job_id.lower()] = job
        return job

    def ended(self, task_id: str, ago: timedelta = 10 * DAY, **fields: Any) -> FakeTask:
        """A task that ended so long ago."""
        return FakeTask(task_id, self.clock.now() - ago, **fields)

    def left(self) -> list[str]:
        """The jobs and tasks that still exist."""
        return [f"{job.id}/{task}" for job in self.jobs.values() for task in job.tasks]

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
        return JobPage(DELETED, tuple(self.jobs[job_id.lower()].listed() for job_id in page), link)

    def list_completed_tasks(
        self, account: str, job_id: str, continuation: str | None, box: TimeBox, *, ended_by: datetime | None = None
    ) -> TaskPage:
        """See Lists."""
        self.calls.append(job_id)
        made = self._made_up(TaskPage)
        if isinstance(made, TaskPage):
            return made
        job = self.jobs.get(job_id.lower())
        if job is None or job.refusal:
            return TaskPage(job.refusal if job and job.refusal else refused(404, "JobNotFound"))
        found = [task for task in job.tasks.values() if task.ended and (ended_by is None or task.ended <= ended_by)]
        page, link = self._page([task.id for task in found], continuation, job_id)
        return TaskPage(DELETED, tuple(job.tasks[task_id].listed() for task_id in page), link)

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

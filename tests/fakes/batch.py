"""An in-memory Batch account, which answers as a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from shared.batch.job_listing import JobPage, ListedJob
from shared.batch.listing import CompletedTask, TaskPage, TaskState
from shared.batch.reply import ErrorBody, Kind, Reply, Sent
from shared.clock import TimeBox
from shared.request.model import DeletionRequest
from tests.fakes.passage import Operation, Passage, T, undisturbed

DELETED = Reply(Sent.ANSWERED, 200, request_id="batch-1")
NOT_FOUND = Reply(
    Sent.ANSWERED, 404, ErrorBody("TaskNotFound", "The specified task does not exist."), True, request_id="batch-2"
)
LOST = Reply(Sent.UNANSWERED, error=ErrorBody("ConnectionReset", "The connection was reset."))
NOT_SENT = Reply(Sent.FAILED, error=ErrorBody("ConnectionFailed", "No connection could be made."))


def refused(status: int, code: str | None = None, retry_after: float | None = None) -> Reply:
    """An answer with an error; without a code it comes from a gateway."""
    error = ErrorBody(code or "UnexpectedAnswer", "Refused.")
    return Reply(Sent.ANSWERED, status, error, code is not None, retry_after, "batch-3")


@dataclass
class ScriptedBatch:
    """A Batch account whose tasks exist until they are deleted, and whose answers a test can script."""

    tasks: set[tuple[str, str]] = field(default_factory=set)
    script: list[Reply | Callable[[], Reply]] = field(default_factory=list)
    """Answers to the next calls; once they are used up, the account answers from its tasks."""
    calls: list[DeletionRequest] = field(default_factory=list)
    effects: set[str] = field(default_factory=set)
    """Ids of the requests that deleted a task."""
    confirmed: set[str] = field(default_factory=set)
    """Ids of the requests that deleted a task and whose success the app saw."""
    on_delete: Callable[[DeletionRequest], None] = lambda _: None
    """Called with each DELETE at the moment it is sent."""
    passage: Passage = undisturbed

    def delete(self, request: DeletionRequest, box: TimeBox) -> Reply:
        """*Task - Delete*."""
        assert box.start_by <= box.end_by
        self.on_delete(request)
        reply = self.passage(
            Operation("batch delete", lambda: self._answer(request), lambda: NOT_SENT, lambda: LOST, lambda: LOST)
        )
        if reply.kind is Kind.SUCCESS:
            self.confirmed.add(request.client_request_id)
        return reply

    def _answer(self, request: DeletionRequest) -> Reply:
        self.calls.append(request)
        if self.script:
            step = self.script.pop(0)
            return step if isinstance(step, Reply) else step()
        return self.take(request)

    def take(self, request: DeletionRequest) -> Reply:
        """Deletes the task if it exists."""
        key = (request.job_id.lower(), request.task_id.lower())
        if key not in self.tasks:
            return NOT_FOUND
        self.tasks.remove(key)
        self.effects.add(request.client_request_id)
        return DELETED

    def after_effect(self, reply: Reply) -> Callable[[], Reply]:
        """A step of the script: deletes the task, and then gives this answer."""

        def step() -> Reply:
            self.take(self.calls[-1])
            return reply

        return step

    def get_task(self, request: DeletionRequest, box: TimeBox) -> Reply:
        """*Task - Get*, for dry runs."""
        return DELETED if (request.job_id.lower(), request.task_id.lower()) in self.tasks else NOT_FOUND


@dataclass
class ScriptedJobs(ScriptedBatch):
    """The same account with jobs that can be read and listed."""

    states: dict[str, str] = field(default_factory=dict)
    completed: list[CompletedTask] = field(default_factory=list)
    page_size: int = 1_000
    next_link: str | None = None
    """What each page of tasks names as the next one, in place of the right one."""
    metadata: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """The metadata of each job, as names and values."""
    job_script: list[Reply] = field(default_factory=list)
    """Answers to the next calls that read a job or a page of jobs or tasks."""

    def seed(
        self, job_id: str, count: int, *, state: str = "completed", exit_code: int = 0, end_time: str = ""
    ) -> None:
        """Adds a job with completed tasks `t-0000` and on."""
        self.states[job_id] = state
        for index in range(len(self.completed), len(self.completed) + count):
            task = CompletedTask(
                f"t-{index:04d}", exit_code, None, end_time or "2026-11-24T07:00:00Z", f"0x8D{index:X}"
            )
            self.completed.append(task)
            self.tasks.add((job_id.lower(), task.id))

    def take(self, request: DeletionRequest) -> Reply:
        """Deletes the task if it is there, and still as it was when it was listed, where that is asked for."""
        if request.if_match and (request.job_id.lower(), request.task_id.lower()) in self.tasks:
            now = {task.id: task.etag for task in self.completed}.get(request.task_id)
            if now and request.if_match != now:
                return refused(412, "ConditionNotMet")
        return super().take(request)

    def get_job(self, account: str, job_id: str, box: TimeBox) -> tuple[Reply, str | None]:
        """*Job - Get*."""

        def answer() -> tuple[Reply, str | None]:
            state = self.states.get(job_id)
            return (DELETED, state) if state else (refused(404, "JobNotFound"), None)

        return self._look("batch job", answer, lambda reply: (reply, None))

    def look_at_task(self, account: str, job_id: str, task_id: str, box: TimeBox) -> tuple[Reply, TaskState | None]:
        """*Task - Get*: a task that is there and not among the completed ones is active."""

        def answer() -> tuple[Reply, TaskState | None]:
            if (job_id.lower(), task_id.lower()) not in self.tasks:
                return NOT_FOUND, None
            etags = {task.id: task.etag for task in self.completed}
            return DELETED, TaskState("completed", etags[task_id]) if task_id in etags else TaskState("active", "0x8D0")

        return self._look("batch task", answer, lambda reply: (reply, None))

    def list_jobs(self, account: str, continuation: str | None, box: TimeBox) -> JobPage:
        """*Job - List*, all on one page."""
        jobs = [ListedJob(job_id, state, self.metadata.get(job_id, ())) for job_id, state in self.states.items()]
        return self.passage(_read("batch jobs", lambda: JobPage(DELETED, tuple(jobs)), JobPage))

    def list_completed_tasks(
        self, account: str, job_id: str, continuation: str | None, box: TimeBox, *, ended_by: datetime | None = None
    ) -> TaskPage:
        """*Task - List*: a page begins after the id that the continuation names, as the service's do."""

        def answer() -> TaskPage:
            there = [t for t in self.completed if (job_id.lower(), t.id) in self.tasks and t.id > (continuation or "")]
            page = tuple(there[: self.page_size])
            return TaskPage(DELETED, page, self.next_link or (page[-1].id if len(there) > len(page) else None))

        return self._look("batch list", answer, TaskPage)

    def _look(self, name: str, answer: Callable[[], T], of: Callable[[Reply], T]) -> T:
        def scripted() -> T:
            return of(self.job_script.pop(0)) if self.job_script else answer()

        return self.passage(_read(name, scripted, of))


def _read(name: str, answer: Callable[[], T], of: Callable[[Reply], T]) -> Operation[T]:
    """Answers a read with the next scripted reply, or with what the account holds."""
    return Operation(name, answer, lambda: of(NOT_SENT), lambda: of(LOST), lambda: of(LOST))

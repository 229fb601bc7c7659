"""The whole app on fakes of its four outsides, with a host that delivers messages as the Functions host does.

Time stands still unless a test moves it. Nothing of the app itself is replaced.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.api.answer import Answer, Call, invalid
from shared.api.placement import refuse_misplaced
from shared.batch.job_listing import JobPage, ListedJob
from shared.batch.lanes import Lanes
from shared.batch.listing import CompletedTask, TaskPage, TaskState
from shared.batch.reply import ErrorBody, Kind, Reply, Sent
from shared.clock import TimeBox
from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput
from shared.ledger.work import MAX_MESSAGE_BYTES
from shared.request.model import DeletionRequest
from shared.settings import Settings
from shared.storage.queues import MAX_DELAY_SECONDS, Depth
from shared.wiring.services import App, Outside
from tests.fake_clock import FakeClock
from tests.memory_table import MemoryTable, no_fault
from tests.messages import check_sent_by_app

ACCOUNT = "https://acct.region.batch.azure.com"
ENVIRONMENT = {
    "TaskDeleteStorage": "UseDevelopmentStorage=true",
    "REQUEST_QUEUE_NAME": "requests",
    "JOB_COMPLETION_QUEUE_NAME": "job-completions",
    "RESULT_QUEUE_NAME": "results",
    "RESULT_MESSAGE_ENCODING": "none",
    "BATCH_ACCOUNT_URLS": ACCOUNT,
}

SCHEMAS = {
    "requests": "request-queue",
    "requests-poison": "request-queue",
    "job-completions": "job-completion-queue",
    "job-completions-poison": "job-completion-queue",
    "results": "result-queue",
}
"""The described form of each queue's messages."""

INPUTS = ("requests", "requests-poison", "job-completions", "job-completions-poison")

DELETED = Reply(Sent.ANSWERED, 200, request_id="batch-1")
NOT_FOUND = Reply(
    Sent.ANSWERED, 404, ErrorBody("TaskNotFound", "The specified task does not exist."), True, request_id="batch-2"
)
LOST = Reply(Sent.UNANSWERED, error=ErrorBody("ConnectionReset", "The connection was reset."))
NOT_SENT = Reply(Sent.FAILED, error=ErrorBody("ConnectionFailed", "No connection could be made."))


def refused(status: int, code: str, retry_after: float | None = None) -> Reply:
    """An answer of Batch with an error body."""
    return Reply(Sent.ANSWERED, status, ErrorBody(code, "Refused."), True, retry_after, "batch-3")


@dataclass
class Message:
    """A message of a queue in memory."""

    id: str
    text: str
    inserted_at: datetime
    visible_at: datetime
    dequeue_count: int = 0


@dataclass
class ScriptedBatch:
    """A Batch account whose tasks exist until they are deleted, and which answers as a test says."""

    tasks: set[tuple[str, str]] = field(default_factory=set)
    script: list[Reply | Callable[[], Reply]] = field(default_factory=list)
    """Answers to the next calls; after them the account answers by itself."""
    calls: list[DeletionRequest] = field(default_factory=list)
    effects: set[str] = field(default_factory=set)
    """Ids of the requests that deleted a task."""
    confirmed: set[str] = field(default_factory=set)
    """Ids of the requests that the app was told of that they had."""
    on_delete: Callable[[DeletionRequest], None] = lambda _: None
    """Told of each DELETE at the moment that it is sent."""
    fault: Callable[[Callable[[], Reply]], Reply] = lambda answer: answer()
    """What happens to a DELETE on its way and to its answer on the way back."""

    def delete(self, request: DeletionRequest, box: TimeBox) -> Reply:
        """*Task - Delete*."""
        assert box.start_by <= box.end_by
        self.on_delete(request)
        reply = self.fault(lambda: self._answer(request))
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
        """Deletes the task if it is there."""
        key = (request.job_id.lower(), request.task_id.lower())
        if key not in self.tasks:
            return NOT_FOUND
        self.tasks.remove(key)
        self.effects.add(request.client_request_id)
        return DELETED

    def get_task(self, request: DeletionRequest, box: TimeBox) -> Reply:
        """*Task - Get*, for dry runs."""
        return DELETED if (request.job_id.lower(), request.task_id.lower()) in self.tasks else NOT_FOUND


@dataclass
class ScriptedJobs(ScriptedBatch):
    """The same account with jobs that can be looked at and listed."""

    states: dict[str, str] = field(default_factory=dict)
    completed: list[CompletedTask] = field(default_factory=list)
    page_size: int = 1_000
    metadata: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Names and values, by job."""
    job_script: list[Reply] = field(default_factory=list)
    """Answers to the next looks at a job or a page."""

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
        if self.job_script:
            return self.job_script.pop(0), None
        state = self.states.get(job_id)
        return (DELETED, state) if state else (refused(404, "JobNotFound"), None)

    def look_at_task(self, account: str, job_id: str, task_id: str, box: TimeBox) -> tuple[Reply, TaskState | None]:
        """*Task - Get*: a task that is there and not among the completed ones is active."""
        if self.job_script:
            return self.job_script.pop(0), None
        if (job_id.lower(), task_id.lower()) not in self.tasks:
            return NOT_FOUND, None
        etags = {task.id: task.etag for task in self.completed}
        return DELETED, TaskState("completed", etags[task_id]) if task_id in etags else TaskState("active", "0x8D0")

    def list_jobs(self, account: str, continuation: str | None, box: TimeBox) -> JobPage:
        """*Job - List*, all on one page."""
        jobs = [ListedJob(job_id, state, self.metadata.get(job_id, ())) for job_id, state in self.states.items()]
        return JobPage(DELETED, tuple(jobs))

    def list_completed_tasks(
        self, account: str, job_id: str, continuation: str | None, box: TimeBox, *, ended_by: datetime | None = None
    ) -> TaskPage:
        """*Task - List*: a page begins after the id that the continuation names, as the service's do."""
        if self.job_script:
            return TaskPage(self.job_script.pop(0))
        there = [t for t in self.completed if (job_id.lower(), t.id) in self.tasks and t.id > (continuation or "")]
        page = tuple(there[: self.page_size])
        return TaskPage(DELETED, page, page[-1].id if len(there) > len(page) else None)


class Inline(Executor):
    """An executor that works at once, so that a test has one order of events."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Runs the call."""
        future: Future[Any] = Future()
        future.set_result(call(*args, **named))
        return future


@dataclass(frozen=True)
class AppSender:
    """What the app puts on queues, each message as it is described."""

    world: World

    def send(self, queue: str, text: str, delay_seconds: float = 0) -> None:
        """Puts a message."""
        check_sent_by_app(SCHEMAS[queue], text)
        self.world.send(queue, text, delay_seconds)

    def depth(self, queue: str, now: datetime) -> Depth:
        """How full a queue is."""
        return self.world.depth(queue, now)


class World:
    """One storage account, one Batch account, a clock, and as many workers as a test makes."""

    def __init__(self, **settings: str) -> None:
        self.clock = FakeClock()
        self.settings = Settings.from_env({**ENVIRONMENT, **settings})
        self.records = MemoryTable()
        self.letters = MemoryTable()
        self.batch = ScriptedJobs()
        self.queues: dict[str, list[Message]] = {}
        self.send_fault: Callable[[str, str], None] = no_fault
        self.traceparent: str | None = None
        """The trace of each invocation that the host makes."""
        self.return_fault: Callable[[str, str], None] = no_fault
        """Called before and after the host takes the message of a finished delivery away."""
        self.app = self.worker()

    def worker(self, clock: FakeClock | None = None, random: Callable[[], float] = lambda: 0.5) -> App:
        """Another process of the app."""
        outside = Outside(
            records=self.records,
            letters=self.letters,
            sender=AppSender(self),
            batch=self.batch,
            clock=clock or self.clock,
            lanes=Lanes(self.settings.batch_accounts, 1, lambda *_: Inline()),
            random=random,
        )
        return App(self.settings, outside)

    def storage_fault(self, fault: Callable[[str, str], None] = no_fault) -> None:
        """What goes wrong with both tables and with what the app puts on queues; nothing any more without a fault."""
        self.records.fault = self.letters.fault = self.send_fault = fault

    # The queues

    def send(self, queue: str, text: str, delay_seconds: float = 0) -> None:
        """Puts a message (the Sender of the app, and of a test that plays a producer)."""
        self.send_fault("before", queue)
        assert len(text.encode()) <= MAX_MESSAGE_BYTES, "the queue service refuses longer messages"
        now = self.clock.now()
        delay = timedelta(seconds=min(MAX_DELAY_SECONDS, max(0, math.ceil(delay_seconds))))
        message = Message(str(uuid.uuid4()), text, now, now + delay)
        self.queues.setdefault(queue, []).append(message)
        self.send_fault("after", queue)

    def depth(self, queue: str, now: datetime) -> Depth:
        """How full a queue is."""
        visible = [message.inserted_at for message in self.messages(queue) if message.visible_at <= now]
        return Depth(len(self.messages(queue)), max(((now - at).total_seconds() for at in visible), default=0.0))

    def request(self, **fields: Any) -> dict[str, Any]:
        """A valid request, its task being there."""
        body = {"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "taskId": "task-1"} | fields
        self.batch.tasks.add((body["jobId"].lower(), body["taskId"].lower()))
        return body

    def put(self, body: object, queue: str = "requests") -> None:
        """Puts a request as a producer does."""
        self.send(queue, body if isinstance(body, str) else json.dumps(body))

    def messages(self, queue: str = "requests") -> list[Message]:
        """What lies in a queue, hidden or not."""
        return self.queues.get(queue, [])

    def results(self) -> list[dict[str, Any]]:
        """The result messages so far."""
        return [json.loads(message.text) for message in self.messages("results")]

    def outcomes(self) -> list[str]:
        """The outcomes so far, in order."""
        return [result["data"]["outcome"] for result in self.results()]

    # The host

    def deliver(self, queue: str = "requests", app: App | None = None) -> bool:
        """Delivers the first visible message; False when there is none. Failures are put off or poisoned."""
        now = self.clock.now()
        message = next((m for m in self.messages(queue) if m.visible_at <= now), None)
        if message is None:
            return False
        message.dequeue_count += 1
        message.visible_at = now + timedelta(minutes=10)
        if message.dequeue_count > 10 and not queue.endswith("-poison"):
            self._poison(queue, message)
            return True
        try:
            texts = self.run(queue, message, app)
            for text in texts:
                self.send("results", text)
        except Exception:
            if not queue.endswith("-poison"):
                self._failed(queue, message)
            raise
        self.return_fault("before", "return")
        if message in self.queues[queue]:
            self.queues[queue].remove(message)
        self.return_fault("after", "return")
        return True

    def run(self, queue: str, message: Message, app: App | None = None) -> list[str]:
        """One invocation; the result texts that the output binding would send."""
        delivery = Delivery(
            queue=queue,
            message_id=message.id,
            dequeue_count=message.dequeue_count,
            inserted_at=message.inserted_at,
            next_visible_at=message.visible_at,
            body=message.text.encode(),
            traceparent=self.traceparent,
        )
        worker = app or self.app
        service = {
            "requests-poison": worker.poison.deliver,
            "job-completions": worker.job_messages.deliver,
            "job-completions-poison": worker.job_messages.deliver_poisoned,
        }.get(queue, worker.worker.deliver)
        results = service(delivery) or []
        for text in results:
            check_sent_by_app(SCHEMAS["results"], text)
        return results

    def settle(self, limit: int = 200) -> None:
        """Delivers whatever is or becomes visible, moving the clock, until all input queues are empty."""
        for _ in range(limit):
            if any(self.deliver(queue) for queue in INPUTS):
                continue
            waiting = [m.visible_at for queue in INPUTS for m in self.messages(queue)]
            if not waiting:
                return
            self.clock.advance(max(0.001, (min(waiting) - self.clock.now()).total_seconds()))
        raise AssertionError(f"not quiet after {limit} steps")

    def _failed(self, queue: str, message: Message) -> None:
        if message.dequeue_count >= 10:
            self._poison(queue, message)
        else:
            message.visible_at = self.clock.now() + timedelta(seconds=60)

    def _poison(self, queue: str, message: Message) -> None:
        self.queues[queue].remove(message)
        copy = replace(message, id=str(uuid.uuid4()), dequeue_count=0, inserted_at=self.clock.now())
        copy.visible_at = self.clock.now()
        self.queues.setdefault(f"{queue}-poison", []).append(copy)

    # HTTP

    def post(self, body: object, **headers: str) -> Told:
        """`POST /api/task-deletions`."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return ask(self.app.api.submit, call(body=raw, headers=headers, method="POST"))

    def get(self, client_request_id: str, **query: str) -> Told:
        """`GET /api/task-deletions/{id}`."""
        return ask(self.app.api.status, call(route={"clientRequestId": client_request_id}, query=query))

    def delete(self, job_id: str = "job-1", task_id: str = "task-1", **headers: str) -> Told:
        """The synchronous DELETE; header names with underscores."""
        names = {name.replace("_", "-"): text for name, text in headers.items()}
        route = {"jobId": job_id, "taskId": task_id}
        return ask(self.app.api.delete_task, call(route=route, headers=names, method="DELETE"))


def job_world(job_id: str) -> World:
    """An app, and a job of 25 completed tasks listed in pages of 10."""
    world = World()
    world.batch.seed(job_id, 25)
    world.batch.page_size = 10
    return world


def job_event(job_id: str, **fields: Any) -> dict[str, Any]:
    """A bare event for a job, with a fresh id."""
    return {"clientRequestId": str(uuid.uuid4()), "jobId": job_id} | fields


@dataclass(frozen=True)
class Told(Answer):
    """An answer, and the id that it carries."""

    client_request_id: str | None = None


def ask(answer_of: Callable[[Call], Answer], the_call: Call) -> Told:
    """Answers a call as the edge does, but lets storage faults and the death of a worker through."""
    try:
        refuse_misplaced(the_call)
        answer = answer_of(the_call)
    except InvalidInput as fault:
        answer = invalid(fault)
    known = the_call.subject.client_request_id
    return Told(answer.status, answer.content, answer.headers, answer.batch_request_id, known)


def call(
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    route: dict[str, str] | None = None,
    traceparent: str | None = None,
    method: str = "",
    caller: str | None = None,
) -> Call:
    """An HTTP call as a function gets it."""
    return Call(headers or {}, query or {}, route or {}, body, str(uuid.uuid4()), traceparent, method, caller=caller)

"""The whole app on fakes of the outside world, with a host that delivers messages as the Functions host does.

Time stands still unless a test moves it. Nothing of the app itself is replaced.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.batch.lanes import Lanes
from shared.clock import Clock
from shared.deletion.delivery import Delivery
from shared.settings import Settings
from shared.storage.queues import Depth
from shared.wiring.services import Adapters, App
from tests.fakes.batch import ScriptedJobs
from tests.fakes.calls import Callers
from tests.fakes.clock import FakeClock
from tests.fakes.jobs import JOB, job_event
from tests.fakes.passage import Operation, Passage, T, storage, undisturbed
from tests.fakes.queues import MemoryQueues, Message, QueueHost
from tests.fakes.table import MemoryTable
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


class InlineExecutor(Executor):
    """An executor that runs calls at once, so that a test has only one order of events."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Runs the call at once."""
        future: Future[Any] = Future()
        future.set_result(call(*args, **named))
        return future


@dataclass(frozen=True)
class AppSender:
    """Puts what the app and its output bindings send on queues, after checking it against its schema."""

    queues: MemoryQueues
    passage: Passage

    def send(self, queue: str, text: str, delay_seconds: float = 0) -> None:
        """Puts a message on a queue."""
        check_sent_by_app(SCHEMAS[queue], text)
        self.passage(storage(f"send {queue}", lambda: self.queues.put(queue, text, delay_seconds)))

    def depth(self, queue: str, now: datetime) -> Depth:
        """The depth of a queue."""
        return self.passage(storage(f"depth of {queue}", lambda: self.queues.depth(queue, now)))


class World(Callers):
    """One storage account, one Batch account, a clock, and as many workers as a test creates."""

    def __init__(self, **settings: str) -> None:
        self.clock = FakeClock()
        self.settings = Settings.from_env({**ENVIRONMENT, **settings})
        self.passage: Passage = undisturbed
        """The way of all operations; see `FaultInjector`."""
        self.records = MemoryTable("row", self._pass)
        self.letters = MemoryTable("dead letter", self._pass)
        self.batch = ScriptedJobs(passage=self._pass)
        self.queues = MemoryQueues(self.clock)
        self.host = QueueHost(self.queues, self.clock, self._pass)
        self.sender = AppSender(self.queues, self._pass)
        self.traceparent: str | None = None
        """The trace of each invocation that the host makes."""
        self.app = self.worker()

    def worker(self, clock: Clock | None = None, random: Callable[[], float] = lambda: 0.5) -> App:
        """Another process of the app."""
        adapters = Adapters(
            records=self.records,
            letters=self.letters,
            sender=self.sender,
            batch=self.batch,
            clock=clock or self.clock,
            lanes=Lanes(self.settings.batch_accounts, 1, lambda *_: InlineExecutor()),
            random=random,
        )
        return App(self.settings, adapters)

    def _pass(self, operation: Operation[T]) -> T:
        return self.passage(operation)

    # The queues

    def request(self, **fields: Any) -> dict[str, Any]:
        """A valid request whose task exists."""
        body = {"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "taskId": "task-1"} | fields
        self.batch.tasks.add((body["jobId"].lower(), body["taskId"].lower()))
        return body

    def put(self, body: object, queue: str = "requests") -> None:
        """Queues a request, as a producer does."""
        self.queues.put(queue, body if isinstance(body, str) else json.dumps(body))

    def put_request(self, **fields: Any) -> dict[str, Any]:
        """Queues a valid request with these fields, whose task exists; returns the request."""
        body = self.request(**fields)
        self.put(body)
        return body

    def put_event(self, job_id: str = JOB, **fields: Any) -> dict[str, Any]:
        """Queues an event for a job; returns the event."""
        body = job_event(job_id, **fields)
        self.put(body, "job-completions")
        return body

    def messages(self, queue: str = "requests") -> list[Message]:
        """The messages of a queue, hidden ones included."""
        return self.queues[queue]

    def results(self) -> list[dict[str, Any]]:
        """The result messages so far."""
        return [json.loads(message.text) for message in self.messages("results")]

    def outcomes(self) -> list[str]:
        """The outcomes so far, in order."""
        return [result["data"]["outcome"] for result in self.results()]

    def closings(self) -> list[dict[str, Any]]:
        """The closing events of clean-ups, in order."""
        return [result for result in self.results() if result["type"].startswith("batch.job-cleanup.")]

    # The tables

    def stored_letters(self) -> list[dict[str, Any]]:
        """The rows of the dead letters."""
        return [row for key, row in self.letters.rows.items() if key[1].startswith("id:")]

    def owed(self) -> list[object]:
        """For each row, whether its result is still owed."""
        return [row["emit_pending"] for row in self.records.rows.values() if "emit_pending" in row]

    # The host

    def deliver(self, queue: str = "requests", app: App | None = None, message: Message | None = None) -> bool:
        """Delivers a message, by default the first visible one; False if there is none. Exceptions are raised."""
        message = message or next((found for _, found in self.queues.visible(queue)), None)
        if message is None:
            return False
        self.host.deliver(queue, message, lambda message: self._invoke(queue, message, app))
        return True

    def _invoke(self, queue: str, message: Message, app: App | None) -> None:
        for text in self.run(queue, message, app):
            self.sender.send("results", text)

    def run(self, queue: str, message: Message, app: App | None = None) -> list[str]:
        """Runs one invocation; returns the texts that the output binding would send."""
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
        return service(delivery) or []

    def deliver_all(self, queue: str = "requests", app: App | None = None) -> None:
        """Delivers all visible messages of a queue."""
        while self.deliver(queue, app):
            pass

    def settle(self, limit: int = 200, withstand: tuple[type[BaseException], ...] = ()) -> None:
        """Delivers messages, moving the clock, until all input queues are empty.

        Errors of the kinds in `withstand` count as failed deliveries; any other is raised.
        """
        for _ in range(limit):
            if visible := self.queues.visible(*INPUTS):
                with suppress(*withstand):
                    self.deliver(visible[0][0], message=visible[0][1])
                continue
            waiting = [m.visible_at for queue in INPUTS for m in self.messages(queue)]
            if not waiting:
                return
            self.clock.advance(max(0.001, (min(waiting) - self.clock.now()).total_seconds()))
        raise AssertionError(f"not quiet after {limit} steps")


def job_world(job_id: str = JOB) -> World:
    """An app, and a job of 25 completed tasks listed in pages of 10."""
    world = World()
    world.batch.seed(job_id, 25)
    world.batch.page_size = 10
    return world

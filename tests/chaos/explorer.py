"""A random walk through interleavings, in which every choice follows from the run's seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.api.answer import Call
from shared.request.model import derived_id
from shared.wiring.services import App
from tests.chaos.faults import Fault, Plan, Trouble, each, nothing, since
from tests.chaos.interleaving import STALL, Interleaving
from tests.chaos.recovery import call_until_answered, until_quiet
from tests.fakes.app import INPUTS
from tests.fakes.batch import LOST, NOT_SENT, refused
from tests.fakes.calls import call

STEPS = 14


@dataclass(frozen=True)
class Weather:
    """Which faults happen, how often and how early in an invocation, and how long the pauses are."""

    kinds: tuple[Trouble, ...] = (*Fault, *Fault, *(STALL,) * 6)
    rate: float = 0.5
    operations: int = 7
    pauses: tuple[float, ...] = (1, 5, 30, 61, 100, 181, 240, 601)


STORM = Weather()
FROST = Weather(kinds=(STALL,), rate=0.8, operations=2, pauses=(181, 240, 601))
"""Workers that freeze while they hold or take a claim, for longer than a lease lasts."""


PARENT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
REQUEST = "2b1d8a52-3c0e-4b7a-9d46-2e8c41b7f903"
EVENT = "0f8fad5b-d9cb-469f-a165-70867728950e"


class Explorer:
    """Makes the choices of one run, which follow from its seed or from hypothesis."""

    def __init__(
        self, choices: int | random.Random, *, doors: tuple[str, ...], weather: Weather = STORM, steps: int = STEPS
    ) -> None:
        self.random = random.Random(choices) if isinstance(choices, int) else choices
        pick = self.random.uniform
        self.interleaving = Interleaving((pick(-60, 60), pick(-60, 60), pick(-60, 60)), BATCH_MAX_ATTEMPTS="5")
        self.world = self.interleaving.world
        self.world.host.leaves_originals = self.random.random() < 0.2
        self.weather = weather
        self.length = steps
        # The id is fixed: the order of rows and dead letters depends on the ids, and the run picks some of them.
        self.body = self.world.request(clientRequestId=REQUEST)
        self.guid = str(self.body["clientRequestId"])
        always = ("deliver", "poison", "pause", "resume", "answer")
        self.steps: dict[str, Callable[[], object]] = {name: getattr(self, name) for name in (*always, *doors)}
        self.accepted = False
        self.is_seeded = False
        self.promised: list[str] = []
        """Ids that the app has certainly accepted, besides that of the first request."""

    def run(self) -> list[str]:
        """Plays the run and returns the promises that it broke."""
        weights = {"deliver": 8, "pause": 4, "resume": 2, "answer": 2}
        names = list(self.steps)
        for _ in range(self.random.randint(1, 3) if "queue" in names else 0):
            self.queue()
        for name in self.random.choices(names, [weights.get(n, 1) for n in names], k=self.length):
            self.steps[name]()
        self.interleaving.resume_all()
        self.world.batch.script.clear()
        if not self.accepted:
            call_until_answered(self.world, lambda: self.world.post(self.body))
        until_quiet(self.world)
        return self.interleaving.promises.broken(self.guid, *self.promised) + self._faults_of_the_cleanup()

    def _faults_of_the_cleanup(self) -> list[str]:
        """What is wrong if the clean-up did not end, or did not publish its end."""
        row = next((row for (_, key), row in self.world.records.rows.items() if key == f"cleanup:{EVENT}"), None)
        if row is None:
            return []
        closing = {event["type"] for event in self.world.results() if event["data"].get("eventId") == EVENT}
        done = "batch.job-cleanup.done"
        ends = {"listed": "batch.job-cleanup.listed", "failed": done, "cancelled": done}
        end = ends.get(str(row["phase"]))
        if end not in closing:
            return [f"the clean-up is {row['phase']}, and {closing or 'nothing'} was told"]
        for _ in range(3):
            # A clean-up that is over must report no open tasks once its lost messages have been recovered.
            self.world.clock.advance(24 * 3600)
            until_quiet(self.world)
        told = self.world.progress(EVENT).content
        return [f"the clean-up is over and tells {told}"] if told["open"] else []

    def plan(self) -> Plan:
        """The faults of one invocation: mostly one, now and then two, or everything from some operation on."""
        if self.random.random() > self.weather.rate:
            return nothing
        kinds, operations = self.weather.kinds, self.weather.operations
        count = self.random.choice((1, 1, 2))
        troubles = {self.random.randrange(operations): self.random.choice(kinds) for _ in range(count)}
        return since(*troubles.popitem()) if self.random.random() < 0.1 else each(troubles)

    def deliver(self) -> None:
        """Delivers a random visible message to a random worker."""
        self._deliver(*(queue for queue in INPUTS if not queue.endswith("-poison")))

    def poison(self) -> None:
        """Delivers a random message of a poison queue."""
        self._deliver(*(queue for queue in INPUTS if queue.endswith("-poison")))

    def _deliver(self, *queues: str) -> None:
        if visible := self.world.queues.visible(*queues):
            worker, plan = self.random.randrange(3), self.plan()
            queue, message = self.random.choice(visible)
            self.interleaving.deliver(queue, worker, plan, message)

    def pause(self) -> None:
        """Lets time pass."""
        self.world.clock.advance(self.random.choice(self.weather.pauses))

    def resume(self) -> None:
        """Lets a stalled invocation go on, or kills its process."""
        if self.interleaving.stalled:
            self.interleaving.resume(self.random.choice(self.interleaving.stalled), die=self.random.random() < 0.3)

    def answer(self) -> None:
        """Chooses another answer for the next DELETE."""
        after_effect = self.world.batch.after_effect
        error = refused(500, "InternalError")
        choices: list[Any] = [LOST, NOT_SENT, refused(429, "TooManyRequests", 20), error]
        choices += [after_effect(LOST), after_effect(error)]
        if "cancel" in self.steps:
            choices += [refused(409, "TaskCompleted"), after_effect(refused(501, "NotImplemented"))]
        self.world.batch.script.append(self.random.choice(choices))

    def queue(self) -> None:
        """Queues the request, perhaps a second time, and at times as the host's poison copy."""
        poisoned = self.accepted and self.random.random() < 0.3
        self.world.put(self.body, "requests-poison" if poisoned else "requests")
        self.accepted = True

    def http(self) -> None:
        """Sends the request over HTTP."""
        self._ask(lambda: self._worker().api.submit(_post(self.body)))

    def synchronous(self) -> None:
        """Makes the synchronous call."""
        route = {"jobId": "job-1", "taskId": "task-1"}
        headers = {"client-request-id": self.guid}
        worker = self._worker()
        self._ask(lambda: worker.api.delete_task(call(route=route, headers=headers)))

    def _ask(self, ask: Callable[[], Any]) -> None:
        def asked() -> None:
            # A refusal of Batch is the answer for a request that ended, even if it was redriven while its caller waited.
            assert ask().status < 400 or self.interleaving.promises.has_ended(self.guid)
            self.accepted = True

        self.interleaving.begin(asked, self.plan())

    def group(self) -> None:
        """Requests four tasks at once, by message or over HTTP, due at once or in a minute."""
        names = [f"group-{n}" for n in range(4)]
        body: dict[str, Any] = {"clientRequestId": PARENT, "jobId": "job-1", "taskIds": names, "deleteAfter": "PT1M"}
        ids = [derived_id(PARENT, "job-1", name) for name in names]
        if not self.is_seeded:
            self.world.batch.tasks |= {("job-1", name) for name in names}
            self.is_seeded = True

        def asked() -> None:
            assert self._worker().api.submit(_post(body)).status == 202
            self.promised = ids

        if self.random.random() < 0.5:
            self.world.put(body)
            self.promised = ids
        else:
            self.interleaving.begin(asked, self.plan())

    def clean_up(self) -> None:
        """Requests the clean-up of a job with three completed tasks, page by page."""
        if "job-2" not in self.world.batch.states:
            self.world.batch.seed("job-2", 3)
            self.world.batch.page_size = 2
        self.world.put({"clientRequestId": EVENT, "jobId": "job-2"}, "job-completions")

    def cancel(self) -> None:
        """Cancels a request, if it has not begun."""
        rows = sorted(str(row["RowKey"]) for row in self.world.records.rows.values() if "request" in row)
        if rows:
            route = {"clientRequestId": self.random.choice(rows)}
            worker = self._worker()
            self.interleaving.begin(lambda: worker.api.cancel(call(route=route)), self.plan())

    def cancel_cleanup(self) -> None:
        """Cancels the clean-up."""
        worker = self._worker()
        self.interleaving.begin(lambda: worker.cleanups.cancel(call(route={"id": EVENT})), self.plan())

    def housekeeping(self) -> None:
        """Runs the daily round, at any time of day."""
        worker = self._worker()
        self.interleaving.begin(lambda: worker.housekeeping.round(600), self.plan())

    def redrive(self) -> None:
        """Redrives a dead letter."""
        ids = sorted({str(row["id"]) for row in self.world.letters.rows.values()})
        if ids:
            route = {"id": self.random.choice(ids)}
            worker = self._worker()
            self.interleaving.begin(lambda: worker.dead_letters.redrive(call(route=route)), self.plan())

    def _worker(self) -> App:
        return self.interleaving.workers[self.random.randrange(3)]


def _post(body: dict[str, Any]) -> Call:
    return call(body=json.dumps(body).encode())

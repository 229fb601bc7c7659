"""A random driver of a tangle: every choice of a run follows from its seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.api.answer import Call
from shared.batch.reply import Reply
from tests.faults import Kind, insist, until_quiet
from tests.tangle import STALL, Plan, Tangle
from tests.world import LOST, NOT_SENT, call, refused

STEPS = 14


@dataclass(frozen=True)
class Trouble:
    """What goes wrong, how often and how early in an invocation, and how long the pauses are."""

    kinds: tuple[Kind | str, ...] = (*Kind, *Kind, *(STALL,) * 6)
    rate: float = 0.5
    operations: int = 7
    pauses: tuple[float, ...] = (1, 5, 30, 61, 100, 181, 240, 601)


TROUBLE = Trouble()
STALLS = Trouble(kinds=(STALL,), rate=0.8, operations=2, pauses=(181, 240, 601))
"""Workers that freeze about their claims for longer than a lease."""


class Driver:
    """Makes one run's choices."""

    def __init__(self, seed: int, *, doors: tuple[str, ...], trouble: Trouble = TROUBLE) -> None:
        self.random = random.Random(seed)
        pick = self.random.uniform
        self.tangle = Tangle((pick(-60, 60), pick(-60, 60), pick(-60, 60)), BATCH_MAX_ATTEMPTS="5")
        self.tangle.poison_copies_stay = self.random.random() < 0.2
        self.world = self.tangle.world
        self.trouble = trouble
        self.body = self.world.request()
        self.guid = str(self.body["clientRequestId"])
        self.steps: dict[str, Callable[[], object]] = {
            "deliver": self.deliver,
            "poison": self.poison,
            "pause": self.pause,
            "resume": self.resume,
            "answer": self.answer,
        }
        more: dict[str, Callable[[], object]] = {
            "queue": self.put,
            "http": self.post,
            "synchronous": self.delete,
            "housekeeping": self.housekeeping,
            "redrive": self.redrive,
        }
        self.steps |= {name: more[name] for name in doors}
        self.accepted = False

    def run(self) -> list[str]:
        """The promises that this run broke."""
        weights = {"deliver": 8, "pause": 4, "resume": 2, "answer": 2}
        names = list(self.steps)
        for _ in range(self.random.randint(1, 3) if "queue" in names else 0):
            self.put()
        for name in self.random.choices(names, [weights.get(n, 1) for n in names], k=STEPS):
            self.steps[name]()
        self.tangle.resume_all()
        self.world.batch.script.clear()
        if not self.accepted:
            insist(self.world, lambda: self.world.post(self.body))
        until_quiet(self.world)
        return self.tangle.watch.faults(self.guid)

    def plan(self) -> Plan:
        """What goes wrong in one invocation: mostly one thing, now and then two."""
        if self.random.random() > self.trouble.rate:
            return {}
        kinds, operations = self.trouble.kinds, self.trouble.operations
        return {
            self.random.randrange(operations): self.random.choice(kinds) for _ in range(self.random.choice((1, 1, 2)))
        }

    def deliver(self) -> None:
        """A random visible message to a random worker."""
        self._deliver("requests")

    def poison(self) -> None:
        """The same from the poison queue."""
        self._deliver("requests-poison")

    def _deliver(self, queue: str) -> None:
        now = self.world.clock.now()
        visible = [m for m in self.world.messages(queue) if m.visible_at <= now]
        if visible:
            self.tangle.deliver(queue, self.random.randrange(3), self.plan(), self.random.choice(visible))

    def pause(self) -> None:
        """Time passes."""
        self.world.clock.advance(self.random.choice(self.trouble.pauses))

    def resume(self) -> None:
        """Something that stalled goes on, or its process is killed."""
        if self.tangle.stalled:
            self.tangle.resume(self.random.choice(self.tangle.stalled), die=self.random.random() < 0.3)

    def answer(self) -> None:
        """The next DELETE is answered in some other way."""

        def after_effect(reply: Reply) -> Callable[[], Reply]:
            def act() -> Reply:
                self.world.batch.take(self.world.batch.calls[-1])
                return reply

            return act

        error = refused(500, "InternalError")
        choices: list[Any] = [LOST, NOT_SENT, refused(429, "TooManyRequests", 20), error]
        choices += [after_effect(LOST), after_effect(error)]
        self.world.batch.script.append(self.random.choice(choices))

    def put(self) -> None:
        """A producer puts the request, once more perhaps; at times as the host's poison copy."""
        poisoned = self.accepted and self.random.random() < 0.3
        self.world.put(self.body, "requests-poison" if poisoned else "requests")
        self.accepted = True

    def post(self) -> None:
        """A caller sends the request over HTTP."""
        self._ask(lambda: self.tangle.workers[self.random.randrange(3)].api.submit(_post(self.body)))

    def delete(self) -> None:
        """A caller makes the synchronous call."""
        route = {"jobId": "job-1", "taskId": "task-1"}
        headers = {"client-request-id": self.guid}
        worker = self.tangle.workers[self.random.randrange(3)]
        self._ask(lambda: worker.api.delete_task(call(route=route, headers=headers)))

    def _ask(self, ask: Callable[[], Any]) -> None:
        def asked() -> None:
            assert ask().status < 400 or self._is_done_without_a_delete()
            self.accepted = True

        self.tangle.begin(asked, self.plan())

    def _is_done_without_a_delete(self) -> bool:
        row = self.tangle.watch.row(self.guid)
        return row is not None and row["outcome"] == "exhausted"

    def housekeeping(self) -> None:
        """The daily round, at any time of the day."""
        worker = self.tangle.workers[self.random.randrange(3)]
        self.tangle.begin(lambda: worker.housekeeping.round(600), self.plan())

    def redrive(self) -> None:
        """A person puts a dead letter back."""
        ids = sorted({str(row["id"]) for row in self.world.letters.rows.values()})
        if ids:
            route = {"id": self.random.choice(ids)}
            worker = self.tangle.workers[self.random.randrange(3)]
            self.tangle.begin(lambda: worker.dead_letters.put_back(call(route=route)), self.plan())


def _post(body: dict[str, Any]) -> Call:
    return call(body=json.dumps(body).encode())

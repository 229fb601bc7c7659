"""The demonstration's requests, and the outcome expected of each. Pure, except for random ids."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

JOB = "demo-render"
CLEANED_JOB = "demo-finished"


@dataclass(frozen=True)
class Ask:
    """One request: its way in, and the outcome that it must have."""

    body: dict[str, Any] | str
    expected: str
    door: str = "queue"
    """`queue`, `http`, `direct` (the synchronous DELETE) or `poison` (as if the host had given up the message)."""
    certainty: str = "confirmed"
    attempts: int | None = None
    status: int | None = None
    """The HTTP status that the app must answer."""

    @property
    def id(self) -> str | None:
        return self.body["clientRequestId"] if isinstance(self.body, dict) else None


@dataclass(frozen=True)
class Scene:
    """Requests that show one thing, and the faults that the Batch account simulates for them."""

    title: str
    asks: tuple[Ask, ...]
    faults: tuple[dict[str, Any], ...] = ()
    deletes: int = 0
    """How many DELETEs must reach Batch."""
    results: int = field(default=-1)
    """How many distinct results must be published; -1 for one per request."""


def request(task: str, **fields: Any) -> dict[str, Any]:
    """A valid request with a new id."""
    return {"clientRequestId": str(uuid.uuid4()), "jobId": JOB, "taskId": task, **fields}


class Tasks:
    """Hands out the tasks of the demonstration's job, each once."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, count: int) -> Iterator[str]:
        """The next `count` tasks."""
        for _ in range(count):
            self.used += 1
            yield f"frame-{self.used}"

    def one(self) -> str:
        """The next task."""
        return next(self.take(1))


def scenes(size: int) -> tuple[list[Scene], int]:
    """All scenes, and the number of tasks that the job needs. `size` requests use each of the two main ways in."""
    tasks = Tasks()
    found = [
        Scene(
            "over HTTP, worked on from the queue",
            tuple(Ask(request(t), "deleted", "http", status=202) for t in tasks.take(size)),
            deletes=size,
        ),
        Scene("from the queue", tuple(Ask(request(t), "deleted") for t in tasks.take(size)), deletes=size),
        _duplicates(tasks),
        _conflict(tasks),
        Scene(
            "If-Match that does not hold",
            tuple(Ask(request(t, ifMatch='"0x0"'), "preconditionFailed") for t in tasks.take(5)),
            deletes=5,
        ),
        Scene(
            "tasks that are not there",
            tuple(Ask(request(f"ghost-{n}"), "notFound") for n in range(5)),
            deletes=5,
        ),
        _throttled(tasks),
        _lost_reply(tasks),
        Scene(
            "the synchronous DELETE",
            (
                *(Ask(request(t), "deleted", "direct", status=200) for t in tasks.take(4)),
                Ask(request("ghost-direct"), "notFound", "direct", status=404),
            ),
            deletes=5,
        ),
        Scene("a dry run", (Ask(request(tasks.one(), dryRun=True), "wouldDelete"),)),
        Scene("text that is no request", (Ask("this is no request", "rejected"),)),
        Scene("a message that the host gave up", (Ask(request(tasks.one()), "exhausted", "poison"),)),
    ]
    return found, tasks.used


def _duplicates(tasks: Tasks) -> Scene:
    body = request(tasks.one())
    doors = ("http", "queue") * 10
    return Scene(
        "one request twenty times, over both doors",
        tuple(Ask(body, "deleted", door) for door in doors),
        deletes=1,
        results=1,
    )


def _conflict(tasks: Tasks) -> Scene:
    body = request(tasks.one())
    other = body | {"taskId": tasks.one()}
    return Scene(
        "one id, two payloads",
        (Ask(body, "deleted", "http", status=202), Ask(other, "conflict"), Ask(other, "conflict", "http", status=422)),
        deletes=1,
        results=2,
    )


def _throttled(tasks: Tasks) -> Scene:
    names = list(tasks.take(8))
    return Scene(
        "throttled twice, then served",
        tuple(Ask(request(t), "deleted", attempts=3) for t in names),
        tuple({"task": t, "status": 429, "retryAfter": 1, "times": 2} for t in names),
        deletes=24,
    )


def _lost_reply(tasks: Tasks) -> Scene:
    names = list(tasks.take(4))
    return Scene(
        "deleted, but the reply was lost",
        tuple(Ask(request(t), "deleted", certainty="inferred", attempts=2) for t in names),
        tuple({"task": t, "drop": True, "afterEffect": True, "times": 1} for t in names),
        deletes=8,
    )

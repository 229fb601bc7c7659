"""One fault at one operation of the app, and what has to hold however things went."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from shared.batch.reply import Reply
from shared.errors import AppError, StorageUnavailable
from shared.ledger.record import Key, Outcome
from shared.ledger.tally import totals
from shared.request.model import DeletionRequest
from tests.memory_table import Repeated
from tests.world import INPUTS, LOST, NOT_SENT, World, call


class ProcessDied(BaseException):
    """The worker process is gone: nothing after this point of the invocation happens."""


class Kind(StrEnum):
    """What goes wrong at an operation."""

    FAILS = "fails"
    """It has no effect, and the app is told of a fault."""
    LOSES_ITS_ANSWER = "loses its answer"
    """It has its effect, and the app is told of a fault."""
    IS_REPEATED = "is repeated"
    """It has its effect, and the client library, which missed the answer, sends it again."""
    DEATH_BEFORE = "death before"
    DEATH_AFTER = "death after"


BEFORE = {Kind.FAILS, Kind.DEATH_BEFORE}
DEATHS = {Kind.DEATH_BEFORE, Kind.DEATH_AFTER}


@dataclass
class OneFault:
    """Numbers the operations of the app in a world and spoils the one with the number `at`."""

    world: World
    at: int = -1
    kind: Kind = Kind.FAILS
    names: list[str] = field(default_factory=list)
    """Of the operations so far."""
    _open: list[int] = field(default_factory=list)

    def install(self) -> OneFault:
        """From now on each operation is counted."""
        self.world.records.fault = self._named("row", self._storage)
        self.world.letters.fault = self._named("dead letter", self._storage)
        self.world.send_fault = self._named("send", self._send)
        self.world.return_fault = self._named("host", self._storage)
        self.world.batch.fault = self._batch
        return self

    def remove(self) -> None:
        """From now on nothing is counted or spoilt."""
        self.at = -1

    def _named(self, place: str, act: Callable[[str], None]) -> Callable[[str, str], None]:
        def fault(when: str, what: str) -> None:
            if when == "before":
                self._begin(f"{place} {what}")
                if self._hits() and self.kind in BEFORE:
                    self._open.pop()
                    self._raise(ProcessDied if self.kind in DEATHS else StorageUnavailable)
            elif self._end() and self.kind not in BEFORE:
                act(what)

        return fault

    def _begin(self, name: str) -> None:
        self._open.append(len(self.names))
        self.names.append(name)

    def _hits(self) -> bool:
        return self._open[-1] == self.at

    def _end(self) -> bool:
        return self._open.pop() == self.at

    def _raise(self, fault: type[BaseException]) -> None:
        raise fault(f"{self.kind} at operation {self.at}, {self.names[self.at]}")

    def _storage(self, what: str) -> None:
        if self.kind is Kind.IS_REPEATED and what == "return":
            return
        self._raise({Kind.DEATH_AFTER: ProcessDied, Kind.IS_REPEATED: Repeated}.get(self.kind, StorageUnavailable))

    def _send(self, queue: str) -> None:
        if self.kind is not Kind.IS_REPEATED:
            self._storage(queue)
        messages = self.world.messages(queue)
        messages.append(replace(messages[-1], id=str(uuid.uuid4())))

    def _batch(self, answer: Callable[[], Reply]) -> Reply:
        self._begin("batch delete")
        if self._hits() and self.kind in BEFORE:
            self._open.pop()
            if self.kind in DEATHS:
                self._raise(ProcessDied)
            return NOT_SENT
        reply = answer()
        if self._end() and self.kind not in BEFORE:
            if self.kind is Kind.DEATH_AFTER:
                self._raise(ProcessDied)
            return LOST
        return reply


MAY_BE_SURE = {Outcome.FAILED, Outcome.EXHAUSTED, Outcome.EXPIRED, Outcome.CANCELLED, Outcome.PRECONDITION_FAILED}
"""Ends that are certain only when no DELETE of the request can have had an effect."""


class Watch:
    """Sees each DELETE as it is sent and each end as it is recorded; at the end, whether the promises were kept."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.broken: list[str] = []
        self._ends: dict[tuple[str, object], tuple[object, object]] = {}
        world.batch.on_delete = self._sent
        world.records.on_put = self._written

    def _sent(self, request: DeletionRequest) -> None:
        row = self.row(request.client_request_id)
        if row is not None and row["state"] == "done":
            self.broken.append(f"a DELETE was sent after the outcome of {request.client_request_id}")

    def _written(self, row: dict[str, object]) -> None:
        """Looks at an end: what it says for certain has to be so at that moment."""
        if row.get("state") != "done":
            return
        guid, outcome, certainty = str(row["RowKey"]), Outcome(str(row["outcome"])), row["certainty"]
        end = (outcome, certainty)
        if self._ends.setdefault((guid, row["generation"]), end) != end:
            self.broken.append(f"{guid} ended as {self._ends[guid, row['generation']]} and then as {end}")
        acted, told = guid in self.world.batch.effects, guid in self.world.batch.confirmed
        if certainty == "confirmed" and outcome in MAY_BE_SURE and acted:
            self.broken.append(f"{guid} is {outcome} for certain, but it deleted the task")
        if certainty == "confirmed" and outcome is Outcome.DELETED and not told:
            self.broken.append(f"{guid} is deleted for certain, but nobody said so")
        if outcome is Outcome.NOT_FOUND and acted:
            self.broken.append(f"{guid} is notFound, but its task was there")
        if certainty == "unknown" and not row["attempts"] and not row["generation"]:
            self.broken.append(f"{guid} is uncertain, but nothing was ever tried")

    def row(self, client_request_id: str) -> dict[str, Any] | None:
        """The row of a request."""
        key = Key(client_request_id)
        return self.world.records.rows.get((key.bucket, key.row))

    def faults(self, *client_request_ids: str) -> list[str]:
        """The promises that were broken for these requests, and by whatever else there is."""
        stored = {str(row["RowKey"]) for row in self.world.records.rows.values() if "request" in row}
        found = list(dict.fromkeys(self.broken))
        for guid in sorted(stored | set(client_request_ids)):
            found += self._faults_of(guid)
        return found + self._faults_of_counts()

    def _faults_of(self, guid: str) -> list[str]:
        row = self.row(guid)
        if row is None or row["state"] != "done":
            return [f"{guid} was lost: its row is {row['state'] if row else 'not there'}"]
        results = [r for r in self.world.results() if r["data"].get("clientRequestId") == guid]
        if not results:
            return [f"{guid} is done without a result"]
        found = []
        generations = int(row["generation"]) + 1
        stories: dict[str, list[dict[str, Any]]] = {}
        for result in results:
            story = {**result, "data": {**result["data"], "replayed": None}}
            stories.setdefault(result["id"], [])
            if story not in stories[result["id"]]:
                stories[result["id"]].append(story)
        if len(stories) > generations:
            found.append(f"{guid} has {len(stories)} outcomes in {generations} generation(s)")
        found += [f"{guid} has emissions that differ: {told}" for told in stories.values() if len(told) > 1]
        if row["outcome"] in {"deleted", "notFound"} and self._is_there(results[-1]["data"]):
            found.append(f"{guid} is {row['outcome']}, but its task is there")
        return found

    def _is_there(self, data: dict[str, Any]) -> bool:
        return (data["jobId"].lower(), data["taskId"].lower()) in self.world.batch.tasks

    def _faults_of_counts(self) -> list[str]:
        """Whether the counts of each parent are those of its rows."""
        rows = [row for row in self.world.records.rows.values() if row.get("parent_id")]
        found = []
        for parent in sorted({str(row["parent_id"]) for row in rows}):
            own = [row for row in rows if row["parent_id"] == parent]
            counted = totals(self.world.records, parent, dry_run=False)
            done = Counter(str(row["outcome"]) for row in own)
            if (counted.requested, counted.done) != (len(own), dict(done)):
                found.append(f"the counts of {parent} are {counted}, its rows {len(own)}, {dict(done)}")
            found += self._faults_of_progress(parent, len(own))
        return found

    def _faults_of_progress(self, parent: str, rows: int) -> list[str]:
        """Whether a clean-up that had listed all tells of as many requests as have rows by now, and of none as open."""
        answer = self.world.app.cleanups.progress(call(route={"id": parent}))
        told = answer.content
        if answer.status != 200 or told["state"] != "listed" or (told["requested"], told["open"]) == (rows, 0):
            return []
        return [f"the clean-up {parent} tells {told}, its rows are {rows}"]


def until_quiet(world: World, rounds: int = 40) -> None:
    """Lets the host deliver and the daily round pass until nothing is left to do; faults are what the host sees."""
    for _ in range(rounds):
        _deliver_all(world)
        world.clock.advance(timedelta(hours=2).total_seconds())
        _withstand(lambda: world.app.housekeeping.round(600))
        if not any(world.messages(queue) for queue in INPUTS):
            return
    raise AssertionError(f"not quiet after {rounds} rounds")


def _deliver_all(world: World, limit: int = 400) -> None:
    for _ in range(limit):
        if any(_withstand(lambda queue=queue: world.deliver(queue)) for queue in INPUTS):  # type: ignore[misc]
            continue
        waiting = [m.visible_at for queue in INPUTS for m in world.messages(queue)]
        if not waiting:
            return
        world.clock.advance(max(0.001, (min(waiting) - world.clock.now()).total_seconds()))
    raise AssertionError(f"not quiet after {limit} deliveries")


def _withstand(step: Callable[[], Any]) -> bool:
    try:
        return bool(step())
    except (AppError, ProcessDied):
        return True


def insist(world: World, ask: Callable[[], Any], tries: int = 50) -> Any:
    """A caller over HTTP that repeats its call, a minute later each time, until it has an answer."""
    for _ in range(tries):
        try:
            return ask()
        except (StorageUnavailable, ProcessDied):
            world.clock.advance(60)
    raise AssertionError(f"no answer after {tries} tries")

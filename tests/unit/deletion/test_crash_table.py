"""Nothing is lost and nothing is done twice, wherever a single fault occurs.

Each scenario runs once to number its operations: every storage operation, every message sent, every call to Batch
and the host's own removal of the message. Then it runs again for each operation and each kind of fault at it.
The points C0 to C19 of docs/design.md are among them; those that need more than one fault have tests of their own.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.batch.reply import Reply
from shared.errors import AppError
from shared.ledger.record import Key
from shared.parsing.retention_setting import read_policies
from shared.request.model import derived_id
from tests.chaos.faults import Fault, Plan, after, at, disturbed, everywhere, nothing
from tests.chaos.promise_checker import PromiseChecker
from tests.chaos.recovery import call_until_answered, until_quiet
from tests.fakes.app import ACCOUNT, World
from tests.fakes.batch import DELETED, LOST, refused

# Hundreds of short runs in one test: a busy machine may take its time.
pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.timeout(1200, func_only=True)]

PARENT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
DELETED_ONLY = {"deleted"}


Scenario = Callable[[World], list[str]]
"""Brings requests in and returns their ids; a producer's own messages come before the faults."""


def single(world: World) -> list[str]:
    """One message from a producer."""
    body = world.put_request()
    return [body["clientRequestId"]]


def duplicate(world: World) -> list[str]:
    """The same request in two messages."""
    body = world.put_request()
    world.put(body)
    return [body["clientRequestId"]]


def over_http(world: World) -> list[str]:
    """A request over HTTP, by a caller that repeats its call until it is answered."""
    body = world.request()
    call_until_answered(world, lambda: world.post(body))
    return [body["clientRequestId"]]


def synchronous(world: World) -> list[str]:
    """A synchronous DELETE, by a caller that repeats it until it is answered."""
    guid = world.request()["clientRequestId"]
    call_until_answered(world, lambda: world.delete(client_request_id=guid))
    return [guid]


def synchronous_retry(world: World) -> list[str]:
    """A synchronous DELETE that needs a retry from the queue."""
    world.batch.script = [refused(429, "TooManyRequests", 30)]
    return synchronous(world)


def throttled(world: World) -> list[str]:
    """Two refusals before the task is deleted."""
    world.batch.script = [refused(429, "TooManyRequests", 30), refused(503, "ServerBusy")]
    return single(world)


def lost_reply(world: World) -> list[str]:
    """The task is deleted and the reply is lost."""
    world.batch.script = [world.batch.after_effect(LOST)]
    return single(world)


def same_bucket(count: int) -> list[str]:
    """Requests whose rows share a partition."""
    ids = (str(uuid.UUID(int=n)) for n in itertools.count())
    return list(itertools.islice((guid for guid in ids if Key(guid).bucket == "a"), count))


def group(world: World) -> list[str]:
    """Five requests in one message, one of which needs a retry."""
    world.batch.script = [world.batch.after_effect(DELETED), refused(429, "TooManyRequests")]
    bodies = [world.request(clientRequestId=guid, taskId=f"frame-{n}") for n, guid in enumerate(same_bucket(5))]
    world.put({"requests": bodies})
    return [body["clientRequestId"] for body in bodies]


def many_tasks(world: World) -> list[str]:
    """One `taskIds` call over HTTP for four tasks, whose outcomes are counted for the parent."""
    names = [f"task-{n}" for n in range(4)]
    for name in names:
        world.request(taskId=name)
    call_until_answered(world, lambda: world.post({"clientRequestId": PARENT, "jobId": "job-1", "taskIds": names}))
    return [derived_id(PARENT, "job-1", name) for name in names]


def without_rows(world: World) -> list[str]:
    """A message of the app's own for requests without rows, one of which needs a retry."""
    ids = same_bucket(3)
    bodies = [world.request(clientRequestId=guid, taskId=f"frame-{n}") for n, guid in enumerate(ids)]
    world.batch.script = [refused(429, "TooManyRequests")]
    header = {"v": 1, "origin": "job-completion", "parentId": PARENT, "acceptedAt": "2026-11-24T07:00:00Z"}
    world.put({"work": {**header, "rows": [{"request": body} for body in bodies]}})
    return ids


def scheduled(world: World) -> list[str]:
    """A request that is due in an hour."""
    body = world.put_request(deleteAfter="PT1H")
    return [body["clientRequestId"]]


def cleaned_up(world: World) -> list[str]:
    """A clean-up of a job, page by page."""
    world.batch.seed("job-1", 3)
    world.batch.page_size = 2
    world.put({"clientRequestId": PARENT, "jobId": "job-1"}, "job-completions")
    return [derived_id(PARENT, "job-1", f"t-{n:04d}") for n in range(3)]


def poisoned(world: World, passed: float = 901) -> list[str]:
    """A poison copy of a request that was tried before and whose retry is due."""
    body = world.put_request()
    world.batch.script = [refused(429, "TooManyRequests", 900)]
    world.deliver()
    world.queues["requests"].clear()
    world.clock.advance(passed)
    world.put(body, "requests-poison")
    return [body["clientRequestId"]]


def poisoned_while_it_waits(world: World) -> list[str]:
    """A poison copy of a request whose next attempt is not due yet."""
    return poisoned(world, passed=60)


def redriven(world: World) -> list[str]:
    """A failed request, redriven by a person who repeats the call until it is answered."""
    body = world.request()
    world.batch.script = [refused(409, "TaskCompleted")]
    world.put(body)
    world.settle()
    letter = next(row["id"] for row in world.letters.rows.values())
    assert call_until_answered(world, lambda: world.redrive(str(letter))).status in {202, 409}
    return [body["clientRequestId"]]


def swept(world: World) -> list[str]:
    """A sweep that requests the due tasks in pages of two."""
    policies = '[{"name": "all", "jobs": "*", "deleteAfter": "PT0S"}]'
    world.settings = replace(world.settings, retention_policies=read_policies(policies, (ACCOUNT,), []))
    world.app = world.worker()
    world.batch.seed("job-1", 3)
    world.batch.page_size = 2
    begun = world.app.sweeps.begin(ACCOUNT)
    assert begun is not None
    return [derived_id(begun.sweep_id, "job-1", f"t-{n:04d}") for n in range(3)]


SCENARIOS: list[tuple[Scenario, set[str]]] = [
    (single, DELETED_ONLY),
    (duplicate, DELETED_ONLY),
    (over_http, DELETED_ONLY),
    (synchronous, DELETED_ONLY),
    (synchronous_retry, DELETED_ONLY),
    (throttled, DELETED_ONLY),
    (lost_reply, DELETED_ONLY),
    (group, DELETED_ONLY),
    (many_tasks, DELETED_ONLY),
    (without_rows, DELETED_ONLY),
    (scheduled, DELETED_ONLY),
    (cleaned_up, DELETED_ONLY),
    (swept, DELETED_ONLY),
    (poisoned, {"exhausted"}),
    (poisoned_while_it_waits, DELETED_ONLY),
    (redriven, {"failed", "deleted"}),
]
BY_HTTP = {over_http, synchronous, synchronous_retry, many_tasks}
"""Scenarios whose first operations are the app's own, so that they may be spoilt too."""


class Played:
    """A scenario played to its end."""

    def __init__(self, scenario: Scenario, plan: Plan = nothing) -> None:
        self.world = World()
        self.promises = PromiseChecker(self.world)
        if scenario not in BY_HTTP:
            self.ids = scenario(self.world)
        with disturbed(self.world, plan) as injector:
            if scenario in BY_HTTP:
                self.ids = scenario(self.world)
            until_quiet(self.world)
        self.operations = injector.names

    def broken(self) -> list[str]:
        """The broken promises."""
        return self.promises.broken(*self.ids)


def broken_promises(scenario: Scenario, outcomes: set[str], number: int, fault: Fault) -> list[str]:
    """The broken promises, each with the operation at which the fault occurred."""
    played = Played(scenario, at(number, fault))
    found = played.broken()
    told = {r["data"]["outcome"] for r in played.world.results() if "outcome" in r["data"]}
    if not found and told != outcomes:
        found = [f"outcomes are {told}"]
    return [f"{fault} at {number}, {played.operations[number]}: {text}" for text in found]


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize(("scenario", "outcomes"), SCENARIOS, ids=[s.__name__ for s, _ in SCENARIOS])
def test_one_fault_anywhere_breaks_no_promise(scenario: Scenario, outcomes: set[str], fault: Fault) -> None:
    """One fault of any kind at any operation of any scenario breaks no promise and changes no outcome."""
    undisturbed = Played(scenario)
    assert undisturbed.broken() == []
    # From the first look into a bucket on it is the daily round, which finds nothing to do.
    operations = undisturbed.operations.index("row query") - 1
    assert operations >= 4

    found = [text for number in range(operations) for text in broken_promises(scenario, outcomes, number, fault)]

    assert found == []


@pytest.mark.parametrize("scenario", [single, over_http, group, poisoned], ids=lambda s: s.__name__)
def test_faults_are_really_made(scenario: Scenario) -> None:
    """A crash at an operation really happens: the run then needs more operations than without it."""
    plain = len(Played(scenario).operations)
    longer = [Played(scenario, at(number, Fault.DIES_BEFORE)).operations for number in range(3)]
    assert all(len(operations) > plain for operations in longer)


# Points that need more than one fault


def test_two_poison_copies_end_the_same_way() -> None:
    """C15: two poison copies of one message lead to the same outcome, published twice."""
    world = World()
    promises = PromiseChecker(world)
    body = world.request()
    for _ in range(2):
        world.put(body, "requests-poison")
    until_quiet(world)

    assert promises.broken(body["clientRequestId"]) == []
    assert world.outcomes() == ["exhausted", "exhausted"]


def test_a_death_on_the_last_delivery_is_ended_by_the_poison_function() -> None:
    """C16: if the worker dies at every delivery, the poison function ends the request as exhausted / unknown."""
    world = World()
    promises = PromiseChecker(world)
    (guid,) = single(world)
    with disturbed(world, everywhere(Fault.DIES_BEFORE, "batch delete")):
        until_quiet(world)

    assert promises.broken(guid) == []
    assert [(r["data"]["outcome"], r["data"]["certainty"]) for r in world.results()] == [("exhausted", "unknown")]


def test_a_poison_function_that_never_comes_through_leaves_the_request_to_housekeeping() -> None:
    """C17: if the poison copy is lost, the daily round requeues the request and it is carried out."""
    world = World()
    promises = PromiseChecker(world)
    (guid,) = poisoned(world)
    world.queues["requests-poison"].clear()
    until_quiet(world)

    assert promises.broken(guid) == []
    assert world.outcomes() == ["deleted"]


def test_a_late_duplicate_of_a_forgotten_request_deletes_nothing() -> None:
    """C18: a duplicate that arrives after the row was purged expires and deletes nothing."""
    world = World()
    body = world.put_request()
    world.settle()
    late = json.dumps(body)
    world.put(late)
    message = world.messages()[-1]
    message.visible_at += timedelta(days=16)
    world.clock.advance(timedelta(days=16).total_seconds())
    world.app.housekeeping.round(600)
    assert Key(body["clientRequestId"]).row not in {row for _, row in world.records.rows}

    world.batch.tasks.add(("job-1", "task-1"))
    world.settle()

    assert world.outcomes() == ["deleted", "expired"]
    assert world.batch.tasks == {("job-1", "task-1")}


@pytest.mark.parametrize("stalled_at", ["claim", "delete"])
def test_an_owner_that_stalls_past_its_lease_yields(stalled_at: str) -> None:
    """C19: a worker that stalls past its lease sends no later DELETE and records no other outcome."""
    world = World()
    promises = PromiseChecker(world)
    (guid,) = duplicate(world)

    def stall() -> None:
        world.clock.advance(200)
        world.deliver()

    def stalled() -> Reply:
        stall()
        return refused(409, "TaskCompleted")

    world.batch.script = [stalled] if stalled_at == "delete" else []
    plan = at(0, after(stall), "row write") if stalled_at == "claim" else nothing
    with disturbed(world, plan), suppress(AppError):
        world.deliver()

    until_quiet(world)
    assert promises.broken(guid) == []
    assert set(world.outcomes()) == {"deleted"}


def test_a_client_library_that_repeats_everything_changes_nothing() -> None:
    """If every write and every message is sent twice, no promise is broken."""
    world = World()
    promises = PromiseChecker(world)
    ids = [*single(world), *group(world)]
    with disturbed(world, everywhere(Fault.IS_REPEATED, "row", "dead letter", "send", "depth", "host")):
        until_quiet(world)
    assert promises.broken(*ids) == []

"""Messages that the host gave up: each request in them gets an outcome, a dead letter and a result."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.batch.reply import Reply
from shared.errors import StorageUnavailable
from shared.ledger.record import Key
from tests.chaos.faults import Fault, at, before, contended, disturbed, everywhere
from tests.fakes.app import World
from tests.fakes.batch import DELETED, LOST, refused


def poison(world: World, body: object) -> None:
    """Puts a message on the poison queue, as the host would."""
    world.put(body, "requests-poison")


def test_a_request_whose_message_failed_ten_times_is_exhausted(world: World) -> None:
    """After ten failed deliveries the message becomes poison, and its request ends as exhausted."""
    world.put_request()
    for _ in range(10):
        with disturbed(world, everywhere(Fault.FAILS, "row")), pytest.raises(StorageUnavailable):
            world.deliver()
        world.clock.advance(60)
    assert (len(world.messages()), len(world.messages("requests-poison"))) == (0, 1)

    world.settle()
    data = world.results()[0]["data"]
    assert (data["outcome"], data["certainty"], data["error"]["code"]) == (
        "exhausted",
        "confirmed",
        "DeliveriesExhausted",
    )
    assert [(letter["queue"], letter["outcome"]) for letter in world.stored_letters()] == [("requests", "exhausted")]
    assert world.owed() == [False]


@pytest.mark.parametrize(
    ("reply", "certainty", "code"),
    [(LOST, "unknown", "ConnectionReset"), (refused(429, "TooManyRequests"), "confirmed", "TooManyRequests")],
)
def test_what_is_known_of_earlier_tries_is_said(world: World, reply: Reply, certainty: str, code: str) -> None:
    """An exhausted request tells its last error, and `unknown` if an earlier DELETE may have worked."""
    body = world.request()
    world.batch.script = [reply]
    world.put(body)
    world.deliver()
    world.queues["requests"].clear()
    world.clock.advance(900)

    poison(world, body)
    world.settle()

    data = world.results()[0]["data"]
    assert (data["outcome"], data["certainty"], data["error"]["code"]) == ("exhausted", certainty, code)


def test_a_request_that_is_done_gets_its_stored_outcome(world: World) -> None:
    """A poison copy of a finished request publishes the stored result again and keeps no dead letter."""
    body = world.put_request()
    world.settle()
    poison(world, body)
    world.settle()

    assert world.outcomes() == ["deleted", "deleted"]
    assert len({r["id"] for r in world.results()}) == 1
    assert world.stored_letters() == []


def test_a_live_claim_is_waited_for(world: World) -> None:
    """A poison copy of a request under a live claim is put off until the claim's lease ends."""
    body = world.put_request()

    def meanwhile() -> Reply:
        poison(world, body)
        world.deliver("requests-poison")
        return DELETED

    world.batch.script = [meanwhile]
    world.deliver()

    (copy,) = world.messages("requests-poison")
    assert copy.visible_at == world.clock.now() + timedelta(seconds=180)
    world.settle()
    assert set(world.outcomes()) == {"deleted"}


def test_a_claim_that_is_over_is_not(world: World) -> None:
    """A poison copy of a request whose claim has expired ends it as exhausted / unknown."""
    body = world.request()

    def crash() -> Reply:
        raise RuntimeError("died")

    world.batch.script = [crash]
    world.put(body)
    with pytest.raises(RuntimeError):
        world.deliver()
    world.queues["requests"].clear()
    world.clock.advance(180)
    poison(world, body)
    world.deliver("requests-poison")

    data = world.results()[0]["data"]
    assert (data["outcome"], data["certainty"], data["attempts"]) == ("exhausted", "unknown", 1)


def test_a_request_that_waits_for_its_retry_is_not_ended(world: World) -> None:
    """A poison copy of a request that waits for its retry requeues it for that time instead of ending it."""
    body = world.request()
    world.batch.script = [refused(429, "TooManyRequests", 300)]
    world.put(body)
    world.deliver()
    world.queues["requests"].clear()

    poison(world, body)
    world.deliver("requests-poison")

    assert world.outcomes() == []
    assert [m.visible_at for m in world.messages()] == [world.clock.now() + timedelta(seconds=300)]
    world.settle()
    assert world.outcomes() == ["deleted"]


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_request_that_is_not_yet_due_is_not_ended(world: World, is_stored: bool) -> None:
    """A poison copy of a request that is not due requeues it for its due time, with or without a row."""
    body = world.request(deleteAfter="P1D")
    if is_stored:
        world.put(body)
        world.deliver()
        world.queues["requests"].clear()

    poison(world, body)
    world.deliver("requests-poison")

    assert world.outcomes() == []
    assert [m.visible_at for m in world.messages()] == [world.clock.now() + timedelta(days=1)]
    world.settle()
    assert world.outcomes() == ["deleted"]


def durations(world: World, per_operation: float) -> list[float]:
    """How long each invocation of the poison function takes until its queue is empty, in seconds."""
    took = []
    with disturbed(world, everywhere(before(lambda: world.clock.advance(per_operation)))):
        while world.messages("requests-poison"):
            began = world.clock.monotonic()
            if world.deliver("requests-poison"):
                took.append(world.clock.monotonic() - began)
    return took


def test_a_large_message_is_taken_in_parts(world: World) -> None:
    """A poison message of 1,000 requests is handled in parts, each within its time, and each request ends once."""
    ids = [f"t-{n}" for n in range(1_000)]
    poison(world, {"clientRequestId": str(uuid.uuid4()), "jobId": "job-1", "taskIds": ids})

    assert max(durations(world, 0.03)) < 120
    assert world.outcomes() == ["exhausted"] * 1_000
    assert len({result["id"] for result in world.results()}) == 1_000


def test_a_part_ends_in_time_on_slow_storage_too(world: World) -> None:
    """On slow storage, the poison function puts back what it has no time for, as a message of its own."""
    ids = [guid for guid in (str(uuid.UUID(int=n)) for n in range(2_000)) if Key(guid).bucket == "a"][:96]
    for number, guid in enumerate(ids):
        world.post(world.request(clientRequestId=guid, taskId=f"t-{number}"))
    rows = [row for message in world.messages() for row in json.loads(message.text)["work"]["rows"]]
    header = json.loads(world.messages()[0].text)["work"]
    world.queues.clear()
    poison(world, {"work": header | {"rows": rows}})

    took = durations(world, 0.35)

    assert max(took) < 120
    assert len(took) > 1
    assert world.outcomes() == ["exhausted"] * 96


def test_an_instant_before_all_time_in_utc_is_no_reason_to_fail_for_ever(world: World) -> None:
    """An own message whose time falls before year 1 in UTC is rejected instead of failing again and again."""
    header = {"v": 1, "origin": "http", "parentId": None, "acceptedAt": "0001-01-01T00:00:00+14:00"}
    text = {"work": {**header, "rows": [{"request": world.request()}]}}
    world.put(text)
    poison(world, text)
    world.settle()
    assert world.outcomes() == ["rejected", "rejected"]


def test_a_row_that_cannot_be_read_ends_its_request_alone(world: World) -> None:
    """In a poison message, a row that cannot be read ends its request as exhausted; the others end as usual."""
    ids = [guid for guid in (str(uuid.UUID(int=n)) for n in range(200)) if Key(guid).bucket == "a"][:3]
    bodies = [world.request(clientRequestId=guid, taskId=f"t-{n}") for n, guid in enumerate(ids)]
    world.post(bodies[1])
    world.queues.clear()
    world.records.rows["a", ids[1]]["state"] = "?"

    poison(world, {"requests": bodies})
    world.settle()

    ends = {r["data"]["clientRequestId"]: (r["data"]["outcome"], r["data"]["error"]["code"]) for r in world.results()}
    assert ends[ids[1]] == ("exhausted", "CorruptRecord")
    assert {ends[ids[0]], ends[ids[2]]} == {("exhausted", "DeliveriesExhausted")}
    assert len(world.results()) == 3


def test_a_copy_that_outlived_its_row_is_expired(world: World) -> None:
    """A poison copy that arrives after its row was purged expires, without a dead letter to redrive."""
    body = world.put_request()
    world.settle()
    world.put(body, "requests-poison")
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    assert world.records.rows.keys() <= {("housekeeping", "cursor")}
    world.settle()
    assert world.outcomes() == ["deleted", "expired"]
    assert world.dead_letters() == []


def test_another_payload_is_a_conflict(world: World) -> None:
    """A poison message with a known id and another payload is a conflict, and the row is unchanged."""
    body = world.put_request()
    world.settle()
    poison(world, world.request(clientRequestId=body["clientRequestId"], taskId="task-2"))
    world.settle()
    assert world.outcomes() == ["deleted", "conflict"]


def test_what_is_no_request_is_rejected(world: World) -> None:
    """An invalid poison message is rejected with the same result id as on the request queue."""
    world.put("nonsense")
    world.settle()
    poison(world, "nonsense")
    world.settle()
    assert world.outcomes() == ["rejected", "rejected"]
    assert len({r["id"] for r in world.results()}) == 1


def test_many_in_one_message_each_get_theirs(world: World) -> None:
    """In a poison message of several requests, finished, new and invalid ones each get their own result."""
    bodies = [world.request(taskId=f"task-{n}") for n in range(3)]
    world.put(bodies[0])
    world.settle()
    poison(world, {"requests": [*bodies, {}]})
    world.settle()

    assert sorted(world.outcomes()) == ["deleted", "deleted", "exhausted", "exhausted", "rejected"]


@pytest.mark.parametrize("done_before", [False, True])
def test_a_result_that_could_not_be_sent_is_marked_as_owed(world: World, done_before: bool) -> None:
    """If the poison function cannot send a result, the row is marked, and the daily round sends it."""
    body, no_results = world.request(), everywhere(Fault.FAILS, "send results")
    if done_before:
        world.put(body)
        with disturbed(world, no_results), pytest.raises(StorageUnavailable):
            world.deliver()
        world.queues["requests"].clear()
    poison(world, body)
    with disturbed(world, no_results), pytest.raises(StorageUnavailable):
        world.deliver("requests-poison")
    world.queues["requests-poison"].clear()
    assert world.owed() == [True]

    world.clock.advance(3600)
    world.app.housekeeping.round(60)
    assert world.outcomes() == ["deleted" if done_before else "exhausted"]
    assert world.owed() == [False]


def test_it_looks_again_when_the_row_changed(world: World) -> None:
    """If a worker ends the request before the poison function writes, the worker's outcome stands."""
    body = world.request()

    def delivered() -> None:
        world.put(body)
        world.deliver()

    poison(world, body)
    with disturbed(world, at(0, before(delivered), "row write")):
        world.deliver("requests-poison")
    assert set(world.outcomes()) == {"deleted"}


def test_a_mark_that_was_refused_is_made_anew(world: World) -> None:
    """If a finished row changes before its mark is written, the mark is written again."""
    body = world.put_request()
    world.settle()

    poison(world, body)
    with disturbed(world, at(0, before(world.records.touch), "row write")):
        world.deliver("requests-poison")
    assert world.outcomes() == ["deleted", "deleted"]
    assert world.owed() == [False]


def test_it_gives_up_on_a_row_that_never_holds_still(world: World) -> None:
    """If a row keeps changing, the poison function raises, and its message is delivered again."""
    body = world.put_request()
    world.batch.script = [refused(429, "TooManyRequests")]
    world.deliver()
    world.clock.advance(900)

    poison(world, body)
    with disturbed(world, contended(world.records)), pytest.raises(StorageUnavailable):
        world.deliver("requests-poison")


def own_message(world: World, body: dict[str, Any]) -> str:
    """The app's own message for an accepted request."""
    world.post(body)
    return world.messages()[-1].text


def redrive(world: World) -> None:
    """Redrives the only dead letter."""
    (letter,) = world.stored_letters()
    assert world.redrive(str(letter["id"])).status == 202


@pytest.mark.parametrize("text_of", [own_message, lambda _, body: json.dumps(body)], ids=["own", "from outside"])
def test_a_late_copy_does_not_end_a_newer_generation(
    world: World, text_of: Callable[[World, dict[str, Any]], str]
) -> None:
    """A second poison copy that arrives after a redrive does not end the new generation."""
    body = world.request(clientRequestId=str(uuid.uuid4()))
    text = text_of(world, body)
    world.queues.setdefault("requests", []).clear()
    poison(world, text)
    world.deliver("requests-poison")
    redrive(world)

    poison(world, text)
    world.deliver("requests-poison")
    world.settle()

    assert world.outcomes()[-1] == "deleted"
    assert len({r["id"] for r in world.results()}) == 2
    key = Key(body["clientRequestId"])
    assert world.records.rows[key.bucket, key.row]["generation"] == 1

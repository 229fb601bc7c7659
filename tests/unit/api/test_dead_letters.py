"""The HTTP calls about dead letters: filters, bulk passes and settling."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from shared.api.letter_pass import place_from, to_token
from shared.clock import to_text
from shared.results.dead_letter import DeadLetter
from shared.results.letter_listing import Place
from tests.fakes.app import World
from tests.fakes.batch import refused
from tests.fakes.calls import Told, ask, call
from tests.letters import old_rows
from tests.rows import PROBLEM


@pytest.fixture
def world() -> World:
    """An app whose clock has moved on since it was created."""
    world = World()
    world.clock.advance(3600)
    return world


def fail(world: World, task: str = "task-1", code: str = "InvalidHeaderValue", job: str = "job-1") -> str:
    """Makes a request end as `failed`; returns the id of its dead letter."""
    world.batch.script = [refused(400, code)]
    world.put_request(taskId=task, jobId=job)
    world.settle()
    world.clock.advance(1)
    return str(world.results()[-1]["id"])


def reject(world: World) -> str:
    """Puts a message that is no request; returns the id of its dead letter."""
    world.put({"jobId": f"!{uuid.uuid4()}"})
    world.settle()
    world.clock.advance(1)
    return str(world.results()[-1]["id"])


def listed(world: World, **query: str) -> list[str]:
    """The ids that the list shows, newest first."""
    answer = world.list_letters(**query)
    assert answer.status == 200
    return [letter["id"] for letter in answer.content["value"]]


def many(world: World, act: str = "redrive", caller: str | None = None, **body: Any) -> Told:
    """Makes one of the bulk calls."""
    method = {"redrive": world.app.dead_letters.redrive_many, "settle": world.app.dead_letters.settle_many}[act]
    return ask(method, call(body=json.dumps(body).encode(), method="POST", caller=caller))


def settle(world: World, letter_id: str, caller: str | None = None) -> int:
    """Calls `DELETE /api/dead-letters/{id}`; returns the status."""
    return ask(world.app.dead_letters.settle, call(route={"id": letter_id}, method="DELETE", caller=caller)).status


# Filters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"a", "b", "c", "no request"}),
        ({"outcome": "failed"}, {"a", "b", "c"}),
        ({"outcome": "rejected"}, {"no request"}),
        ({"reason": "InvalidUri"}, {"b"}),
        ({"jobId": "JOB-2"}, {"c"}),
        ({"queue": "requests"}, {"a", "b", "c", "no request"}),
        ({"queue": "job-completions"}, set()),
        ({"outcome": "failed", "jobId": "job-1", "reason": "InvalidHeaderValue"}, {"a"}),
        ({"since": "2026-11-24T08:30:01Z"}, {"b", "c", "no request"}),
        ({"before": "2026-11-24T08:30:01Z"}, {"a"}),
        ({"since": "2026-11-24T09:30:01+01:00", "before": "2026-11-24T08:30:02Z"}, {"b"}),
        ({"JOBID": "job-2", "settled": "false"}, {"c"}),
    ],
)
def test_a_filter_takes_what_it_names(world: World, query: dict[str, str], expected: set[str]) -> None:
    """Filters of dead letters, alone or combined, select the same letters in the list and in bulk calls."""
    assert to_text(world.clock.now()) == "2026-11-24T08:30:00.000Z"
    ids = {"a": fail(world, "a"), "b": fail(world, "b", "InvalidUri"), "c": fail(world, "c", job="job-2")}
    ids["no request"] = reject(world)
    assert set(listed(world, **query)) == {ids[name] for name in expected}
    body: dict[str, Any] = {
        "jobId" if name == "JOBID" else name: text for name, text in query.items() if name != "settled"
    }
    taken = many(world, "settle", dryRun=True, **(body or {"all": True})).content["ids"]
    assert set(taken) == {ids[name] for name in expected}
    redriven = many(world, dryRun=True, **(body or {"all": True})).content["ids"]
    assert set(redriven) == {ids[name] for name in expected if name != "no request"}


@pytest.mark.parametrize(
    "query",
    [
        {"outcome": "deleted"},
        {"queue": "results"},
        {"since": "yesterday"},
        {"before": "2026-11-24"},
        {"jobId": ".."},
        {"reason": "it's"},
        {"settled": "yes"},
        {"top": "0"},
        {"continuation": "x"},
        {"continuation": base64.b64encode(b"[" * 3_000).decode()},
        {"continuation": base64.b64encode(b'{"place": {"after": "\' or true", "scans": {}}}').decode()},
    ],
)
def test_a_filter_that_can_match_nothing_is_refused(world: World, query: dict[str, str]) -> None:
    """A filter value that no dead letter can have is refused with 400 and a pointer, in a query as in a body."""
    answer = world.list_letters(**query)
    (name,) = query
    assert (answer.status, answer.content["values"][0]["key"]) == (400, f"query:{name}")
    if name not in {"settled", "top"}:
        answer = many(world, **query)
        assert (answer.status, answer.content["values"][0]["key"]) == (400, f"/{name}")


def test_a_continuation_belongs_to_its_filters(world: World) -> None:
    """A continuation of the list is refused with 400 when it comes with other filters than its own."""
    for n in range(3):
        fail(world, f"t-{n}")
    answer = world.list_letters(top="1", outcome="failed")
    more = {"continuation": answer.content["continuation"]}
    assert len(listed(world, outcome="failed", **more)) == 2
    assert world.list_letters(**more).status == 400
    assert world.list_letters(**more, outcome="failed", settled="true").status == 400


@pytest.mark.parametrize(
    "place",
    [
        {"after": None, "scans": {}},
        {"after": [], "scans": {}},
        {"after": "", "scans": []},
        {"after": "", "scans": {"letters-0": {"PartitionKey": "\ud800", "RowKey": "1"}}},
        {"after": "", "scans": {"letters-0": {"PartitionKey": "1", "RowKey": "a\r\nb"}}},
        {"after": "", "scans": {"letters-0": {"PartitionKey": "1", "RowKey": 5}}},
        {"after": "", "scans": {"letters-0": {"PartitionKey": "1"}}},
    ],
)
def test_a_place_that_the_app_never_wrote_is_refused(world: World, place: dict[str, Any]) -> None:
    """400: a damaged continuation is neither a defect of the app nor the end of the list."""
    fail(world)
    answer = world.list_letters(continuation=to_token({"wishes": {}, "place": place}))
    assert (answer.status, answer.content["values"][0]["key"]) == (400, "query:continuation")
    token = {"act": "redrive", "wishes": {}, "place": place, "dryRun": False, "perSecond": 10}
    now = to_text(world.clock.now())
    answer = many(world, continuation=to_token(token | {"before": now, "due": now}))
    assert (answer.status, answer.content["values"][0]["key"]) == (400, "/continuation")


def test_a_scan_may_go_on_at_a_partition_without_a_row() -> None:
    """The service may leave the row key of its continuation out."""
    place = Place("", {"letters-0": {"PartitionKey": "1!8!bGV0"}})
    wire = {"after": "", "scans": {"letters-0": {"PartitionKey": "1!8!bGV0", "RowKey": None}}}
    assert place_from(wire) == place


def test_a_stored_letter_that_cannot_be_read_is_not_the_callers_fault(world: World) -> None:
    """A stored dead letter that cannot be read raises an error instead of being reported as bad input."""
    letter_id = fail(world)
    for row in world.letters.rows.values():
        row["first_seen_at"] = "nonsense"
    assert letter_id
    with pytest.raises(ValueError, match="nonsense"):
        world.list_letters()


# A pass over many


def test_a_pass_goes_on_where_its_last_call_ended(world: World) -> None:
    """Each call of a bulk redrive continues where the last one ended: every letter once, newest first."""
    ids = [fail(world, f"t-{n}") for n in range(5)]
    first = many(world, all=True, most=2).content
    second = many(world, all=True, most=2, continuation=first["continuation"]).content
    third = many(world, most=2, continuation=second["continuation"]).content

    assert [call["ids"] for call in (first, second, third)] == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert [call["matched"] for call in (first, second, third)] == [2, 2, 1]
    assert [call["more"] for call in (first, second, third)] == [True, True, False]
    assert third["continuation"] is None


def test_one_rate_holds_for_a_whole_pass(world: World) -> None:
    """The rate of a bulk redrive holds across its calls, and a late call does not catch up on lost time."""
    for n in range(6):
        fail(world, f"t-{n}")
    began = world.clock.now()
    more = many(world, all=True, most=2, perSecond=1).content["continuation"]
    more = many(world, most=2, perSecond=1, continuation=more).content["continuation"]
    world.clock.advance(60)
    many(world, most=2, perSecond=1, continuation=more)
    due = [(message.visible_at - began).total_seconds() for message in world.messages()]
    assert due == [0, 1, 2, 3, 60, 61]


def test_a_pass_keeps_its_rate_without_repeating_it(world: World) -> None:
    """A later call of a bulk redrive keeps the first one's `perSecond`, whether it repeats the value or not."""
    for n in range(5):
        fail(world, f"t-{n}")
    began = world.clock.now()
    more = many(world, all=True, most=1, perSecond=1).content["continuation"]
    more = many(world, most=2, continuation=more).content["continuation"]
    more = many(world, most=1, continuation=more, dryRun=False).content["continuation"]
    assert many(world, continuation=more, perSecond=1).status == 202
    due = [(message.visible_at - began).total_seconds() for message in world.messages()]
    assert due == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("first", "later"), [({"perSecond": 2}, 10), ({}, 11), ({"dryRun": True, "perSecond": 2}, 3)])
def test_a_pass_has_one_rate(world: World, first: dict[str, Any], later: int) -> None:
    """A later call of a bulk redrive with another rate is refused with 400 and redrives nothing."""
    for n in range(3):
        fail(world, f"t-{n}")
    mode: dict[str, Any] = {"dryRun": True} if "dryRun" in first else {}
    more = many(world, all=True, most=1, **first).content["continuation"]
    sent = len(world.messages())
    refusal = many(world, continuation=more, perSecond=later, **mode)
    assert (refusal.status, refusal.content["values"][0]["key"]) == (400, "/perSecond")
    assert len(world.messages()) == sent


@pytest.mark.parametrize("rate", [0, 1_001, -1, "5", None, True])
def test_a_continuation_with_an_impossible_rate_is_refused(world: World, rate: object) -> None:
    """A continuation that was altered to hold an invalid rate is refused with 400."""
    for n in range(3):
        fail(world, f"t-{n}")
    more = many(world, all=True, most=1).content["continuation"]
    inside = json.loads(base64.urlsafe_b64decode(more + "=" * (-len(more) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps(inside | {"perSecond": rate}).encode()).decode().rstrip("=")
    refusal = many(world, continuation=forged)
    assert (refusal.status, refusal.content["values"][0]["key"]) == (400, "/continuation")


def test_a_pass_takes_none_that_fails_while_it_runs(world: World) -> None:
    """A bulk redrive leaves out letters newer than its first call or dry run, whose instant it keeps as `before`."""
    old = fail(world, "old")
    shown = many(world, all=True, dryRun=True)
    new = fail(world, "new")
    assert (shown.status, shown.content["ids"]) == (200, [old])
    taken = many(world, all=True, before=shown.content["before"]).content
    assert taken["ids"] == [old]
    assert taken["before"] == shown.content["before"]
    assert many(world, before="2030-01-01T00:00:00Z").content["ids"] == [new]


def test_what_cannot_be_redriven_is_passed_over(world: World) -> None:
    """A bulk redrive skips letters that are settled, redriven or rejected; a bulk settle skips settled ones only."""
    redriven, settled, rejected, left = fail(world, "a"), fail(world, "b"), reject(world), fail(world, "c")
    world.redrive(redriven)
    settle(world, settled)
    assert many(world, all=True, dryRun=True).content["ids"] == [left]
    assert many(world, "settle", all=True, dryRun=True).content["ids"] == [left, rejected, redriven]


def test_what_was_redriven_before_costs_a_pass_no_calls(world: World) -> None:
    """Letters that are already redriven cost a bulk redrive no storage operations."""

    def cost() -> int:
        before = world.letters.operations
        many(world, all=True, dryRun=True)
        return world.letters.operations - before

    fail(world, "first")
    empty = cost()
    for n in range(60):
        fail(world, f"t-{n}")
    while many(world, all=True, most=50).content["more"]:
        pass
    assert cost() <= empty


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": "exhausted"},
        {"dryRun": True},
        {"all": True},
        {"continuation": "x"},
        {"reason": "InvalidUri", "outcome": "failed"},
        {"before": "2026-11-24T09:00:00Z", "outcome": "failed"},
    ],
)
def test_a_continuation_fits_its_pass_alone(world: World, wrong: dict[str, Any]) -> None:
    """A bulk continuation is refused with 400 when it comes with other filters, options or for another call."""
    for n in range(3):
        fail(world, f"t-{n}")
    more = many(world, outcome="failed", most=1).content["continuation"]
    sent = len(world.messages())
    assert many(world, **{"continuation": more} | wrong).status == 400
    assert many(world, "settle", continuation=more).status == 400
    assert len(world.messages()) == sent


def test_the_continuation_of_a_dry_run_redrives_nothing(world: World) -> None:
    """The continuation of a dry run is refused without `dryRun`; with it, the count goes on."""
    for n in range(3):
        fail(world, f"t-{n}")
    more = many(world, all=True, most=2, dryRun=True).content["continuation"]
    refusal = many(world, continuation=more)
    assert (refusal.status, refusal.content["values"][0]["key"]) == (400, "/dryRun")
    assert many(world, continuation=more, dryRun=True).content["matched"] == 1
    assert world.messages() == []


# Settling


def test_a_settled_letter_is_listed_no_longer(world: World) -> None:
    """A settled letter leaves the default list, but can be read, listed on demand, settled again and redriven."""
    letter_id, other = fail(world, "a"), fail(world, "b")
    assert (settle(world, letter_id, "ann@example.org"), settle(world, letter_id, "bob@example.org")) == (204, 204)
    assert listed(world) == [other]
    assert listed(world, settled="true") == [letter_id]
    found = world.dead_letter(letter_id).content
    assert (found["settledAt"], found["settledBy"]) == ("2026-11-24T08:30:02.000Z", "ann@example.org")
    assert world.redrive(letter_id).status == 202


@pytest.mark.parametrize("letter_id", [str(uuid.UUID(int=7)), "x", ""])
def test_an_unknown_letter_cannot_be_settled(world: World, letter_id: str) -> None:
    """Settling a dead letter that does not exist answers 404."""
    assert settle(world, letter_id) == 404


def test_many_are_settled_by_filter(world: World) -> None:
    """A bulk settle settles all that match, such as rejected letters, and records who did it."""
    fail(world, "a", "InvalidUri")
    rejected = reject(world)
    answer = many(world, "settle", caller="ann@example.org", outcome="rejected")
    assert (answer.status, answer.content["settled"], answer.content["ids"]) == (202, 1, [rejected])
    assert world.dead_letter(rejected).content["settledBy"] == "ann@example.org"
    assert len(listed(world)) == 1
    assert many(world, "settle", perSecond=5, all=True).status == 400


def test_who_redrove_is_kept(world: World) -> None:
    """A redriven letter keeps who redrove it, alone or in bulk; null if the caller is unknown."""
    first, second, third = fail(world, "a"), fail(world, "b"), fail(world, "c")
    world.redrive(first, "ann@example.org")
    many(world, caller="bob@example.org", most=1, all=True)
    assert world.dead_letter(first).content["redrivenBy"] == "ann@example.org"
    assert world.dead_letter(third).content["redrivenBy"] == "bob@example.org"
    assert world.dead_letter(second).content["redrivenBy"] is None


# Many partitions


def test_letters_of_all_partitions_are_one_list(world: World) -> None:
    """Letters of all partitions are listed page by page in the order of time."""
    expected = []
    for n in range(100):
        letter = DeadLetter(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, str(n))),
            reason="InvalidUri",
            outcome="failed",
            queue="requests",
            first_seen_at=world.clock.now() + timedelta(milliseconds=n // 2),
            last_seen_at=world.clock.now(),
            error=PROBLEM,
        )
        world.app.dead_letters.letters.keep(letter)
        expected.append(letter)
    order = [letter.id for letter in sorted(expected, key=lambda each: (-each.first_seen_at.timestamp(), each.id))]
    found: list[str] = []
    query: dict[str, str] = {"top": "7"}
    while True:
        content = world.list_letters(**query).content
        found += [letter["id"] for letter in content["value"]]
        if content["continuation"] is None:
            break
        query["continuation"] = content["continuation"]
    assert found == order


def test_letters_of_the_time_before_are_listed_and_redriven() -> None:
    """Letters of earlier versions, in one partition and without newer columns, can be listed and redriven."""
    world = World()
    world.letters.rows.update(old_rows(3, world.clock.now()))
    world.letters.etags.update(dict.fromkeys(world.letters.rows, "old"))
    world.clock.advance(60)
    new = fail(world)
    old = [str(row["id"]) for key, row in world.letters.rows.items() if key[1].startswith("id:") and row["id"] != new]

    assert listed(world) == [new, *sorted(old)]
    assert set(listed(world, jobId="job-1", outcome="failed")) == {new, *old}
    assert settle(world, old[0], "ann@example.org") == 204
    assert listed(world, settled="true") == [old[0]]
    assert world.redrive(old[1]).status == 202
    assert many(world, all=True).content["ids"] == [new, old[2]]
    assert world.dead_letter(old[1]).content["redrivenAt"] is not None
    assert len(world.messages()) == 3

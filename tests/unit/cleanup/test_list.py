"""The list of clean-ups: `GET /api/job-completions`."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import StorageUnavailable
from tests.chaos.faults import Fault, at, disturbed
from tests.fakes.app import World
from tests.fakes.batch import refused
from tests.fakes.calls import ask, call

QUEUE = "job-completions"


@pytest.fixture
def world() -> World:
    """An app whose jobs are still active."""
    return World()


def wait_for(world: World, *jobs: str, **fields: Any) -> list[str]:
    """Puts events for active jobs, a second apart; returns their ids."""
    ids = []
    for job in jobs:
        world.batch.states.setdefault(job, "active")
        body = world.put_event(job, **fields)
        while world.deliver(QUEUE):
            pass
        world.clock.advance(1)
        ids.append(body["clientRequestId"])
    return ids


def listing(world: World, **query: str) -> Any:
    """The document of the list call."""
    answer = ask(world.app.cleanups.listing, call(query=query))
    assert answer.status == 200, answer.content
    return answer.content


def jobs(content: dict[str, Any]) -> list[str]:
    """The jobs on a page."""
    return [document["jobId"] for document in content["value"]]


def test_clean_ups_are_listed_newest_first(world: World) -> None:
    """Clean-ups are listed newest first, each with its progress document."""
    ids = wait_for(world, "a", "b", "c")
    content = listing(world)
    assert jobs(content) == ["c", "b", "a"]
    assert content["continuation"] is None
    assert content["value"][0] == world.progress(ids[2]).content


def test_pages_follow_each_other(world: World) -> None:
    """Over several pages, each clean-up is listed once, even if others arrive in between."""
    names = [f"job-{number:02d}" for number in range(25)]
    wait_for(world, *names)
    pages: list[list[str]] = []
    query: dict[str, str] = {}
    while len(pages) < 3:
        content = listing(world, top="10", **query)
        pages.append(jobs(content))
        query = {"continuation": content["continuation"]}
        wait_for(world, f"new-{len(pages)}")
    assert [name for page in pages for name in page] == names[::-1]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert query == {"continuation": None}


def test_a_page_costs_the_same_however_many_there_are(world: World) -> None:
    """A page of the list costs the same number of table operations however many clean-ups there are."""
    wait_for(world, *(f"job-{number}" for number in range(5)))
    listing(world, top="5")
    before = world.records.operations
    listing(world, top="5")
    few = world.records.operations - before
    wait_for(world, *(f"more-{number}" for number in range(100)))
    before = world.records.operations
    assert len(listing(world, top="5")["value"]) == 5
    assert world.records.operations - before == few


def test_a_state_is_a_filter(world: World) -> None:
    """The list can be filtered by the current state of the clean-ups."""
    waiting = wait_for(world, "a", "b")
    world.batch.seed("done", 2)
    world.put_event("done")
    world.put({"page": "x"}, QUEUE)
    while world.deliver(QUEUE):
        pass
    world.cancel_cleanup(waiting[0])
    assert jobs(listing(world, state="waiting")) == ["b"]
    assert jobs(listing(world, state="listed")) == ["done"]
    assert jobs(listing(world, state="cancelled")) == ["a"]
    assert jobs(listing(world, state="failed")) == []
    assert jobs(listing(world, State="listed")) == ["done"]


def test_a_dry_run_is_listed_beside_the_real_one(world: World) -> None:
    """A dry run is listed beside the real clean-up with the same id, marked as a dry run."""
    (event_id,) = wait_for(world, "a")
    world.put({"clientRequestId": event_id, "jobId": "a", "dryRun": True}, QUEUE)
    world.deliver(QUEUE)
    assert [document.get("dryRun") for document in listing(world)["value"]] == [True, None]


def test_a_redriven_clean_up_keeps_its_place(world: World) -> None:
    """A redriven clean-up keeps its place in the list, by when its event first arrived."""
    world.put_event("gone")
    world.batch.job_script = [refused(400, "X")]
    world.deliver(QUEUE)
    world.clock.advance(5)
    wait_for(world, "later")
    (letter,) = world.dead_letters()
    assert world.redrive(letter["id"]).status == 202
    assert jobs(listing(world)) == ["later", "gone"]


def forget_places(world: World) -> None:
    """Rewrites the rows as a version without the list wrote them."""
    for key in [key for key in world.records.rows if key[1].startswith("cleanup:time:") or key[0] == "cleanups"]:
        del world.records.rows[key], world.records.etags[key]
    for key in world.records.rows:
        if key[1].startswith("cleanup:"):
            for column in ("place", "first_listed_at", "cancelled_at", "is_relisting", "stand_open", "stand_since"):
                world.records.rows[key].pop(column)


def test_rows_of_a_version_without_the_list_are_listed_too(world: World) -> None:
    """The first call of the list brings in the clean-ups that an earlier version stored."""
    wait_for(world, *(f"job-{number:03d}" for number in range(50)))
    forget_places(world)
    names = [f"job-{number:03d}" for number in range(50)][::-1]
    assert jobs(listing(world, top="200")) == names
    operations = world.records.operations
    assert jobs(listing(world, top="200")) == names
    assert world.records.operations - operations < 16 + 1 + 50 * 18


def test_a_look_that_was_cut_off_is_made_good_by_the_next(world: World) -> None:
    """If bringing in old clean-ups fails half-way, the next call of the list completes it."""
    wait_for(world, "a", "b", "c")
    forget_places(world)
    with disturbed(world, at(19, Fault.FAILS, "row")), pytest.raises(StorageUnavailable):
        listing(world)
    assert jobs(listing(world)) == ["c", "b", "a"]


def test_a_row_that_cannot_be_read_holds_up_no_other(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A clean-up whose row cannot be read is logged and left out of the list."""
    broken, _ = wait_for(world, "a", "b")
    (key,) = [key for key in world.records.rows if key[1] == f"cleanup:{broken}"]
    world.records.rows[key]["event"] = "{"
    assert jobs(listing(world)) == ["b"]
    assert f"corrupt_record row={key[1]}" in caplog.text


def test_what_was_forgotten_is_not_listed(world: World) -> None:
    """The daily round purges a clean-up together with its place in the list."""
    world.batch.seed("done", 1)
    world.put_event("done")
    world.settle()
    assert jobs(listing(world)) == ["done"]
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    assert jobs(listing(world)) == []
    assert {row for _, row in world.records.rows} == {"cursor", "lists-all"}


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ({"state": "done"}, "state"),
        ({"top": "0"}, "top"),
        ({"top": "201"}, "top"),
        ({"top": "x"}, "top"),
        ({"continuation": "' or true"}, "continuation"),
        ({"jobId": "a"}, "jobId"),
    ],
)
def test_a_wrong_query_is_pointed_at(world: World, query: dict[str, str], key: str) -> None:
    """An invalid query of the list is refused with 400, pointing at the parameter."""
    answer = ask(world.app.cleanups.listing, call(query=query))
    assert answer.status == 400
    assert [value["key"].removeprefix("query:") for value in answer.content["values"]] == [key]

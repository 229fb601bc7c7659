"""The operator's summary of queues, dead letters, clean-ups and sweeps."""

from __future__ import annotations

import uuid
from datetime import timedelta

from shared import VERSION
from shared.api.summary import Summary
from shared.operations.running import running_clean_ups
from shared.results.dead_letter import DeadLetter
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_listing import LetterListing
from shared.storage.queues import Depth
from tests.fakes.app import World
from tests.fakes.calls import call


def summary(world: World) -> Summary:
    """The summary of an app, with given queue depths."""
    depths = [("requests", Depth(3, 12.5)), ("results", Depth(2, None))]
    letters = LetterListing(DeadLetterStore(world.letters))
    return Summary(world.clock, lambda: depths, letters, lambda: running_clean_ups(world.records))


def letters(world: World, count: int, reason: str = "InvalidUri") -> list[str]:
    """Creates so many dead letters; returns their ids."""
    found = []
    for _ in range(count):
        now = world.clock.now()
        letter = DeadLetter(str(uuid.uuid4()), reason, "failed", "requests", now, now)
        world.app.dead_letters.letters.keep(letter)
        world.clock.advance(timedelta(milliseconds=1).total_seconds())
        found.append(letter.id)
    return found


def test_the_numbers_of_a_quiet_app() -> None:
    """The summary of an idle app has all its numbers; null stands only for what is unknown."""
    world = World()
    assert summary(world).look().content == {
        "at": "2026-11-24T07:30:00.000Z",
        "queues": [
            {"name": "requests", "depth": 3, "oldestAgeSeconds": 12.5},
            {"name": "results", "depth": 2, "oldestAgeSeconds": None},
        ],
        "deadLetters": {"total": 0, "byReason": [], "counted": "all", "redriven": 0},
        "cleanUps": {"running": 0},
        "sweeps": [],
        "version": VERSION,
    }


def test_dead_letters_are_counted_by_reason() -> None:
    """Unsettled dead letters are counted by reason, the most frequent first."""
    world = World()
    letters(world, 2, "NodeNotReady")
    settled, *_ = letters(world, 4)
    world.app.dead_letters.settle(call(route={"id": settled}))
    assert summary(world).look().content["deadLetters"] == {
        "total": 5,
        "byReason": [{"reason": "InvalidUri", "count": 3}, {"reason": "NodeNotReady", "count": 2}],
        "counted": "all",
        "redriven": 0,
    }


def test_redriven_letters_wait_for_nobody_and_are_counted_apart() -> None:
    """The summary counts redriven letters apart from open ones, and settled ones nowhere."""
    world = World()
    redriven, both, *_ = letters(world, 4)
    for letter_id in (redriven, both):
        world.app.dead_letters.letters.mark_redriven(letter_id, world.clock.now(), None)
    world.app.dead_letters.settle(call(route={"id": both}))
    assert summary(world).look().content["deadLetters"] == {
        "total": 2,
        "byReason": [{"reason": "InvalidUri", "count": 2}],
        "counted": "all",
        "redriven": 1,
    }


def test_a_thousand_redriven_letters_hide_no_older_open_one() -> None:
    """After a large redrive the summary still counts open letters; over 1,000 redriven ones are null."""
    world = World()
    letters(world, 1)
    for letter_id in letters(world, 1_001):
        world.app.dead_letters.letters.mark_redriven(letter_id, world.clock.now(), None)
    found = summary(world).look().content["deadLetters"]
    assert (found["total"], found["counted"], found["redriven"]) == (1, "all", None)


def test_more_than_a_thousand_are_not_counted_to_the_end() -> None:
    """With over 1,000 open letters, the summary's total is null and the reasons are those of the newest 1,000."""
    world = World()
    letters(world, 1_001)
    assert summary(world).look().content["deadLetters"] == {
        "total": None,
        "byReason": [{"reason": "InvalidUri", "count": 1_000}],
        "counted": "the newest 1,000",
        "redriven": 0,
    }


def test_clean_ups_count_until_they_have_listed_all() -> None:
    """The summary counts a clean-up as running until it has listed its whole job."""
    world = World()
    world.batch.seed("waits", 1, state="active")
    world.batch.seed("ends", 1)
    for job in ("waits", "ends"):
        world.put_event(job)
        world.deliver("job-completions")
    assert summary(world).look().content["cleanUps"] == {"running": 1}

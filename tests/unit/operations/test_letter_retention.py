"""Dead letters are kept for as long as the setting says, from when they were last seen."""

from __future__ import annotations

from datetime import timedelta

from shared.results.dead_letter import DeadLetter
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_rows import OLD_PARTITION
from tests.chaos.faults import before, disturbed, everywhere
from tests.fakes.app import World
from tests.fakes.table import MemoryTable
from tests.letters import old_rows

DAY = 86_400.0


def kept(world: World, number: int) -> str:
    """Keeps a dead letter as of now; returns its id."""
    now = world.clock.now()
    letter = DeadLetter(f"{number:08x}-0000-5000-8000-000000000000", "InvalidUri", "failed", "requests", now, now)
    world.app.dead_letters.letters.keep(letter)
    return letter.id


def ids(world: World) -> set[str]:
    """The ids of the stored letters, by either of their rows."""
    return {str(row["id"]) for row in world.letters.rows.values()}


def test_a_letter_goes_when_nobody_has_seen_it_for_so_long() -> None:
    """A dead letter is purged after its retention, in any partition, and not earlier."""
    world = World(DEAD_LETTER_RETENTION_DAYS="10")
    old = [kept(world, n << 28) for n in range(16)]
    world.clock.advance(5 * DAY)
    young = kept(world, 1)
    world.app.letter_retention.forget(60)
    assert ids(world) == {*old, young}
    world.clock.advance(5 * DAY + 1)
    assert world.app.letter_retention.forget(60) == 32
    assert ids(world) == {young}


def test_a_letter_that_was_seen_again_counts_from_then() -> None:
    """A dead letter that is seen again is kept for its full retention from then."""
    world = World(DEAD_LETTER_RETENTION_DAYS="10")
    letter_id = kept(world, 1)
    world.clock.advance(9 * DAY)
    kept(world, 1)
    world.clock.advance(9 * DAY)
    world.app.letter_retention.forget(60)
    assert ids(world) == {letter_id}


def test_letters_of_the_old_partition_go_too() -> None:
    """Letters in the partition of earlier versions are purged too, so it becomes empty eventually."""
    world = World()
    world.letters.rows.update(old_rows(3, world.clock.now()))
    world.letters.etags.update(dict.fromkeys(world.letters.rows, "old"))
    world.clock.advance(91 * DAY)
    world.app.letter_retention.forget(60)
    assert not [key for key in world.letters.rows if key[0] == OLD_PARTITION]


def test_a_large_partition_does_not_keep_the_others_from_their_turn() -> None:
    """Each night's purge begins with another partition, so all have their turn even if time is short."""
    world = World(DEAD_LETTER_RETENTION_DAYS="2")
    for n in range(16):
        kept(world, n << 28)
    for _ in range(16):
        world.clock.advance(3 * DAY)
        world.app.letter_retention.forget(0)
    assert ids(world) == set()


def test_one_that_is_seen_again_at_that_moment_stays() -> None:
    """A letter that is seen again during the purge is not deleted."""
    table, world = MemoryTable(), World()
    letters = DeadLetterStore(table)
    now = world.clock.now()
    letter = DeadLetter("00000000-0000-5000-8000-000000000001", "InvalidUri", "failed", "requests", now, now)
    letters.keep(letter)
    with disturbed(table, everywhere(before(table.touch), "row delete")):
        assert letters.forget("letters-0", now + timedelta(days=1)) == 0
    assert len(table.rows) == 2

"""A result that is cached for some seconds."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from shared.api.kept import Kept
from tests.fakes.clock import FakeClock


def test_a_look_is_made_again_after_its_time() -> None:
    """A cached result is shared by all callers and computed again once its time is up."""
    clock, looks = FakeClock(), iter(range(9))
    kept = Kept(lambda: next(looks), 5, clock)
    seen = [kept.get(), kept.get()]
    clock.advance(4.9)
    seen.append(kept.get())
    clock.advance(0.2)
    assert [*seen, kept.get(), kept.get()] == [0, 0, 0, 1, 1]


def test_a_look_that_fails_is_not_kept() -> None:
    """If computing the result fails, the error is not cached and the next caller tries again."""
    answers = iter(["", "up"])

    def look() -> str:
        answer = next(answers)
        if not answer:
            raise OSError("down")
        return answer

    kept = Kept(look, 5, FakeClock())
    with pytest.raises(OSError, match="down"):
        kept.get()
    assert kept.get() == "up"


def test_nobody_waits_for_a_slow_look_who_can_have_the_last_one() -> None:
    """While one caller computes a new result slowly, the others get the last one at once."""
    clock, begun, go_on, looks = FakeClock(), Event(), Event(), iter(["old", "new"])

    def look() -> str:
        answer = next(looks)
        if answer == "new":
            begun.set()
            assert go_on.wait(30)
        return answer

    kept = Kept(look, 5, clock)
    kept.get()
    clock.advance(6)
    slow = Thread(target=kept.get)
    slow.start()
    assert begun.wait(30)
    assert kept.get() == "old"
    go_on.set()
    slow.join(30)
    assert kept.get() == "new"

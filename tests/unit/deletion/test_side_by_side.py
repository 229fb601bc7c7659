"""Doing several things in parallel: order, faults, and the context of log lines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from shared.deletion.side_by_side import ONE_BY_ONE, SideBySide

INVOCATION: ContextVar[str] = ContextVar("invocation", default="none")


@pytest.fixture
def side_by_side() -> Iterator[SideBySide]:
    """Runs four things at a time."""
    with ThreadPoolExecutor(4) as executor:
        yield SideBySide(executor)


def test_results_come_in_the_order_of_the_things(side_by_side: SideBySide) -> None:
    """Results are returned in the order of the inputs, whichever finishes first."""
    second_is_done = threading.Event()

    def work(number: int) -> int:
        if number == 1:
            second_is_done.wait(5)
        else:
            second_is_done.set()
        return number * 10

    assert side_by_side.each(work, [1, 2]) == [10, 20]


def test_a_fault_is_raised_once_all_have_ended(side_by_side: SideBySide) -> None:
    """An exception is raised only after all calls have ended, so none is still running afterwards."""
    done: list[int] = []

    def work(number: int) -> None:
        if number == 1:
            raise ValueError("first")
        done.append(number)

    with pytest.raises(ValueError, match="first"):
        side_by_side.each(work, [1, 2, 3, 4, 5, 6])
    assert sorted(done) == [2, 3, 4, 5, 6]


def test_each_call_has_the_context_of_the_caller(side_by_side: SideBySide) -> None:
    """Each parallel call sees the caller's context variables, by which log lines are assigned."""
    INVOCATION.set("mine")
    assert side_by_side.each(lambda _: INVOCATION.get(), [1, 2, 3]) == ["mine"] * 3


@pytest.mark.parametrize("things", [[], [1], [1, 2]])
def test_without_an_executor_the_caller_does_it(things: list[int]) -> None:
    """Without an executor, the calls run in the caller's thread."""
    assert ONE_BY_ONE.each(lambda _: threading.get_ident(), things) == [threading.get_ident()] * len(things)


def test_one_thing_needs_no_other_thread(side_by_side: SideBySide) -> None:
    """A single call runs in the caller's thread."""
    assert side_by_side.each(lambda _: threading.get_ident(), [1]) == [threading.get_ident()]

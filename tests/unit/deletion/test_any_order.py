"""In any order of deliveries, crashes, stalls and repeats, nothing is lost and nothing is done twice.

A random explorer makes the choices from a seed, so that a failing run can be repeated by its number.
For the mixed runs hypothesis chooses, and shows the shortest failing run that it finds.
The workers' clocks differ by up to two minutes.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chaos.explorer import FROST, Explorer

# Many short runs in one test: a busy machine may take its time.
pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.timeout(1200, func_only=True)]


DOORS = {
    "queue": ("queue",),
    "http": ("http",),
    "synchronous": ("synchronous", "http"),
    "all": ("queue", "http", "synchronous", "housekeeping"),
    "redrive": ("queue", "http", "redrive", "housekeeping"),
}
EVERYTHING = (
    "queue",
    "http",
    "synchronous",
    "housekeeping",
    "redrive",
    "cancel",
    "group",
    "clean_up",
    "cancel_cleanup",
)


@pytest.mark.parametrize("start", range(0, 100, 25))
@pytest.mark.parametrize("doors", DOORS)
def test_no_order_breaks_a_promise(doors: str, start: int) -> None:
    """In any order of deliveries and crashes, each request ends once, with a result, and no promise is broken."""
    found = {seed: faults for seed in range(start, start + 25) if (faults := Explorer(seed, doors=DOORS[doors]).run())}
    assert found == {}


@pytest.mark.parametrize("start", range(0, 50, 25))
def test_workers_that_freeze_about_their_claims_break_no_promise(start: int) -> None:
    """No promise is broken if workers freeze around a claim for longer than a lease or the host's ten minutes."""
    seeds = range(start, start + 25)
    found = {seed: faults for seed in seeds if (faults := Explorer(seed, doors=DOORS["all"], weather=FROST).run())}
    assert found == {}


def _no_order_breaks_a_promise(choices: random.Random) -> None:
    assert Explorer(choices, doors=EVERYTHING, steps=24).run() == []


CHOICES = st.randoms(use_true_random=False)
ANY_ORDER = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


@settings(ANY_ORDER, max_examples=150)
@given(CHOICES)
def test_no_order_of_anything_breaks_a_promise(choices: random.Random) -> None:
    """In any order of requests, clean-ups, cancels, redrives and rounds, with faults, no promise is broken.

    Every outcome that is called certain is true, and the counts of each parent are those of its rows.
    """
    _no_order_breaks_a_promise(choices)


@pytest.mark.slow
@settings(ANY_ORDER, max_examples=5_000)
@given(CHOICES)
def test_no_order_of_anything_breaks_a_promise_in_many_runs(choices: random.Random) -> None:
    """In 5,000 random orders of all kinds of events, with faults, no promise is broken."""
    _no_order_breaks_a_promise(choices)


def test_the_runs_are_as_wild_as_they_should_be() -> None:
    """Most random runs publish or delete more than once on the way, so they really test the promises."""
    explorers = [Explorer(seed, doors=DOORS["all"]) for seed in range(20)]
    for explorer in explorers:
        explorer.run()
    assert sum(len(explorer.world.batch.calls) > 1 for explorer in explorers) >= 5
    assert sum(len(explorer.world.results()) > 1 for explorer in explorers) >= 10

"""The benchmarks' own arithmetic, on which every figure in docs/performance/ rests."""

from __future__ import annotations

import math
import re

import pytest

from bench.arithmetic import differences, medians, per, percentile, ratio, spread
from bench.operations import count_operations
from bench.partition_simulation import Design, simulate
from bench.throttling import judged

pytestmark = pytest.mark.unit


def test_percentile_is_a_value_that_was_measured() -> None:
    """A percentile is a measured value, by nearest rank, whatever the order of the values."""
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.99) == 7


def test_percentile_of_nothing_is_an_error() -> None:
    """A percentile of no values raises ValueError."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_medians_take_each_figure_by_itself() -> None:
    """Medians are taken figure by figure, over the rounds that have the figure."""
    rounds = [{"rate": 1.0, "cpu": 9.0}, {"rate": 5.0, "cpu": 1.0}, {"rate": 2.0}]
    assert medians(rounds) == {"rate": 2.0, "cpu": 5.0}
    assert spread(rounds, "rate") == (1.0, 5.0)


def test_ratio_is_taken_round_by_round() -> None:
    """The ratio of two sides is the median of the ratios in each round."""
    ours, theirs = [{"rate": 10.0}, {"rate": 5.0}, {"rate": 30.0}], [{"rate": 20.0}, {"rate": 10.0}, {"rate": 20.0}]
    assert ratio(ours, theirs, "rate") == 0.5


def test_ratio_needs_as_many_rounds_of_both() -> None:
    """A ratio of sides with different numbers of rounds raises ValueError."""
    with pytest.raises(ValueError, match="shorter"):
        ratio([{"rate": 1.0}, {"rate": 1.0}], [{"rate": 1.0}], "rate")


def test_share_of_nothing_is_no_number() -> None:
    """A cost per message of no messages is NaN, not zero."""
    assert math.isnan(per(3.0, 0))
    assert per(3.0, 2) == 1.5


def test_differences_count_from_zero_for_a_new_counter() -> None:
    """A counter that appears in the second reading counts from zero."""
    assert differences({"app": 1.5}, {"app": 4.0, "host": 2.0}) == {"app": 2.5, "host": 2.0}


def test_operations_leave_out_receives_and_looks_at_a_length() -> None:
    """Operations counted in the storage log leave out receives and reads of a queue's length."""
    line = '127.0.0.1 - - [29/Nov/2026:10:00:00 +0000] "{} /devstoreaccount1/{} HTTP/1.1" {} {}'
    lines = [
        line.format("GET", "requests/messages?numofmessages=16", 200, 61),
        line.format("GET", "requests/messages?numofmessages=16", 200, 900),
        line.format("GET", "requests?comp=metadata", 200, "-"),
        line.format("DELETE", "requests/messages/1?popreceipt=x", 204, "-"),
        line.format("POST", "results/messages?visibilitytimeout=0", 201, 300),
        line.format("GET", "results?comp=metadata", 200, "-"),
        line.format("POST", "$batch", 202, 4000),
        line.format("GET", "requests-poison/messages", 200, 61),
        "no request at all",
    ]
    assert count_operations(lines, ["requests"], "results") == {"input queues": 1, "results put": 1, "tables": 1}


def test_a_limit_is_judged_after_it_has_settled() -> None:
    """Refusals in the first ten seconds, in which the limit is found, do not count."""
    counts = [(0, 500)] * 10 + [(95, 5)] * 4
    figures = judged(counts, 100)
    assert figures == {"goodput_per_second": 95, "goodput_of_limit": 0.95, "refused_share": 0.05}


def test_simulated_instances_add_up_while_nothing_is_short() -> None:
    """In the simulation, two instances delete about twice as much as one while nothing is short."""
    one, two = (simulate(instances, Design(), 120)["deletions_per_second"] for instances in (1, 2))
    assert 1.8 < two / one < 2.2


def test_names_of_figures_tell_their_unit() -> None:
    """The name of every simulated figure ends in its unit."""
    units = re.compile(r"(per_second|share|of_limit|per_message)$")
    assert [name for name in simulate(1, Design(), 60) if not units.search(name)] == []

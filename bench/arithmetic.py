"""The benchmarks' own arithmetic: medians, percentiles, rates and ratios. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

Figures = Mapping[str, float]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed (nearest rank). ValueError for none."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def medians(rounds: Sequence[Figures]) -> dict[str, float]:
    """The median of each figure over the rounds that have it."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: statistics.median(f[name] for f in rounds if name in f) for name in names}


def spread(rounds: Sequence[Figures], name: str) -> tuple[float, float]:
    """The least and the largest value of one figure. Raises ValueError when no round has it."""
    values = [figures[name] for figures in rounds if name in figures]
    if not values:
        raise ValueError(f"no round has {name}")
    return min(values), max(values)


def ratio(ours: Sequence[Figures], theirs: Sequence[Figures], name: str) -> float:
    """The median of the rounds' own ratios: the machine drifts between rounds, and far less within one."""
    pairs = [(a[name], b[name]) for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(a / b for a, b in pairs)


def per(total: float, count: float) -> float:
    """`total` divided by `count`; NaN for 0, so that a failed round cannot look like one that cost nothing."""
    return total / count if count else math.nan


def differences(before: Figures, after: Figures) -> dict[str, float]:
    """The increase of each counter."""
    return {name: value - before.get(name, 0.0) for name, value in after.items()}

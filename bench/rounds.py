"""Rounds: each runs every side once, so that the machine's drift affects all sides equally."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.arithmetic import Figures, medians, ratio

Side = Callable[[], Figures]


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    rounds: int = 5
    quick: bool = False
    """A smoke test with numbers too small to mean anything."""

    def of(self, full: int, quick: int) -> int:
        """A number of tasks, calls or seconds: the full one, or that of a smoke test."""
        return quick if self.quick else full


@dataclass
class Part:
    """The results of one part: rows for its table, and the ratios by which it is judged."""

    title: str
    command: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def side_by_side(rounds: int, sides: Mapping[str, Side]) -> dict[str, list[Figures]]:
    """The figures of each side, round by round; every other round runs in reverse order."""
    found: dict[str, list[Figures]] = {name: [] for name in sides}
    for number in range(rounds):
        names = list(sides)[:: -1 if number % 2 else 1]
        for name in names:
            began = time.monotonic()
            figures = dict(sides[name]())
            shown = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
            load = os.getloadavg()[0]
            took = time.monotonic() - began
            print(f"  round {number + 1} {name}: {shown} (took {took:.0f} s, load {load:.1f})", file=sys.stderr)
            found[name].append(figures)
    return found


def tabulate(part: Part, found: Mapping[str, list[Figures]], **case: object) -> None:
    """Adds a row of medians for each side; the columns in `case` distinguish the rows."""
    for name, rounds in found.items():
        part.rows.append({**case, "side": name, "rounds": len(rounds), **_rounded(medians(rounds))})


def compare(part: Part, found: Mapping[str, list[Figures]], ours: str, theirs: str, name: str, label: str) -> None:
    """Adds the ratio of two sides for one figure."""
    part.ratios[label] = _significant(ratio(found[ours], found[theirs], name))


def _rounded(figures: Figures) -> dict[str, float]:
    return {name: _significant(value) for name, value in figures.items()}


def _significant(value: float) -> float:
    return float(f"{value:.4g}")

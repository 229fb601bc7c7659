"""The cost of a million deletions, from the operations and rates that the other parts measured. Prices have a date."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bench.report import FOLDER
from bench.rounds import Part, Plan

PRICES_OF = "2025-05"
"""US dollars, East US, locally redundant, pay as you go. Taken from secondary sources, not from the price pages: check
https://azure.microsoft.com/pricing/details/functions/, .../storage/tables/ and .../storage/queues/ before relying on it.
"""
TABLE_OPERATION = 0.00036 / 10_000
"""A group transaction counts as one operation."""
QUEUE_OPERATION = 0.004 / 10_000
GIB_SECOND = 0.000026
EXECUTION = 0.40 / 1_000_000
INSTANCE_GIB = 2
MILLION = 1_000_000


def dollars(operations: Mapping[str, float], executions: float, per_second: float) -> dict[str, float]:
    """The cost of a million deletions, by item; `operations` and `executions` are those of one deletion."""
    queues = operations["input_queues_operations"] + operations["results_put_operations"]
    return {
        "tables": operations["tables_operations"] * MILLION * TABLE_OPERATION,
        "queues": queues * MILLION * QUEUE_OPERATION,
        "executions": executions * MILLION * EXECUTION,
        "compute": MILLION / per_second * INSTANCE_GIB * GIB_SECOND,
    }


def measure(_plan: Plan) -> Part:
    """Single messages and whole jobs, from results.json."""
    part = Part("Cost of a million deletions", 'make bench ARGS="--parts cost"')
    results = json.loads((FOLDER / "results.json").read_text())
    shapes = (
        ("single messages", "single-messages", "messages_per_second", 1.0),
        ("whole jobs", "whole-jobs", "tasks_per_second", 1 / 60),
    )
    for name, source, rate, executions in shapes:
        row = _row_of_the_app(results.get(source, {}).get("rows", ()))
        if row is None:
            part.notes.append(f"{name}: not measured yet.")
            continue
        costs = dollars(row, executions, row[rate])
        shown = {key: round(value, 3) for key, value in costs.items()}
        part.rows.append({"work": name, **shown, "all": round(sum(costs.values()), 2)})
    part.notes.append(
        f"US dollars at the prices of {PRICES_OF}, East US, without free grants; instances of {INSTANCE_GIB} GiB "
        "that delete at the rate of the measuring machine; one execution a message, of a job one for about 60 rows."
    )
    return part


def _row_of_the_app(rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The last row of the app in which operations were counted."""
    counted = [row for row in rows if row.get("side") == "app" and "tables_operations" in row]
    return counted[-1] if counted else None

"""PNG plots of results.json: `python -m bench.plots FOLDER`, in .venv-bench, which has matplotlib."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

Rows = list[dict[str, Any]]
COLOURS = ("#0b6fa4", "#d1495b", "#8d96a3", "#66a182", "#edae49")


def main() -> int:
    """Draws a plot for each part that has results."""
    folder = Path(sys.argv[1])
    results = json.loads((folder / "results.json").read_text())
    for name, draw in PLOTS.items():
        rows = results.get(name, {}).get("rows", [])
        if rows:
            draw(rows)
            plt.tight_layout()
            plt.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})
            plt.close("all")
    return 0


def delete_call(rows: Rows) -> None:
    """CPU of a call and rate, over TLS at 20 ms."""
    chosen = [row for row in rows if row["transport"] == "TLS" and row["latency_ms"] == 20]
    _, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    _bars(axes[0], chosen, "in_flight", "cpu_us", "CPU of a DELETE, us (TLS, 20 ms)")
    _bars(axes[1], chosen, "in_flight", "calls_per_second", "DELETEs a second (TLS, 20 ms)")


def single_messages(rows: Rows) -> None:
    """Rate and CPU."""
    _, axes = plt.subplots(1, 2, figsize=(8, 3.2))
    every = [{**row, "all": ""} for row in rows]
    _bars(axes[0], every, "all", "messages_per_second", "messages a second")
    _bars(axes[1], every, "all", "app_cpu_ms", "CPU of the app alone, ms a message")


def whole_jobs(rows: Rows) -> None:
    """Rate and CPU by the size of the job."""
    _, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    _bars(axes[0], rows, "tasks", "tasks_per_second", "tasks a second, by the job's size")
    _bars(axes[1], rows, "tasks", "app_cpu_ms", "CPU alone, ms a task")


def accepting(rows: Rows) -> None:
    """p99 of one request, seconds of a bulk call."""
    _, axes = plt.subplots(1, 2, figsize=(10, 3.8))
    _bars(axes[0], [r for r in rows if "p99_ms" in r], "size", "p99_ms", "p99 of one request, ms, by callers")
    _bars(axes[1], [r for r in rows if "seconds" in r], "size", "seconds", "one bulk call, s, by ids")


def throttling(rows: Rows) -> None:
    """Goodput and refusals."""
    chosen = [row for row in rows if "limit_per_second" in row and row["side"] != "two of the app"]
    _, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    _bars(axes[0], chosen, "limit_per_second", "goodput_of_limit", "goodput as a share of the limit")
    _bars(axes[1], chosen, "limit_per_second", "refused_share", "share of calls refused")


def partition_simulation(rows: Rows) -> None:
    """Deletions a second by instances."""
    _, axis = plt.subplots(figsize=(7, 4))
    _lines(axis, rows, "work", "instances", "deletions_per_second")
    axis.set_xlabel("instances")
    axis.set_title("deletions a second, simulated", fontsize=10)


def growth(rows: Rows) -> None:
    """Memory during a large job."""
    _, axis = plt.subplots(figsize=(6, 3.4))
    _lines(axis, [row for row in rows if "after_s" in row], "work", "after_s", "memory_mib")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("seconds")


def cold_start(rows: Rows) -> None:
    """Milliseconds of each step."""
    _, axis = plt.subplots(figsize=(8, 3.6))
    _bars(axis, rows, "bytecode", "ms", "ms, with and without bytecode")


def many_processes(rows: Rows) -> None:
    """Rates by processes."""
    _, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    singles = [row for row in rows if "messages_per_second" in row]
    _bars(axes[0], singles, "work", "messages_per_second", "single messages a second")
    _bars(axes[1], [r for r in rows if "tasks_per_second" in r], "work", "tasks_per_second", "tasks a second")


def _bars(axis: Any, rows: Rows, group: str, figure: str, title: str) -> None:
    """Bars side by side: a group for each case, a bar for each side."""
    groups, sides = _distinct(rows, group), _distinct(rows, "side")
    width = 0.8 / max(1, len(sides))
    values = {(row[group], row["side"]): row.get(figure) for row in rows}
    for number, side in enumerate(sides):
        places = [index + (number - (len(sides) - 1) / 2) * width for index in range(len(groups))]
        heights = [values.get((name, side)) or 0 for name in groups]
        axis.bar(places, heights, width, label=side, color=COLOURS[number % len(COLOURS)])
    axis.set_xticks(range(len(groups)), [f"{name:,}" if isinstance(name, int) else str(name) for name in groups])
    axis.set_title(title, fontsize=10)
    axis.legend(fontsize=7)
    axis.spines[["top", "right"]].set_visible(False)


def _lines(axis: Any, rows: Rows, name: str, x: str, y: str) -> None:
    for number, label in enumerate(_distinct(rows, name)):
        points = [(row[x], row[y]) for row in rows if row[name] == label]
        axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label, color=f"C{number}")
    axis.set_title(y.replace("_", " "), fontsize=10)
    axis.legend(fontsize=7)
    axis.spines[["top", "right"]].set_visible(False)


def _distinct(rows: Iterable[dict[str, Any]], name: str) -> list[Any]:
    return list(dict.fromkeys(row[name] for row in rows))


PLOTS: dict[str, Callable[[Rows], None]] = {
    "delete-call": delete_call,
    "single-messages": single_messages,
    "whole-jobs": whole_jobs,
    "accepting": accepting,
    "many-processes": many_processes,
    "growth": growth,
    "cold-start": cold_start,
    "throttling": throttling,
    "partition-simulation": partition_simulation,
}

if __name__ == "__main__":
    sys.exit(main())

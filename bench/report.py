"""The results on disk: one JSON file, and the tables made from it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.rounds import Part, Plan

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "performance"
LIBRARIES = (
    "azure-functions",
    "requests",
    "urllib3",
    "azure-core",
    "azure-data-tables",
    "azure-storage-queue",
    "azure-identity",
    "azure-batch",
    "pydantic",
)


def conditions(plan: Plan, command: str) -> dict[str, Any]:
    """The conditions of the measurement: machine, versions, date and load."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": plan.rounds,
        "quick": plan.quick,
        "commit": _commit(),
        "load_before": round(os.getloadavg()[0], 1),
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "memory_gib": _memory_gib()},
        "versions": {
            "python": platform.python_version(),
            "kernel": platform.release().partition("-")[0],
            **{name: version(name) for name in LIBRARIES},
        },
    }


def save(folder: Path, name: str, part: Part, under: dict[str, Any]) -> None:
    """Replaces one part's results; the other parts stay."""
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.json"
    all_parts = json.loads(results.read_text()) if results.exists() else {}
    all_parts[name] = {
        "title": part.title,
        **under,
        "rows": part.rows,
        "ratios": part.ratios,
        "notes": part.notes,
    }
    results.write_text(json.dumps(all_parts, indent=1, allow_nan=False) + "\n")
    (folder / "tables.md").write_text(tables(all_parts))


def tables(parts: dict[str, Any]) -> str:
    """All parts as one page of tables."""
    lines = [
        "# Measured",
        "",
        "Made by `make bench` from `results.json`; [performance.md](../performance.md) explains it.",
    ]
    for part in parts.values():
        lines += [
            "",
            f"## {part['title']}",
            "",
            _made_by(part),
            *(f"\n{note}" for note in part["notes"]),
            *(["", *table(part["rows"])] if part["rows"] else []),
        ]
        if part["ratios"]:
            lines += ["", "| ratio, the median of the rounds' own | |", "|---|---:|"]
            lines += [f"| {name} | {value:.2f} |" for name, value in part["ratios"].items()]
    return "\n".join(lines) + "\n"


def _made_by(part: dict[str, Any]) -> str:
    machine, python = part["machine"], part["versions"]["python"]
    made = f"`{part['command']}`, {part['date']}, commit {part['commit']}, {part['rounds']} rounds"
    return f"{made}, Python {python}, {machine['cores']} cores ({machine['processor']})."


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Markdown tables; rows with the same columns are in one table."""
    lines: list[str] = []
    columns: list[str] = []
    for row in rows:
        if list(row) != columns:
            columns = list(row)
            heads = [name.replace("_", " ") for name in columns]
            kinds = ["---" if isinstance(row[name], str) else "---:" for name in columns]
            lines += [""] if lines else []
            lines += [f"| {' | '.join(heads)} |", f"|{'|'.join(kinds)}|"]
        lines.append(f"| {' | '.join(_shown(row[name]) for name in columns)} |")
    return lines


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _commit() -> str:
    shown = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return shown.stdout.strip() or "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)

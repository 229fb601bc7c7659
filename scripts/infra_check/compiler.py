"""Runs the Bicep compiler on the templates."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.infra_check import snapshots

MISSING = "no Bicep compiler (BICEP, bicep on the search path, or `az bicep install`)"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# In parallel, because each snapshot keeps one core busy for seconds.
_SIDE_BY_SIDE = 2


def find() -> Path | None:
    """The compiler: $BICEP, else `bicep` on the search path, else the one that the Azure CLI installed."""
    named = os.environ.get("BICEP") or shutil.which("bicep")
    if named:
        return Path(named)
    folder = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure") / "bin"
    return next((path for name in ("bicep", "bicep.exe") if (path := folder / name).is_file()), None)


def problems(bicep: Path, infra: Path) -> list[str]:
    """What the compiler's commands find; empty if the templates are in order."""
    said = [*_lint(bicep, infra), *_build(bicep, infra)]
    # A template that does not compile would repeat its fault for every snapshot.
    return said or [*_format(bicep, infra), *_validate(bicep, infra), *snapshots.outdated(infra)]


def write_snapshots(bicep: Path, infra: Path) -> None:
    """Renews every snapshot, and records the templates that they were made from."""
    for shape in snapshots.shapes(infra):
        _run(bicep, "snapshot", str(shape))
    snapshots.note(infra)


def snapshot_faults(bicep: Path, shape: Path) -> list[str]:
    """Writes the snapshot of one parameter file, and returns the faults that its evaluation shows."""
    return _lines(_run(bicep, "snapshot", str(shape)))


def _lint(bicep: Path, infra: Path) -> list[str]:
    return _lines(_run(bicep, "lint", "--pattern", f"{infra}/**/*.bicep"))


def _build(bicep: Path, infra: Path) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return _lines(_run(bicep, "build", str(infra / "main.bicep"), "--outfile", str(Path(folder) / "main.json")))


def _format(bicep: Path, infra: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(infra, Path(folder) / "infra"))
        for suffix in ("bicep", "bicepparam"):
            yield from _lines(_run(bicep, "format", "--pattern", f"{copy}/**/*.{suffix}"))
            for path in sorted(copy.rglob(f"*.{suffix}")):
                name = path.relative_to(copy)
                if path.read_bytes() != (infra / name).read_bytes():
                    yield f"{name} is not formatted: run `bicep format`"


def _validate(bicep: Path, infra: Path) -> Iterator[str]:
    shapes = snapshots.shapes(infra)
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        answers = pool.map(lambda shape: _run(bicep, "snapshot", str(shape), "--mode", "validate"), shapes)
        for shape, said in zip(shapes, answers, strict=True):
            yield from (f"{shape.name}: {line}" for line in _lines(said))


def _run(bicep: Path, *arguments: str) -> str:
    """What a command prints; if it fails without printing anything, its exit code."""
    ended = subprocess.run(
        [bicep, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    said = _COLOUR.sub("", ended.stdout)
    return said if said.strip() or ended.returncode == 0 else f"bicep {arguments[0]} ended with {ended.returncode}"


def _lines(said: str) -> list[str]:
    return [line.rstrip() for line in said.splitlines() if line.strip()]

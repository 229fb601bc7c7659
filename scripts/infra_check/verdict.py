"""All checks over one folder of templates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from scripts.infra_check import contract, symbols
from scripts.infra_check.evaluation import deployed
from scripts.infra_check.template import BicepFile, UnreadableTemplate, load


def problems(folder: Path, root: Path) -> list[str]:
    """Every problem of the templates in a folder; `root` is the folder of the app that they deploy."""
    try:
        files = load(folder)
    except UnreadableTemplate as fault:
        return [str(fault)]
    main = (folder / "main.bicep").resolve()
    found = [*symbols.problems(files, main), *_parameter_file(files[main], folder / "main.parameters.json")]
    # Values are worth looking at once the names hold together.
    return found or list(contract.problems(files.values(), deployed(files, main), root))


def _parameter_file(main: BicepFile, path: Path) -> Iterator[str]:
    given = set(json.loads(path.read_text(encoding="utf-8"))["parameters"])
    yield from (f"{path.name} lacks {name}" for name in sorted(main.parameters.keys() - given))
    yield from (
        f"{path.name} gives {name}, which main.bicep does not declare"
        for name in sorted(given - main.parameters.keys())
    )

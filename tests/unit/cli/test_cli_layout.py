"""Rules for the source of the command line."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

SOURCES = Path(__file__).parents[3] / "cli" / "src" / "batch_task_deletion"
LONGEST = 250


def test_it_knows_nothing_of_the_rest_of_the_repository() -> None:
    """The command's package imports only the standard library, requests, rich, typer and urllib3."""
    allowed = {*sys.stdlib_module_names, "batch_task_deletion", "requests", "rich", "typer", "urllib3"}
    found: set[str] = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    assert found - allowed == set()


def test_no_module_is_too_long_to_read_in_one_sitting() -> None:
    """No module of the command has more than 250 lines."""
    lengths = {path.name: len(path.read_text().splitlines()) for path in SOURCES.rglob("*.py")}
    assert len(lengths) > 20
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_one_module_speaks_http() -> None:
    """Only `client.py` imports requests, so redirects, proxies, keys and retries are decided in one place."""
    users = {path.name for path in SOURCES.rglob("*.py") if "import requests" in path.read_text()}
    assert users == {"client.py"}

"""The lines that the app logs, read from its source, for checks of queries that look for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LOG_CALL = re.compile(r"log(?:ger)?\.(\w+)$")


@cache
def log_formats() -> dict[str, list[str]]:
    """The formats of the app's log lines, by event."""
    formats: dict[str, list[str]] = {}
    for text, _ in _calls():
        formats.setdefault(text.partition(" ")[0], []).append(text)
    return formats


@cache
def log_levels() -> dict[str, set[str]]:
    """The levels at which each event is logged."""
    levels: dict[str, set[str]] = {}
    for text, method in _calls():
        levels.setdefault(text.partition(" ")[0], set()).add("error" if method == "exception" else method)
    return levels


def _calls() -> Iterator[tuple[str, str]]:
    """The format and the method of each call."""
    for file in sorted((ROOT / "shared").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and (method := _LOG_CALL.match(ast.unparse(node.func))):
                yield (ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else "", method[1])

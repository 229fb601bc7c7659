"""The lines that the app logs, read from its source, for checks of queries that look for them."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LOG_CALL = re.compile(r"log(ger)?\.")


@cache
def log_formats() -> dict[str, list[str]]:
    """The formats of the app's log lines, by event."""
    formats: dict[str, list[str]] = {}
    for file in sorted((ROOT / "shared").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _LOG_CALL.match(ast.unparse(node.func)) and node.args:
                text = ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else ""
                formats.setdefault(text.partition(" ")[0], []).append(text)
    return formats

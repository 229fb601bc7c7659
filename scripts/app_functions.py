"""The functions that the app declares, read from its source, because the deployment check runs without its libraries."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_TRIGGERS = {"queue_trigger", "timer_trigger", "route"}


def declared(root: Path) -> dict[str, str]:
    """Each function's name and trigger."""
    tree = ast.parse((root / "function_app.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name: trigger for node in functions for trigger in _triggers(node)}


def _triggers(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in _TRIGGERS:
            yield called.attr

"""Reads JSON as the app does: no name twice in an object, no NaN."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def strict_value(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, with words that can follow a line's number."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as fault:
        if type(fault) is ValueError:
            raise
        raise ValueError("is not JSON") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} appears twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

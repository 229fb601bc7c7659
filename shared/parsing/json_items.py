"""Extracts the original text of single items from a JSON text, which parsing loses."""

from __future__ import annotations

import json

_BLANK = " \t\n\r"
# Number values are not needed, and Python refuses to convert very long ones to int.
_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)


def items_of(text: str, name: str) -> list[str]:
    """The text of each item in the list `name` of the object that `text`, which must be JSON, holds."""
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if key == name:
            return _items(text, at + 1)
        at = _next(text, _DECODER.raw_decode(text, at)[1])
    return []


def _items(text: str, at: int) -> list[str]:
    found: list[str] = []
    at = _skip(text, at)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        found.append(text[at:end])
        at = _next(text, end)
    return found


def _next(text: str, at: int) -> int:
    """Where the next member or item begins, or the closing bracket."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANK:
        at += 1
    return at

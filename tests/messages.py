"""Checks messages against the schemas that are published for each queue in `docs/schemas`.

The files are used, as by a consumer; objects that they leave open for later versions are closed here.
"""

from __future__ import annotations

import json
from functools import cache

from jsonschema import Draft202012Validator

from scripts.message_schemas import FOLDER, OWN
from tests.description import closed

_HEX = str.maketrans("123456789abcdef", "0" * 15)
_seen: set[tuple[str, str]] = set()
"""Messages that were found right, ids and numbers aside: the driven tests send thousands that differ in these alone."""

OWN_KINDS = ({"work"}, {"page"}, {"task"}, {"sweep"})


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Draft202012Validator(closed(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)


def faults(name: str, text: str) -> list[str]:
    """How a message differs from its schema; `name` is the schema's file."""
    return [f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(json.loads(text))]


def is_own(text: str) -> bool:
    """Whether a message has the form of those that the app sends to itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and set(value) in OWN_KINDS


def check_sent_by_app(name: str, text: str) -> None:
    """Fails for a message of the app that does not match its schema; `name` is the schema's file.

    On an input queue the app puts its own messages, and puts back those of others for another try.
    """
    like = (name, text.translate(_HEX))
    if like in _seen:
        return
    found = faults(OWN if is_own(text) else name, text)
    assert not found, f"{text[:2000]}: {found[:3]}"
    _seen.add(like)

"""Makes untrusted text safe to show in a terminal."""

from __future__ import annotations

import json
from typing import Any


def escaped(text: object) -> str:
    r"""The text on one line, with everything that could control a terminal or reorder text shown as `\x1b`, `\u202e`.

    That is every character that Unicode does not call printable: controls, formats (bidirectional marks among them),
    surrogates, line separators, and spaces other than U+0020.
    """
    return "".join(char if char.isprintable() else _escape(char) for char in str(text))


def _escape(char: str) -> str:
    number = ord(char)
    if number < 0x100:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def json_line(document: object) -> str:
    """A JSON document on one line of printable ASCII."""
    # json.dumps leaves DEL as it is.
    return json.dumps(document, separators=(",", ":")).replace("\x7f", "\\u007f")


def is_error(document: object) -> bool:
    """Whether a document is a BatchError."""
    return isinstance(document, dict) and isinstance(document.get("code"), str) and "message" in document


def error_text(document: Any) -> str:
    """A BatchError on one line, in the API's words: code, message, and each field at fault."""
    message = document["message"]
    said = message.get("value", "") if isinstance(message, dict) else message
    values = document.get("values") or []
    # The key is a JSON pointer; it is empty for the whole body.
    pairs = [f"{value.get('key')} {value.get('value')}".strip() for value in values if isinstance(value, dict)]
    return escaped(f"{document['code']}: {said}" + (f" ({'; '.join(pairs)})" if pairs else ""))


def counted(number: int, one: str, many: str = "") -> str:
    """`1 task`, `10,000 tasks`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"

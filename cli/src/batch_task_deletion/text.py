"""Makes whatever somebody else wrote safe to show in a terminal."""

from __future__ import annotations

import json
from typing import Any


def escaped(text: object) -> str:
    r"""The text in one line: what could steer a terminal or turn the direction of reading stands as `\x1b`, `\u202e`.

    That is all that Unicode does not call printable: controls, formats (bidirectional marks among them), surrogates,
    line ends beyond ASCII's, blanks that are none.
    """
    return "".join(char if char.isprintable() else _escape(char) for char in str(text))


def _escape(char: str) -> str:
    number = ord(char)
    if number < 0x100:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def json_line(document: object) -> str:
    """A JSON document in one line of printable ASCII."""
    # json.dumps leaves DEL as it is.
    return json.dumps(document, separators=(",", ":")).replace("\x7f", "\\u007f")


def is_error(document: object) -> bool:
    """Whether a document is a BatchError."""
    return isinstance(document, dict) and isinstance(document.get("code"), str) and "message" in document


def error_text(document: Any) -> str:
    """A BatchError in one line, worded as the API words it: code, message, and where what is wrong."""
    message = document["message"]
    said = message.get("value", "") if isinstance(message, dict) else message
    values = document.get("values") or []
    # The key is a pointer, which is empty for the whole.
    pairs = [f"{value.get('key')} {value.get('value')}".strip() for value in values if isinstance(value, dict)]
    return escaped(f"{document['code']}: {said}" + (f" ({'; '.join(pairs)})" if pairs else ""))


def counted(number: int, one: str, many: str = "") -> str:
    """`1 task`, `10,000 tasks`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"

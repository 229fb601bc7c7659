"""The two message encodings of host.json: text as it is, or base64 of it."""

from __future__ import annotations

import base64
import binascii


def decode_text(text: str, *, as_base64: bool) -> bytes | None:
    """The body that a message's text stands for; None when it should be base64 and is not.

    White space is skipped and padding required, as .NET's `Convert.FromBase64String` does.
    """
    if not as_base64:
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def encode_body(body: bytes, *, as_base64: bool) -> str:
    """The message text for a body; without base64, bytes that are not UTF-8 are replaced, as .NET does."""
    return base64.b64encode(body).decode("ascii") if as_base64 else body.decode(errors="replace")

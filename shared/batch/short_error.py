"""Shortens errors to fit a table column or a queue message, measured as ASCII JSON. Pure.

One character can take twelve in JSON (an escaped surrogate pair), so a limit in characters would not hold.
"""

from __future__ import annotations

import json
from itertools import accumulate

from shared.batch.reply import ErrorBody

MARK = " (shortened)"
MAX_VALUES = 21
"""The most problems reported for one request, plus the count of the others."""


def shortened(error: ErrorBody, room: int) -> ErrorBody:
    """The error in at most `room` characters of JSON (a few KiB or more), in either JSON form that the app uses.

    Shares of the room: 1/64 for the code, 1/4 for the message, 1/96 and 1/48 for each key and value. That makes nine
    tenths; the rest is for field names and punctuation.
    """
    return ErrorBody(
        clipped(error.code, room // 64),
        clipped(error.message, room // 4),
        tuple((clipped(key, room // 96), clipped(value, room // 48)) for key, value in error.values[:MAX_VALUES]),
    )


def clipped(text: str, room: int) -> str:
    """The text, or its beginning and an ellipsis, in at most `room` characters of JSON, quotes not counted."""
    if _size(text) <= room:
        return text
    kept = sum(size <= room - len(MARK) for size in accumulate(map(_size, text)))
    return text[:kept] + MARK


def _size(text: str) -> int:
    return len(json.dumps(text)) - 2

"""Errors cut to the room that there is, counted as JSON in ASCII: a column and a message refuse what is longer. Pure.

One character may be twelve in JSON (an escaped pair of surrogates), so that limits in characters do not hold.
"""

from __future__ import annotations

import json
from itertools import accumulate

from shared.batch.reply import BatchError

MARK = " (shortened)"
MAX_VALUES = 21
"""As many problems as are told of one request, and the count of the others."""


def shortened(error: BatchError, room: int) -> BatchError:
    """The error in at most `room` characters of JSON, a few KiB or more, in either of the forms that are in use.

    Shares of the room: 1/64 for the code, 1/4 for the message, 1/96 and 1/48 for each key and value. That is nine
    tenths of it; the rest is for names and punctuation.
    """
    return BatchError(
        clipped(error.code, room // 64),
        clipped(error.message, room // 4),
        tuple((clipped(key, room // 96), clipped(value, room // 48)) for key, value in error.values[:MAX_VALUES]),
    )


def clipped(text: str, room: int) -> str:
    """The text, or its beginning and a mark, in at most `room` characters of JSON (quotes aside)."""
    if _size(text) <= room:
        return text
    kept = sum(size <= room - len(MARK) for size in accumulate(map(_size, text)))
    return text[:kept] + MARK


def _size(text: str) -> int:
    return len(json.dumps(text)) - 2

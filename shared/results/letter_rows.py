"""Where dead letters lie in their table: partitions, keys, and the order of the list. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Protocol

from shared.clock import from_text, to_text

OLD_PARTITION = "dead-letters"
"""Of all letters of the time before they were spread."""
PARTITIONS = tuple(f"letters-{number}" for number in range(8))
"""Enough for 8,000 letters of two rows a second, which with their requests is more than a storage account takes; each
one is a query more for the list."""
PLACE = re.compile(r"[0-9]{15}:[0-9a-f-]{36}")

_END_OF_TIME = 253_402_300_799_999
"""Milliseconds to the year 9999: what is left of them sorts the newest first."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Placed(Protocol):
    """What a letter's place in the list depends on."""

    @property
    def id(self) -> str: ...

    @property
    def first_seen_at(self) -> datetime: ...


def partition_of(letter_id: str) -> str:
    """Where a letter lies: its id is a hash, so that they spread."""
    return f"letters-{int(letter_id[0], 16) // 2}"


def id_row(letter_id: str) -> str:
    """The key of the row that holds all of a letter."""
    return f"id:{letter_id}"


def time_row(letter: Placed) -> str:
    """The key of the row that lists a letter."""
    return f"at:{place_of(letter)}"


def place_of(letter: Placed) -> str:
    """Where a letter stands among all, newest first. Instants are stored in milliseconds, and cut to them."""
    return f"{_END_OF_TIME - (letter.first_seen_at - _EPOCH) // _MILLISECOND:015d}:{letter.id}"


def place_at(moment: datetime) -> str:
    """What sorts behind all letters first seen at an instant or later, and before all earlier ones."""
    milliseconds = -((_EPOCH - moment) // _MILLISECOND)
    return f"{_END_OF_TIME - milliseconds + 1:015d}"


def moment_text(moment: datetime | None) -> str:
    """An instant as a column has it; empty for none."""
    return to_text(moment) if moment else ""


def moment_in(text: str | None) -> datetime | None:
    """The instant in a column; None where there is none, or no such column yet."""
    return from_text(text) if text else None

"""The keys of dead letters in their table: partitions, row keys, and the order of the list. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Protocol

OLD_PARTITION = "dead-letters"
"""The partition of all letters from before they were spread over several."""
PARTITIONS = tuple(f"letters-{number}" for number in range(8))
"""Enough for 8,000 letters of two rows per second, which together with their requests is more than a storage account
accepts. Each partition costs the list one more query."""
PLACE = re.compile(r"[0-9]{15}:[0-9a-f-]{36}")

_END_OF_TIME = 253_402_300_799_999
"""Milliseconds up to the year 9999; subtracting from it sorts the newest first."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Placed(Protocol):
    """What determines a letter's place in the list."""

    @property
    def id(self) -> str: ...

    @property
    def first_seen_at(self) -> datetime: ...


def partition_of(letter_id: str) -> str:
    """The partition of a letter. Ids are hashes, so letters spread evenly."""
    return f"letters-{int(letter_id[0], 16) // 2}"


def id_row(letter_id: str) -> str:
    """The key of the row that holds the whole letter."""
    return f"id:{letter_id}"


def time_row(letter: Placed) -> str:
    """The key of the row that lists a letter."""
    return f"at:{place_of(letter)}"


def place_of(letter: Placed) -> str:
    """A letter's sort key, newest first. Instants are truncated to milliseconds, as they are stored."""
    return f"{_END_OF_TIME - (letter.first_seen_at - _EPOCH) // _MILLISECOND:015d}:{letter.id}"


def place_at(moment: datetime) -> str:
    """A sort key after all letters first seen at an instant or later, and before all earlier ones."""
    milliseconds = -((_EPOCH - moment) // _MILLISECOND)
    return f"{_END_OF_TIME - milliseconds + 1:015d}"

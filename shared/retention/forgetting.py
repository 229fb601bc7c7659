"""How long a sweep is remembered: until it and the last of its requests are past retention, and its counts with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.errors import CorruptRecord
from shared.ledger.tally import forgettable, is_long_over
from shared.retention.agenda import AgendaStore
from shared.retention.record import sweep_key
from shared.retention.sweep import Phase
from shared.storage.table import Found, Table

COLUMNS: Final = ("PartitionKey", "RowKey", "phase", "account")
"""What of a sweep's row is needed."""


def forgettable_sweeps(table: Table, rows: Sequence[Found], before: str) -> list[Found]:
    """Of the rows of sweeps that were last touched before an instant (as text), those whose requests are all as old.

    Not those of sweeps that run: one waits for its account for longer, or the app was off. The timer ends them.
    """
    old = [row for row in rows if is_long_over(table, _id_in(row), before)]
    return [row for row in old if row.entity.get("phase") != Phase.RUNNING.value or not _is_named(table, row)]


def _is_named(table: Table, row: Found) -> bool:
    """Whether its account knows that it runs: one of which it does not was never begun, or given up as unreadable."""
    try:
        agenda = AgendaStore(table).read(str(row.entity["account"]))
    except CorruptRecord:
        return True
    return agenda is not None and agenda.running == _id_in(row)


def _id_in(row: Found) -> str:
    return str(row.entity["RowKey"]).partition(":")[2]


def forgettable_counts(table: Table, rows: Sequence[Found], before: str) -> list[Found]:
    """Of the rows of counts of one bucket, those that no sweep needs either: without them its requests look open."""
    return forgettable(table, rows, before, lambda parent: table.read(*sweep_key(parent)) is not None)

"""How long a sweep and its counts are kept: until the sweep and all of its requests are past retention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.errors import CorruptRecord
from shared.ledger.tally import forgettable, is_long_over
from shared.retention.agenda import AgendaStore
from shared.retention.record import sweep_key
from shared.retention.sweep import Phase
from shared.storage.table import StoredRow, Table

COLUMNS: Final = ("PartitionKey", "RowKey", "phase", "account")
"""The columns of a sweep's row that are needed."""


def forgettable_sweeps(table: Table, rows: Sequence[StoredRow], before: str) -> list[StoredRow]:
    """Of sweeps last touched before an instant (as text), those whose requests are all that old too.

    Running sweeps are kept: one may wait that long for its account, or the app was off. The timer brings them to an end.
    """
    old = [row for row in rows if is_long_over(table, _id_in(row), before)]
    return [row for row in old if row.entity.get("phase") != Phase.RUNNING.value or not _is_named(table, row)]


def _is_named(table: Table, row: StoredRow) -> bool:
    """Whether the sweep's account names it as running. One that is not named never began, or was given up."""
    try:
        agenda = AgendaStore(table).read(str(row.entity["account"]))
    except CorruptRecord:
        return True
    return agenda is not None and agenda.running == _id_in(row)


def _id_in(row: StoredRow) -> str:
    return str(row.entity["RowKey"]).partition(":")[2]


def forgettable_counts(table: Table, rows: Sequence[StoredRow], before: str) -> list[StoredRow]:
    """Of one bucket's rows of counts, those whose sweep is gone too: without counts, a sweep's requests would look open."""
    return forgettable(table, rows, before, lambda parent: table.read(*sweep_key(parent)) is not None)

"""How long a sweep and its counts are kept: until the sweep and all of its requests are past retention."""

from __future__ import annotations

from collections.abc import Sequence

from shared.ledger.tally import forgettable, is_long_over
from shared.retention.record import sweep_key
from shared.storage.table import Found, Table


def forgettable_sweeps(table: Table, rows: Sequence[Found], before: str) -> list[Found]:
    """Of sweeps last touched before an instant (as text), those whose requests are all that old too."""
    return [row for row in rows if is_long_over(table, str(row.entity["RowKey"]).partition(":")[2], before)]


def forgettable_counts(table: Table, rows: Sequence[Found], before: str) -> list[Found]:
    """Of one bucket's rows of counts, those whose sweep is gone too: without counts, a sweep's requests would look open."""
    return forgettable(table, rows, before, lambda parent: table.read(*sweep_key(parent)) is not None)

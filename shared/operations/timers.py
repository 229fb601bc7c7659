"""Checks that the app's timers run: each run leaves a row, which `health` reads."""

from __future__ import annotations

from datetime import timedelta

from shared.clock import Clock, from_text, to_text
from shared.errors import AppError
from shared.storage.query import Query
from shared.storage.table import RowWrite, Table

PARTITION = "timers"
PERIODS = {"report_queue_depths": timedelta(minutes=5), "sweep_accounts": timedelta(minutes=5)}
"""By function name; timers that run less often than hourly are left out."""
MISSED = 3
"""Periods without a run after which a timer counts as stopped."""


class TimerStopped(AppError):
    """Raised when a timer that ran before has not run for three of its periods."""


class Timers:
    """Records and checks the runs of the app's timers. Every method may raise StorageUnavailable."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def ran(self, name: str) -> None:
        """Notes that a timer has done its work."""
        found = self._table.read(PARTITION, name)
        entity = {"PartitionKey": PARTITION, "RowKey": name, "ran_at": to_text(self._clock.now())}
        # Refused if another instance was faster, which is just as good.
        self._table.write(RowWrite(entity, found.etag if found else None))

    def check(self) -> None:
        """Raises TimerStopped, naming each stopped timer and its last run. A timer that never ran does not count."""
        page = self._table.query(Query(PARTITION), None, 100)
        runs = {str(row.entity["RowKey"]): str(row.entity["ran_at"]) for row in page.rows}
        now = self._clock.now()
        late = [
            f"{name} has not run since {runs[name]}"
            for name, period in PERIODS.items()
            if name in runs and now - from_text(runs[name]) > MISSED * period
        ]
        if late:
            raise TimerStopped("; ".join(late))

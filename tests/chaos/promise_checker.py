"""Watches each DELETE and each row of a world as it is written, and says at the end which promises were broken."""

from __future__ import annotations

from collections import Counter
from typing import Any

from devstack.promises import Promises
from shared.ledger.record import Key
from shared.ledger.tally import totals
from tests.fakes.app import World


class PromiseChecker:
    """The judge of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._promises = Promises()
        world.batch.on_delete = lambda request: self._promises.delete_sent(request.client_request_id)
        world.records.on_put = self._written

    def _written(self, row: dict[str, object]) -> None:
        if "request" not in row:
            return
        guid, batch = str(row["RowKey"]), self._world.batch
        self._promises.delete_answered(guid, acted=guid in batch.effects, told=guid in batch.confirmed)
        self._promises.row_written(guid, row)

    def row(self, client_request_id: str) -> dict[str, Any] | None:
        """The row of a request."""
        key = Key(client_request_id)
        return self._world.records.rows.get((key.bucket, key.row))

    def has_ended(self, client_request_id: str) -> bool:
        """Whether an outcome of the request was ever recorded, even if it has been redriven since."""
        return bool(self._promises.stories[client_request_id].ends)

    def broken(self, *client_request_ids: str) -> list[str]:
        """The broken promises about these requests, and about all else in the world."""
        for event in self._world.results():
            self._promises.result_sent(event)
        return self._promises.broken(client_request_ids, self._world.batch.tasks) + self._wrong_counts()

    def _wrong_counts(self) -> list[str]:
        """What is wrong if a parent's counts are not those of its rows."""
        rows = [row for row in self._world.records.rows.values() if row.get("parent_id")]
        found = []
        for parent in sorted({str(row["parent_id"]) for row in rows}):
            own = [row for row in rows if row["parent_id"] == parent]
            counted = totals(self._world.records, parent, dry_run=False)
            done = Counter(str(row["outcome"]) for row in own)
            if (counted.requested, counted.done) != (len(own), dict(done)):
                found.append(f"the counts of {parent} are {counted}, its rows {len(own)}, {dict(done)}")
            found += self._wrong_progress(parent, len(own))
        return found

    def _wrong_progress(self, parent: str, rows: int) -> list[str]:
        """What is wrong if a listed clean-up's progress does not match its rows, or has any open."""
        answer = self._world.progress(parent)
        told = answer.content
        if answer.status != 200 or told["state"] != "listed" or (told["requested"], told["open"]) == (rows, 0):
            return []
        return [f"the clean-up {parent} tells {told}, its rows are {rows}"]

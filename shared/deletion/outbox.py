"""Sends results that no queue message would bring back. A mark on the row stays until the result is sent."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from shared.errors import StorageUnavailable
from shared.ledger.record import Record
from shared.ledger.store import RecordStore
from shared.results.publisher import Publisher
from shared.results.queue import ResultQueue
from shared.results.result import Result

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outbox:
    """Sends the results of rows that are done and marked `emit_pending`."""

    publisher: Publisher
    results: ResultQueue
    store: RecordStore
    request_queue: str

    def send(self, record: Record, raw: bytes | None = None) -> Record:
        """Sends the result, then removes the mark; a crash in between means that the result is sent twice.

        Raises StorageUnavailable; the mark then stays.
        """
        self.results.send(self.publisher.publish([Result.of(record, raw)], self.request_queue))
        if not record.emit_pending:
            return record
        return self.store.write(record, replace(record, emit_pending=False)) or record

    def try_to_send(self, record: Record) -> Record:
        """As `send`; when storage fails, housekeeping sends it later."""
        try:
            return self.send(record)
        except StorageUnavailable as fault:
            log.warning("result_owed request_id=%s fault=%s", record.request.client_request_id, fault)
            return record

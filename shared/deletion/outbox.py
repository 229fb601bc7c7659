"""Results that no queue message stands behind: sent by the app itself, with a mark on the row until that is done."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from shared.deletion.message import request_body
from shared.errors import StorageUnavailable
from shared.ledger.record import Record
from shared.ledger.store import RecordStore
from shared.results.emission import Emitter, recorded
from shared.settings import Settings
from shared.storage.queues import Sender

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outbox:
    """Sends the results of rows that are done and marked `emit_pending`."""

    emitter: Emitter
    sender: Sender
    store: RecordStore
    settings: Settings

    def send(self, record: Record, body: bytes | None = None) -> Record:
        """Sends the result and takes the mark away; a crash between the two means that it is sent twice.

        Raises StorageUnavailable: the mark stays.
        """
        emission = recorded(record, body or request_body(record.request))
        for text in self.emitter.texts([emission], self.settings.request_queue):
            self.sender.send(self.settings.result_queue, text)
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

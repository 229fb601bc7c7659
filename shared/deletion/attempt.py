"""One attempt on claimed rows: sends the DELETEs in parallel, then records the outcomes in one transaction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from shared.batch.lanes import Lanes
from shared.batch.reply import ErrorBody, Reply, Sent, log_refused_access
from shared.clock import Clock, TimeBox
from shared.deletion.delivery import Timing
from shared.deletion.outcomes import RetryPolicy, next_row
from shared.errors import StaleDelivery
from shared.ledger import decisions
from shared.ledger.decisions import Change, Reason, Write
from shared.ledger.record import Record, State
from shared.ledger.store import RecordStore
from shared.request.model import DeletionRequest
from shared.results.telemetry import Send
from shared.storage.table import Refused

TOO_LATE = Reply(
    Sent.HELD, error=ErrorBody("AttemptTimedOut", "The attempt ran out of time before this DELETE could be sent.")
)


@dataclass(frozen=True)
class Attempt:
    """Sends the DELETEs of claimed rows and records their outcomes."""

    store: RecordStore
    send: Send
    lanes: Lanes
    clock: Clock
    timing: Timing
    policy: RetryPolicy

    def carry_out(self, claims: Sequence[Write], began: float, *, emit_pending: bool = False) -> list[Record]:
        """Sends the DELETEs and records what came of them. `began` is a monotonic time from before the claims.

        Returns the rows: done, or released for another try, whose message has not been sent yet.

        Raises:
            StaleDelivery: another worker now holds a row.
            StorageUnavailable: an outcome could not be recorded; the redelivery will send again.
        """
        if not claims:
            return []
        replies = self._send_all([claim.row.request for claim in claims], self.timing.box(began))
        now = self.clock.now()
        rows = _in_steps(
            [
                next_row(claim, reply, self.policy, now, emit_pending=emit_pending)
                for claim, reply in zip(claims, replies, strict=True)
            ],
            now,
        )
        changes = [(claim.row, row) for claim, row in zip(claims, rows, strict=True)]
        return self._record(changes, began + self.timing.budget_seconds)

    def _send_all(self, requests: Sequence[DeletionRequest], box: TimeBox) -> list[Reply]:
        return self.lanes.run([(request.batch_url, partial(self._send, request, box)) for request in requests])

    def _send(self, request: DeletionRequest, box: TimeBox) -> Reply:
        """Sends one DELETE, unless it is so late that another worker may be about to take over the claim."""
        if self.clock.monotonic() >= box.start_by:
            return TOO_LATE
        reply = self.send(request, box)
        log_refused_access(reply, request.batch_url, request.client_request_id)
        return reply

    def _record(self, changes: list[tuple[Record, Record]], until: float) -> list[Record]:
        """T6 and T7: all rows together, or one by one when another writer has interfered."""
        written = self.store.write_group(changes, until)
        if isinstance(written, Refused):
            return [self._record_one(before, after, until) for before, after in changes]
        return written

    def _record_one(self, claimed: Record, after: Record, until: float) -> Record:
        """Records one row (T6 or T7), and recognises its own earlier write if the answer was lost."""
        mine = claimed.claim.claim_id if claimed.claim else ""
        why = Change.ENDED if after.state is State.DONE else Change.RELEASED
        decided = self.store.settle(claimed.key, lambda found: decisions.on_record(found, mine, after, why), until)
        if decided.why is Reason.STALE:
            raise StaleDelivery(f"row {after.key.row} is held by another worker")
        return decided.record


def _in_steps(rows: list[Record], now: datetime) -> list[Record]:
    """Rows of one message whose retries are due at about the same time all wait for the last of them.

    Otherwise the jitter would scatter a message of a hundred rows over a hundred messages.
    """
    last: dict[int, datetime] = {}
    for row in rows:
        if row.next_attempt_at:
            step = _step(row.next_attempt_at - now)
            last[step] = max(row.next_attempt_at, last.get(step, row.next_attempt_at))
    return [replace(r, next_attempt_at=last[_step(r.next_attempt_at - now)]) if r.next_attempt_at else r for r in rows]


def _step(wait: timedelta) -> int:
    seconds = wait.total_seconds()
    return math.ceil(math.log2(seconds)) if seconds > 1 else 0

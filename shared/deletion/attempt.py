"""One attempt on claimed rows: sends the DELETEs in parallel, then records the outcomes in one transaction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from shared.batch.lanes import Lanes
from shared.batch.reply import ErrorBody, Reply, Sent, log_refused_access
from shared.clock import Clock, TimeBox
from shared.deletion.claiming import Claimed
from shared.deletion.delivery import Timing
from shared.deletion.outcomes import End, Retry, RetryPolicy, after_reply
from shared.errors import StaleDelivery
from shared.ledger import decisions, state
from shared.ledger.decisions import Change, Reason
from shared.ledger.record import Record, State
from shared.ledger.store import RecordStore
from shared.results.telemetry import Call
from shared.storage.table import Refused

TOO_LATE = Reply(
    Sent.HELD, error=ErrorBody("AttemptTimedOut", "The attempt ran out of time before this DELETE could be sent.")
)


@dataclass
class Attempted:
    """What became of the claimed rows."""

    done: list[Record] = field(default_factory=list)
    released: list[Record] = field(default_factory=list)
    """Released for another try; the message for it has not been sent yet."""


@dataclass(frozen=True)
class Attempt:
    """Sends the DELETEs of claimed rows and records their outcomes."""

    store: RecordStore
    call: Call
    lanes: Lanes
    clock: Clock
    timing: Timing
    policy: RetryPolicy

    def carry_out(self, claims: Sequence[Claimed], began: float, *, emit_pending: bool = False) -> Attempted:
        """Sends, classifies and records. `began` is a monotonic time from before the claims were written.

        Raises:
            StaleDelivery: another worker now holds a row.
            StorageUnavailable: an outcome could not be recorded; the redelivery will send again.
        """
        if not claims:
            return Attempted()
        replies = self._send_all(claims, began)
        now = self.clock.now()
        verdicts = [
            after_reply(c.before, c.record, reply, self.policy, now) for c, reply in zip(claims, replies, strict=True)
        ]
        changes = [
            _change(claimed, verdict, now, emit_pending=emit_pending)
            for claimed, verdict in zip(claims, _in_steps(verdicts), strict=True)
        ]
        return self._record(changes, began + self.timing.budget_seconds)

    def _send_all(self, claims: Sequence[Claimed], began: float) -> list[Reply]:
        box = self.timing.box(began)
        return self.lanes.run([(c.record.request.batch_url, partial(self._send, c, box)) for c in claims])

    def _send(self, claimed: Claimed, box: TimeBox) -> Reply:
        """Sends one DELETE, unless it is so late that another worker may be about to take over the claim."""
        if self.clock.monotonic() >= box.start_by:
            return TOO_LATE
        request = claimed.record.request
        reply = self.call(request, box)
        log_refused_access(reply, request.batch_url, request.client_request_id)
        return reply

    def _record(self, changes: list[tuple[Record, Record]], until: float) -> Attempted:
        """T6 and T7: all rows together, or one by one when another writer has interfered."""
        written = self.store.write_group(changes, until)
        if isinstance(written, Refused):
            written = [self._record_one(before, after, until) for before, after in changes]
        attempted = Attempted()
        for record in written:
            (attempted.done if record.state is State.DONE else attempted.released).append(record)
        return attempted

    def _record_one(self, claimed: Record, after: Record, until: float) -> Record:
        """Records one row (T6 or T7), and recognises its own earlier write if the answer was lost."""
        mine = claimed.claim.claim_id if claimed.claim else ""
        why = Change.ENDED if after.state is State.DONE else Change.RELEASED
        decided = self.store.settle(claimed.key, lambda found: decisions.on_record(found, mine, after, why), until)
        if decided.why is Reason.STALE:
            raise StaleDelivery(f"row {after.key.row} is held by another worker")
        return decided.record


def _change(claimed: Claimed, verdict: End | Retry, now: datetime, *, emit_pending: bool) -> tuple[Record, Record]:
    """The row under its claim, and the row to record."""
    before, record = claimed.before, claimed.record
    if isinstance(verdict, End):
        # More is now known about this try than was written before it.
        tried = replace(record, maybe_effect=before.maybe_effect or verdict.may_have_taken_effect)
        return record, state.conclude(tried, verdict.conclusion, emit_pending=emit_pending)
    effect = verdict.may_have_taken_effect
    return record, state.release(
        record, before, verdict.error, now, verdict.wait, may_have_taken_effect=effect, counts=verdict.counts
    )


def _in_steps(verdicts: list[End | Retry]) -> list[End | Retry]:
    """Rows of one message whose retries are due at about the same time all wait for the last of them.

    Otherwise the jitter would scatter a message of a hundred rows over a hundred messages.
    """
    longest: dict[int, timedelta] = {}
    for verdict in verdicts:
        if isinstance(verdict, Retry):
            step = _step(verdict.wait)
            longest[step] = max(verdict.wait, longest.get(step, verdict.wait))
    return [replace(v, wait=longest[_step(v.wait)]) if isinstance(v, Retry) else v for v in verdicts]


def _step(wait: timedelta) -> int:
    seconds = wait.total_seconds()
    return math.ceil(math.log2(seconds)) if seconds > 1 else 0

"""One attempt on claimed rows: the DELETEs side by side, then what came of them written in one transaction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from shared.batch.lanes import Lanes
from shared.batch.reply import BatchError, Reply, Sent, log_refused_access
from shared.clock import Clock, TimeBox
from shared.deletion.claiming import Claimed, Postponed, row_of
from shared.deletion.delivery import Timing
from shared.deletion.outcomes import Retry, RetryPolicy, after_reply
from shared.errors import StaleDelivery
from shared.ledger import state
from shared.ledger.record import Conclusion, Record, State
from shared.ledger.store import RecordStore
from shared.results.telemetry import Call
from shared.storage.table import Refused

MAX_REWRITES = 4
TOO_LATE = Reply(Sent.HELD, error=BatchError("AttemptTimedOut", "The attempt's time was over before its turn."))


@dataclass
class Settled:
    """What came of claimed rows."""

    done: list[Record] = field(default_factory=list)
    released: list[Record] = field(default_factory=list)
    """Given back for another try; the message that brings it is not sent yet."""

    def retries(self) -> list[Postponed]:
        """The rows to put back and when."""
        return [Postponed(row_of(r), r.next_attempt_at) for r in self.released if r.next_attempt_at]


class Attempt:
    """Sends the DELETEs of claimed rows and records their outcomes."""

    def __init__(
        self, store: RecordStore, call: Call, lanes: Lanes, clock: Clock, timing: Timing, policy: RetryPolicy
    ) -> None:
        self._store = store
        self._call = call
        self._lanes = lanes
        self._clock = clock
        self._timing = timing
        self._policy = policy

    def carry_out(self, claims: Sequence[Claimed], began: float, *, emit_pending: bool = False) -> Settled:
        """Sends, judges and records. `began` is the monotonic time from before the claims were written.

        Raises:
            StaleDelivery: another worker holds a row by now.
            StorageUnavailable: an outcome could not be recorded; the redelivery will send again.
        """
        if not claims:
            return Settled()
        replies = self._send_all(claims, began)
        now = self._clock.now()
        verdicts = [
            after_reply(c.before, c.record, reply, self._policy, now) for c, reply in zip(claims, replies, strict=True)
        ]
        verdicts = _in_steps(verdicts)
        changes = [
            (c.record, _written(c, verdict, now, emit_pending)) for c, verdict in zip(claims, verdicts, strict=True)
        ]
        return self._record(changes)

    def _send_all(self, claims: Sequence[Claimed], began: float) -> list[Reply]:
        box = self._timing.box(began)
        return self._lanes.run([(c.record.request.batch_url, partial(self._send, c, box)) for c in claims])

    def _send(self, claimed: Claimed, box: TimeBox) -> Reply:
        """One DELETE, unless so long has passed that another worker may be about to take the claim over."""
        if self._clock.monotonic() >= box.start_by:
            return TOO_LATE
        request = claimed.record.request
        reply = self._call(request, box)
        log_refused_access(reply, request.batch_url, request.client_request_id)
        return reply

    def _record(self, changes: list[tuple[Record, Record]]) -> Settled:
        written = self._store.write_group(changes)
        if isinstance(written, Refused):
            written = [self._record_one(before, after) for before, after in changes]
        settled = Settled()
        for record in written:
            (settled.done if record.state is State.DONE else settled.released).append(record)
        return settled

    def _record_one(self, before: Record, after: Record) -> Record:
        """T6 or T7 for one row, seeing through answers that were lost on the way."""
        for _ in range(MAX_REWRITES):
            written = self._store.write(before, after)
            if written:
                return written
            found = self._store.read(after.key)
            if found is None or found.state is State.ACCEPTED:
                break
            if found.state is State.DONE:
                return found
            if found.claim is None or before.claim is None or found.claim.claim_id != before.claim.claim_id:
                break
            if found.next_attempt_at is not None:
                return found
            before = found
        raise StaleDelivery(f"row {after.key.row} is held by another worker")


def _written(claimed: Claimed, verdict: Conclusion | Retry, now: datetime, emit_pending: bool) -> Record:
    if isinstance(verdict, Conclusion):
        return state.conclude(claimed.record, verdict, emit_pending=emit_pending)
    return state.release(
        claimed.record,
        claimed.before,
        verdict.error,
        now,
        verdict.wait,
        was_sent=verdict.was_sent,
        may_have_taken_effect=verdict.may_have_taken_effect,
        counts=verdict.counts,
    )


def _in_steps(verdicts: list[Conclusion | Retry]) -> list[Conclusion | Retry]:
    """Rows of one message that are to be tried again at about the same time wait for the last of them.

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

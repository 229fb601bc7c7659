"""One delivery of one queue message, and how long it may be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import Clock, TimeBox
from shared.errors import StaleDelivery
from shared.ledger.record import Holder


@dataclass(frozen=True)
class Delivery:
    """What the host hands over with a message."""

    queue: str
    message_id: str
    dequeue_count: int
    inserted_at: datetime
    next_visible_at: datetime
    """When the host's hold of the message lapses unless it renews it; renewals only move it later."""
    body: bytes
    traceparent: str | None = None
    """The trace of the invocation, as the host began it."""

    def holder(self, claim_id: str) -> Holder:
        """Who works on the message's requests now."""
        return Holder(claim_id, self.message_id, self.dequeue_count, self.next_visible_at)


@dataclass(frozen=True)
class Timing:
    """The order that keeps two workers apart: send window < budget < lease < the host's ten minutes."""

    budget_seconds: float
    """The longest that one attempt may take, from the claim to the recorded outcome."""

    @property
    def send_window_seconds(self) -> float:
        """No DELETE starts later than this after its claim."""
        return self.budget_seconds * 2 / 3

    def box(self, began: float) -> TimeBox:
        """When a DELETE may start, and by when it is over, for claims that were written from `began` on (monotonic)."""
        return TimeBox(began + self.send_window_seconds, began + self.budget_seconds)

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.budget_seconds * 2)

    @property
    def skew(self) -> timedelta:
        """How far two workers' clocks may differ without one sending into the other's lease."""
        return self.lease - timedelta(seconds=self.send_window_seconds)

    def check_fresh(self, holder: Holder, clock: Clock) -> None:
        """Raises StaleDelivery when the host may hand the message to somebody else before an attempt would end.

        Without it a stale delivery can take over a released claim with a message that is gone already; the true
        owner's message then looks like a duplicate, is dropped, and the request is lost.
        """
        if holder.next_visible_at is None:
            return
        if clock.now() + timedelta(seconds=self.budget_seconds) + self.skew >= holder.next_visible_at:
            raise StaleDelivery(f"message {holder.message_id} waited too long for a worker")

"""One delivery of one queue message, and how long it may be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import Clock, TimeBox
from shared.errors import StaleDelivery
from shared.ledger.record import Claim


@dataclass(frozen=True)
class Delivery:
    """A message, and what the host says about it."""

    queue: str
    message_id: str
    dequeue_count: int
    inserted_at: datetime
    next_visible_at: datetime
    """When the message becomes visible again unless the host renews its hold; renewals only move this later."""
    body: bytes
    traceparent: str | None = None
    """The trace context that the host started for the invocation."""

    def claim(self, claim_id: str, expires_at: datetime) -> Claim:
        """The claim on each of the message's requests."""
        return Claim(claim_id, self.message_id, self.dequeue_count, expires_at)


@dataclass(frozen=True)
class Timing:
    """The order that keeps two workers apart: send window < budget < lease < the host's ten minutes."""

    budget_seconds: float
    """The longest that one attempt may take, from the claim to the recorded outcome."""

    @property
    def send_window_seconds(self) -> float:
        """A DELETE must start within this time after its claim."""
        return self.budget_seconds * 2 / 3

    def box(self, began: float) -> TimeBox:
        """When a DELETE may start and must end, for claims written from `began` on (monotonic)."""
        return TimeBox(began + self.send_window_seconds, began + self.budget_seconds)

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.budget_seconds * 2)

    @property
    def skew(self) -> timedelta:
        """How far two workers' clocks may differ before one could send during the other's lease."""
        return self.lease - timedelta(seconds=self.send_window_seconds)

    def check_fresh(self, delivery: Delivery, clock: Clock) -> None:
        """Raises StaleDelivery when the host might deliver the message to another worker before an attempt would end.

        Otherwise a stale delivery could take over a released claim with a message that is already gone. The owner's
        message would then look like a duplicate and be dropped, and the request would be lost.
        """
        if clock.now() + timedelta(seconds=self.budget_seconds) + self.skew >= delivery.next_visible_at:
            raise StaleDelivery(f"message {delivery.message_id} waited too long for a worker")

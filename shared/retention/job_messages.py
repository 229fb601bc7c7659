"""The job-completion queue: passes steps of sweeps to the sweeper, and all other messages to clean-ups."""

from __future__ import annotations

from dataclasses import dataclass

from shared.cleanup.fan_out import FanOut
from shared.cleanup.poison import CleanupPoison
from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput
from shared.ledger.work import MAX_MESSAGE_BYTES
from shared.request.envelope import read_body
from shared.retention.message import SweepStep, is_sweep_step, read_sweep_step
from shared.retention.sweeper import Sweeper


@dataclass(frozen=True)
class JobMessages:
    """Messages of the job-completion queue and of its poison queue."""

    fan_out: FanOut
    poison: CleanupPoison
    sweeper: Sweeper

    def deliver(self, delivery: Delivery) -> list[str]:
        """Handles a message and returns the encoded events to send. Raises StaleDelivery, StorageUnavailable."""
        step = step_in(delivery.body)
        if step is None:
            return self.fan_out.deliver(delivery)
        self.sweeper.deliver(step, delivery.message_id)
        return []

    def deliver_poisoned(self, delivery: Delivery) -> None:
        """Ends the clean-up or sweep of a message that the host gave up. Raises only StorageUnavailable."""
        step = step_in(delivery.body)
        if step is None:
            self.poison.deliver(delivery)
        else:
            self.sweeper.give_up(step)


def step_in(body: bytes) -> SweepStep | None:
    """The step of a sweep in a message; None for any other message, including invalid ones."""
    try:
        value = read_body(body, max_bytes=MAX_MESSAGE_BYTES)
        return read_sweep_step(value) if is_sweep_step(value) else None
    except InvalidInput:
        return None

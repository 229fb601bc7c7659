"""The messages that a sweep sends: deletion requests, its next step, its closing event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.clock import Clock
from shared.deletion.acceptance import Dispatcher
from shared.ledger.record import Origin, Record
from shared.retention.message import SweepStep, write_sweep_step
from shared.retention.step import request_of
from shared.retention.sweep import Asked, Sweep
from shared.storage.queues import Sender


@dataclass(frozen=True)
class QueueOutlet:
    """Sends a sweep's messages. Every method may raise StorageUnavailable."""

    dispatcher: Dispatcher
    sender: Sender
    clock: Clock
    job_queue: str
    result_queue: str

    def ask(self, sweep: Sweep) -> None:
        """Sends the requests recorded by the sweep's last step. Their rows are written by the first claim.

        A repeat sends the same requests with the same ids, so each takes effect once.
        """
        # One instant for all, since a message tells when its rows were accepted: each its own would be a message each.
        now = self.clock.now()
        self.dispatcher.send(_record(sweep, asked, now) for asked in sweep.asked)

    def send_step(self, step: SweepStep, delay_seconds: float = 0.0) -> None:
        """Sends the message of a sweep's next step."""
        self.sender.send(self.job_queue, write_sweep_step(step), delay_seconds)

    def send_result(self, text: str) -> None:
        """Sends a closing event."""
        self.sender.send(self.result_queue, text)


def _record(sweep: Sweep, asked: Asked, now: datetime) -> Record:
    digest = next(count.digest for count in sweep.counts if count.name == asked.policy)
    return Record.new(request_of(sweep, asked), Origin.RETENTION, now, sweep.sweep_id, digest)

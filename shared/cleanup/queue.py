"""The job-completion queue, for the app's own messages."""

from __future__ import annotations

from dataclasses import dataclass

from shared.cleanup.message import Step, TaskStep
from shared.storage.queues import Sender


@dataclass(frozen=True)
class CleanupQueue:
    """Sends steps. Raises StorageUnavailable."""

    sender: Sender
    name: str

    def send(self, step: Step | TaskStep, delay_seconds: float = 0) -> None:
        """Sends a step that stays hidden for the delay."""
        self.sender.send(self.name, step.text(), delay_seconds)

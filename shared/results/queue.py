"""The result queue, for results that no output binding sends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.storage.queues import Sender


@dataclass(frozen=True)
class ResultQueue:
    """Sends results that are encoded already. Raises StorageUnavailable."""

    sender: Sender
    name: str

    def send(self, texts: Iterable[str]) -> None:
        """Puts each text."""
        for text in texts:
            self.sender.send(self.name, text)

"""What can go wrong in the host, split by what the host does about it.

HostError
├── StartUpFailed        the app, its settings or host.json cannot be served; the host does not start
├── AttemptFailed        one invocation failed; its message is retried, its caller gets 500
├── WorkerEnded          the process with the app's code ended too often by itself; ends the host
└── StorageFault
    ├── QueueMissing     the queue is not there (yet), or is being deleted; polls go on
    ├── DeliveryLost     the message is gone or belongs to another delivery by now; nothing is left to do
    ├── StorageDown      the service failed or was not reached; wait and try again
    └── StorageRefused   the service will not have it; ends the host when a listener meets it
"""

from __future__ import annotations

from collections.abc import Sequence


class HostError(Exception):
    """Base of everything that the host raises on purpose."""


class StartUpFailed(HostError):
    """Raised with every reason why this app cannot be served."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(reasons))


class AttemptFailed(HostError):
    """Raised when the host's own part of an invocation failed: binding an input or an output, or the time limit."""


class WorkerEnded(HostError):
    """Raised when the process with the app's code ended by itself once too often."""


class StorageFault(HostError):
    """Raised when a queue operation did not do its work."""


class QueueMissing(StorageFault):
    """Raised when the queue does not exist, is being deleted or is disabled."""


class DeliveryLost(StorageFault):
    """Raised when the pop receipt is stale or the message is gone."""


class StorageDown(StorageFault):
    """Raised for a 5xx answer or when there was no answer."""


class StorageRefused(StorageFault):
    """Raised for any other refusal, such as 403 for a wrong key or 413 for a message too large."""

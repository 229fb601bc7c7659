"""Makes the storage clients, once per process, from the same settings that the triggers and bindings read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from shared.clock import Clock, SystemClock
from shared.settings import Settings
from shared.storage.transport import BoundedRetry, BoundedTransport, Timeouts
from shared.wiring.credentials import SharedCredential, credential_factory

# Three quick tries stay well below a claim's lease; the clients' default takes minutes.
_RETRY: dict[str, Any] = {
    "retry_total": 3,
    "retry_connect": 2,
    "retry_read": 2,
    "retry_status": 3,
    "retry_backoff_factor": 0.2,
    "retry_backoff_max": 1,
}


def table_service(
    settings: Settings, credential: SharedCredential | None = None, seconds: float | None = None
) -> TableServiceClient:
    """The client for tables; its calls take at most `seconds`, or as long as the settings allow."""
    timeouts = Timeouts.within(seconds or settings.storage_timeout_seconds)
    options = _RETRY | {"transport": BoundedTransport(timeouts), "logging_enable": False}
    connection = settings.storage
    if connection.connection_string:
        return TableServiceClient.from_connection_string(connection.connection_string, **options)
    return TableServiceClient(connection.table_url, credential=credential or storage_credential(settings), **options)


def queue_service(settings: Settings, credential: SharedCredential | None = None) -> QueueServiceClient:
    """The client for queues; it sends message bodies unchanged."""
    timeouts = Timeouts.within(settings.storage_timeout_seconds)
    again = BoundedRetry(timeouts)
    options = _RETRY | {"transport": BoundedTransport(timeouts), "logging_enable": False, "retry_policy": again}
    connection = settings.storage
    if connection.connection_string:
        return QueueServiceClient.from_connection_string(connection.connection_string, **options)
    return QueueServiceClient(connection.queue_url, credential=credential or storage_credential(settings), **options)


@dataclass(frozen=True)
class _StorageIdentity:
    """The identity in the storage connection, which may differ from the one used for Batch."""

    batch_credential: str
    client_id: str | None


def storage_credential(settings: Settings, clock: Clock | None = None) -> SharedCredential:
    """The identity of all storage clients in the process; not used while a connection string is set."""
    identity = _StorageIdentity(settings.batch_credential, settings.storage.client_id)
    return SharedCredential(credential_factory(identity), clock or SystemClock())

"""The storage clients, set up once per process from the same settings that the triggers and bindings read."""

from __future__ import annotations

from typing import Any

import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient
from azure.storage.queue import LinearRetry, QueueServiceClient
from requests.adapters import HTTPAdapter

from shared.settings import Settings

POOL = 64
"""Connections kept: no fewer than threads. A smaller pool throws connections away and pays TLS again and again."""

# Three quick tries stay far below a claim's lease; the clients' own default is minutes.
_RETRY: dict[str, Any] = {
    "retry_total": 3,
    "retry_connect": 2,
    "retry_read": 2,
    "retry_status": 3,
    "retry_backoff_factor": 0.2,
    "retry_backoff_max": 2,
    "connection_timeout": 5,
    "read_timeout": 10,
}


def _transport() -> RequestsTransport:
    session = requests.Session()
    # Proxy and .netrc look-ups cost a seventh of a call, and a stray .netrc would replace the Authorization header.
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=POOL))
    return RequestsTransport(session=session, session_owner=False, use_env_settings=False)


def table_service(settings: Settings) -> TableServiceClient:
    """Client of the tables."""
    options = _RETRY | {"transport": _transport(), "logging_enable": False}
    connection = settings.storage
    if connection.connection_string:
        return TableServiceClient.from_connection_string(connection.connection_string, **options)
    return TableServiceClient(connection.table_url, credential=_credential(settings), **options)


def queue_service(settings: Settings) -> QueueServiceClient:
    """Client of the queues, with bodies sent as they are given."""
    # This library has a retry policy of its own that does not know the names above for the wait: 15 s and more.
    patience = LinearRetry(backoff=1, retry_total=2, random_jitter_range=1, retry_connect=2, retry_read=2)
    options = _RETRY | {"transport": _transport(), "logging_enable": False, "retry_policy": patience}
    connection = settings.storage
    if connection.connection_string:
        return QueueServiceClient.from_connection_string(connection.connection_string, **options)
    return QueueServiceClient(connection.queue_url, credential=_credential(settings), **options)


def _credential(settings: Settings) -> Any:
    # Imported here: a connection string, as on the local stack, needs none of it.
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    if settings.batch_credential == "developer":
        return DefaultAzureCredential()
    if settings.storage.client_id:
        return ManagedIdentityCredential(client_id=settings.storage.client_id)
    return ManagedIdentityCredential()

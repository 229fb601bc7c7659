"""The queues of one storage account; the only place that knows the storage library and its exceptions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import requests
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.queue import LinearRetry, QueueClient, QueueMessage, QueueServiceClient
from requests.adapters import HTTPAdapter

from devstack.host.errors import DeliveryLost, QueueMissing, StartUpFailed, StorageDown, StorageFault, StorageRefused
from devstack.host.exchange import MessageProperties

_GONE_QUEUE = {"QueueNotFound", "QueueBeingDeleted", "QueueDisabled"}
_LOST_DELIVERY = {"PopReceiptMismatch", "MessageNotFound"}
_CONNECTIONS = 96  # above the in-flight messages of a few functions; the pool's default of 10 drops connections
_RETRIES = 2
_RETRY_SECONDS = 1


@dataclass(frozen=True)
class Received:
    """One delivery: the text as stored, and what the service says about it."""

    text: str
    properties: MessageProperties


class QueueAccount:
    """The queues of one account, over one pool of connections."""

    def __init__(self, connection_string: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy is not for the local stack
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=_CONNECTIONS))
        # The library's default first waits 15 s, too long for a stack that restarts its storage within one test.
        try:
            self._service = QueueServiceClient.from_connection_string(
                connection_string,
                transport=RequestsTransport(session=self._session, session_owner=False),
                retry_policy=LinearRetry(backoff=_RETRY_SECONDS, retry_total=_RETRIES, random_jitter_range=0),
            )
        except ValueError as error:
            raise StartUpFailed([f"a storage connection string cannot be read: {error}"]) from error

    def queue(self, name: str) -> StorageQueue:
        """The queue of that name, whether it exists or not."""
        return StorageQueue(self._service.get_queue_client(name))

    def close(self) -> None:
        """Closes the connections."""
        self._service.close()
        self._session.close()


class StorageQueue:
    """One queue. Every method raises only StorageFault and its kinds, no exceptions of the library."""

    def __init__(self, client: QueueClient) -> None:
        self._client = client

    @property
    def address(self) -> str:
        """The queue's URL, which identifies it."""
        return str(self._client.url)

    @property
    def name(self) -> str:
        """The queue's name within its account."""
        return str(self._client.queue_name)

    def exists(self) -> bool:
        """Whether the queue is there."""
        try:
            with _translated():
                self._client.get_queue_properties()
        except QueueMissing:
            return False
        return True

    def receive(self, count: int, invisible_seconds: float) -> list[Received]:
        """Up to `count` messages, hidden from others for `invisible_seconds`."""
        with _translated():
            pages = self._client.receive_messages(
                messages_per_page=count, visibility_timeout=round(invisible_seconds)
            ).by_page()
            return [_received(message) for message in next(pages, ())]

    def put(self, text: str) -> None:
        """Adds a message; creates the queue if it is missing."""
        try:
            with _translated():
                self._client.send_message(text)
        except QueueMissing:
            with _translated(), contextlib.suppress(ResourceExistsError):
                self._client.create_queue()
            with _translated():
                self._client.send_message(text)

    def hide(self, message_id: str, receipt: str, seconds: float) -> str:
        """Hides a received message for `seconds` from now on, its body unchanged; returns the new pop receipt."""
        with _translated():
            updated = self._client.update_message(message_id, receipt, visibility_timeout=round(seconds))
            return str(updated.pop_receipt)

    def delete(self, message_id: str, receipt: str) -> None:
        """Deletes a received message."""
        with _translated():
            self._client.delete_message(message_id, receipt)


def _received(message: QueueMessage) -> Received:
    properties = MessageProperties(
        message_id=str(message.id),
        pop_receipt=str(message.pop_receipt),
        dequeue_count=int(message.dequeue_count or 0),
        inserted=message.inserted_on,  # type: ignore[arg-type]  # always set on a received message
        expires=message.expires_on,  # type: ignore[arg-type]
        next_visible=message.next_visible_on,  # type: ignore[arg-type]
    )
    return Received(str(message.content or ""), properties)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ResourceExistsError:
        raise
    except HttpResponseError as error:
        raise _fault_of(error) from error
    except AzureError as error:  # no connection, or no whole answer
        raise StorageDown(str(error)) from error


def _fault_of(error: HttpResponseError) -> StorageFault:
    code = str(getattr(error, "error_code", None) or "")
    if code in _GONE_QUEUE:
        return QueueMissing(code)
    if code in _LOST_DELIVERY:
        return DeliveryLost(code)
    text = f"HTTP {error.status_code} {code}"
    if error.status_code is None or error.status_code >= 500:
        return StorageDown(text)
    return StorageRefused(text)

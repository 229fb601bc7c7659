"""Sending messages to the queues of a storage account."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.queue import QueueClient, QueueServiceClient

from devstack.azurite import Azurite
from shared.errors import StorageUnavailable
from shared.settings import Settings
from shared.storage.queues import MAX_DELAY_SECONDS, Depth, QueueSender, encoded
from shared.wiring.storage_clients import queue_service
from tests.contract.test_table import LONGEST_SECONDS
from tests.contract.test_table import nowhere as nowhere  # noqa: PLC0414 -- a fixture
from tests.fakes.app import ENVIRONMENT


def sender_to(connection: str) -> QueueSender:
    """A sender for a storage account."""
    return QueueSender(queue_service(Settings.from_env({**ENVIRONMENT, "TaskDeleteStorage": connection})))


@pytest.fixture
def sender(azurite: Azurite) -> QueueSender:
    """A sender on the emulator."""
    return sender_to(azurite.connection_string)


@pytest.fixture
def queue(azurite: Azurite, unique_name: Callable[[str], str]) -> Iterator[QueueClient]:
    """A queue that does not exist yet, through the official client."""
    with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        yield service.get_queue_client(unique_name("queue-"))


def test_a_missing_queue_is_made(sender: QueueSender, queue: QueueClient) -> None:
    """Sending to a missing queue creates it, with the message unchanged."""
    sender.send(queue.queue_name, '{"a": "<&>\\u00fc"}')
    (message,) = queue.receive_messages()
    assert message.content == '{"a": "<&>\\u00fc"}'


def test_a_message_never_expires(sender: QueueSender, queue: QueueClient) -> None:
    """Messages are sent without an expiry, so that a request can wait as long as it has to."""
    sender.send(queue.queue_name, "text")
    (message,) = queue.receive_messages()
    assert message.expires_on is not None
    assert message.expires_on.year == 9999


def test_a_delayed_message_is_hidden(sender: QueueSender, queue: QueueClient) -> None:
    """A delayed message becomes visible after its delay, rounded up to a second."""
    begun = time.monotonic()
    sender.send(queue.queue_name, "later", 0.4)
    while not (messages := list(queue.receive_messages())) and time.monotonic() < begun + 60:
        time.sleep(0.05)
    assert [message.content for message in messages] == ["later"]
    assert time.monotonic() - begun > 0.4


@pytest.mark.parametrize("delay", [MAX_DELAY_SECONDS, 30 * 86_400])
def test_the_longest_delay_is_taken(sender: QueueSender, queue: QueueClient, delay: float) -> None:
    """A delay above the service's seven days is cut to seven days."""
    sender.send(queue.queue_name, "much later", delay)
    assert queue.get_queue_properties().approximate_message_count == 1
    assert list(queue.receive_messages()) == []


@pytest.mark.parametrize("delay", [0, -5])
def test_no_delay(sender: QueueSender, queue: QueueClient, delay: float) -> None:
    """A message with no delay or a negative one can be received at once."""
    sender.send(queue.queue_name, "now", delay)
    assert len(list(queue.receive_messages())) == 1


def test_a_message_of_the_longest_text(sender: QueueSender, queue: QueueClient) -> None:
    """A message of 64 KiB, the longest that a queue takes, is sent whole."""
    sender.send(queue.queue_name, "x" * 65_536)
    (message,) = queue.receive_messages()
    assert len(message.content) == 65_536


def test_a_text_that_is_too_long_is_storage_trouble(sender: QueueSender, queue: QueueClient) -> None:
    """A message that is too long raises StorageUnavailable, whose text does not quote it."""
    with pytest.raises(StorageUnavailable) as fault:
        sender.send(queue.queue_name, "secret" * 20_000)
    assert "secret" not in str(fault.value)


def test_the_probe(sender: QueueSender, queue: QueueClient) -> None:
    """Probing a queue creates it if it is missing and receives no message."""
    sender.probe(queue.queue_name)
    sender.send(queue.queue_name, "text")
    sender.probe(queue.queue_name)
    (message,) = queue.receive_messages()
    assert message.dequeue_count == 1


def test_the_depth_of_a_queue(sender: QueueSender, queue: QueueClient) -> None:
    """A queue's depth counts hidden messages; its age is that of the oldest visible one; nothing is received."""
    assert sender.depth(queue.queue_name, datetime.now(UTC)) == Depth(0, None)
    sender.send(queue.queue_name, "seen")
    sender.send(queue.queue_name, "hidden", 3_600)
    (message,) = queue.peek_messages()
    assert message.inserted_on is not None
    found = sender.depth(queue.queue_name, message.inserted_on + timedelta(seconds=90))
    assert found == Depth(2, 90.0)
    assert len(list(queue.receive_messages())) == 1


@pytest.mark.parametrize("call", ["send", "probe"])
def test_an_account_that_cannot_be_reached(nowhere: str, call: str) -> None:
    """An unreachable queue account raises StorageUnavailable within its time, without quoting the message."""
    sender, began = sender_to(nowhere), time.monotonic()
    with pytest.raises(StorageUnavailable) as fault:
        sender.send("some-queue", "secret") if call == "send" else sender.probe("some-queue")
    assert time.monotonic() - began < LONGEST_SECONDS
    assert str(fault.value).startswith("queue some-queue")
    assert "secret" not in str(fault.value)


@pytest.mark.parametrize(("encoding", "text"), [("none", "é"), ("base64", "w6k=")])
def test_the_encoding_of_results(encoding: str, text: str) -> None:
    """Result messages are encoded as base64 or sent as plain text, as the setting says."""
    assert encoded("é", encoding) == text

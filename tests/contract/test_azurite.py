"""The storage emulator does what the local stack and the tests of the storage adapters rely on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueClient, QueueServiceClient

from devstack.azurite import Azurite
from devstack.program import ProgramFailed
from devstack.storage_layout import create_queues_and_tables

UniqueName = Callable[[str], str]


def test_a_message_goes_through_a_queue(azurite: Azurite, unique_name: UniqueName) -> None:
    """The app's queue library works with the emulator, although it uses a newer version of the service's API."""
    with QueueClient.from_connection_string(azurite.connection_string, unique_name("requests")) as queue:
        queue.create_queue()
        queue.send_message("hello")
        assert [message.content for message in queue.receive_messages()] == ["hello"]


def test_a_second_insert_of_a_row_is_refused(azurite: Azurite, unique_name: UniqueName) -> None:
    """The emulator refuses to insert an existing row, which is what makes each request take effect once."""
    with TableServiceClient.from_connection_string(azurite.connection_string) as tables:
        table = tables.create_table(unique_name("rows"))
        table.create_entity({"PartitionKey": "1", "RowKey": "a"})
        with pytest.raises(ResourceExistsError):
            table.create_entity({"PartitionKey": "1", "RowKey": "a"})


@pytest.mark.parametrize(
    ("setting", "name"),
    [("REQUEST_TABLE_NAME", "a-b"), ("JOB_COMPLETION_QUEUE_NAME", ""), ("RESULT_QUEUE_NAME", "A_b")],
)
def test_a_name_that_is_none_keeps_nothing_else_from_being_made(
    azurite: Azurite, unique_name: UniqueName, setting: str, name: str
) -> None:
    """The app is to say what is wrong with its settings, so the local stack has to start."""
    names = {
        "REQUEST_QUEUE_NAME": unique_name("requests"),
        "JOB_COMPLETION_QUEUE_NAME": unique_name("events"),
        "RESULT_QUEUE_NAME": unique_name("results"),
        "REQUEST_TABLE_NAME": unique_name("rows"),
        "DEAD_LETTER_TABLE_NAME": unique_name("letters"),
    } | {setting: name}
    create_queues_and_tables(azurite.connection_string, names)
    with QueueServiceClient.from_connection_string(azurite.connection_string) as queues:
        made = {queue.name for queue in queues.list_queues()}
    assert {names["REQUEST_QUEUE_NAME"], names["REQUEST_QUEUE_NAME"] + "-poison"} <= made
    with TableServiceClient.from_connection_string(azurite.connection_string) as tables:
        assert names["DEAD_LETTER_TABLE_NAME"] in {table.name for table in tables.list_tables()}


def test_a_stop_leaves_nothing_and_a_start_finds_what_was_kept(tmp_path: Path) -> None:
    """An emulator that keeps its data stops listening when stopped, and restarts with its ports and messages."""
    with Azurite(tmp_path, in_memory=False) as emulator:
        port = urlsplit(emulator.queue_url).port
        with QueueClient.from_connection_string(emulator.connection_string, "kept", retry_total=0) as queue:
            queue.create_queue()
            queue.send_message("still here")
            emulator.stop()
            with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                pass
            emulator.start()
            assert [message.content for message in queue.receive_messages()] == ["still here"]


def test_a_taken_port_is_reported_with_the_emulators_own_words() -> None:
    """If a port is taken, the emulator's start fails with the emulator's own message."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ProgramFailed, match=rf"Azurite ended with code \d+ before it was ready[^$]*{port}"):
            Azurite(ports=(0, port, 0)).__enter__()

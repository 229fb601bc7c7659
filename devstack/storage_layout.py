"""Creates in the emulator the queues and tables that a deployment creates in the cloud."""

from __future__ import annotations

from collections.abc import Mapping

from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

POISON_SUFFIX = "-poison"


def create_queues_and_tables(connection_string: str, settings: Mapping[str, str]) -> None:
    """Creates what the settings name, and the poison queue of each input queue; none may exist yet."""
    read = [settings["REQUEST_QUEUE_NAME"], settings["JOB_COMPLETION_QUEUE_NAME"]]
    names = [*read, *(name + POISON_SUFFIX for name in read), settings["RESULT_QUEUE_NAME"]]
    with QueueServiceClient.from_connection_string(connection_string) as queues:
        for name in names:
            queues.create_queue(name)
    with TableServiceClient.from_connection_string(connection_string) as tables:
        for name in (settings["REQUEST_TABLE_NAME"], settings["DEAD_LETTER_TABLE_NAME"]):
            tables.create_table(name)

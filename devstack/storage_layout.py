"""Creates in the emulator the queues and tables that a deployment creates in the cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus

from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

POISON_SUFFIX = "-poison"


def create_queues_and_tables(connection_string: str, settings: Mapping[str, str]) -> None:
    """Creates what the settings name, and the poison queue of each input queue; none may exist yet.

    An invalid name is skipped: the app, or the host, says what is wrong with it.
    """
    read = [settings["REQUEST_QUEUE_NAME"], settings["JOB_COMPLETION_QUEUE_NAME"]]
    names = [*read, *(name + POISON_SUFFIX for name in read if name), settings["RESULT_QUEUE_NAME"]]
    with QueueServiceClient.from_connection_string(connection_string) as queues:
        _create(names, queues.create_queue)
    with TableServiceClient.from_connection_string(connection_string) as tables:
        _create([settings["REQUEST_TABLE_NAME"], settings["DEAD_LETTER_TABLE_NAME"]], tables.create_table)


def _create(names: Iterable[str], create: Callable[[str], object]) -> None:
    # Names are compared without letter case; the app refuses two that are the same.
    for name in {name.lower(): name for name in names if name}.values():
        try:
            create(name)
        except HttpResponseError as fault:
            if fault.status_code != HTTPStatus.BAD_REQUEST:
                raise

"""Runs one kind of storage call of one side in a separate process; prints its figures as JSON.

`python -m bench.storage_client SIDE CALL CONNECTION THREADS MOST`
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable
from typing import Any

from bench.calls import call_from

ROWS = 96
GROUPS = ("group insert", "group merge")
CALLS = (*GROUPS, "insert", "merge", "read", "put")
COLUMNS = {f"column_{number}": "some text of usual length" for number in range(18)} | {
    "v": 1,
    "attempts": 0,
    "sent": True,
}
CHANGED = {"state": "done", "outcome": "deleted", "completed_at": "2026-01-01T00:00:00.000000Z", "attempts": 1}

Call = Callable[[], object]


def of_the_app(call: str, connection: str, table: str) -> Callable[[], Call]:
    """The adapters that the app uses."""
    from shared.settings import Settings
    from shared.storage.queues import QueueSender
    from shared.storage.table import AzureTable, RowWrite
    from shared.wiring.storage_clients import queue_service, table_service

    settings = Settings.from_env(os.environ | {"TaskDeleteStorage": connection})
    rows, queues = AzureTable(table_service(settings), table), QueueSender(queue_service(settings))

    def make() -> Call:
        partition, old = _partition(), [_row("", number) for number in range(ROWS)]
        writes = [RowWrite({**row, "PartitionKey": partition}) for row in old]
        first = rows.write_group(writes)
        if not isinstance(first, list):
            raise TypeError("rows of a new partition were refused")
        state = {"etags": first}

        def merge(count: int) -> None:
            merged = [
                RowWrite({**CHANGED, "PartitionKey": partition, "RowKey": f"{number:08}"}, etag)
                for number, etag in enumerate(state["etags"][:count])
            ]
            answer = rows.write_group(merged)
            if not isinstance(answer, list):
                raise TypeError("a merge was refused")
            state["etags"][:count] = answer

        return {
            "group insert": lambda: rows.write_group([RowWrite(row) for row in _group()]),
            "group merge": lambda: merge(ROWS),
            "insert": lambda: rows.write(RowWrite(_row(_partition(), 1))),
            "merge": lambda: merge(1),
            "read": lambda: rows.read(partition, "00000001"),
            "put": lambda: queues.send("warm", "x" * 600),
        }[call]

    return make


def official(call: str, connection: str, table: str) -> Callable[[], Call]:
    """The official clients with their defaults."""
    from azure.core import MatchConditions
    from azure.data.tables import TableServiceClient, UpdateMode
    from azure.storage.queue import QueueServiceClient

    rows = TableServiceClient.from_connection_string(connection).get_table_client(table)
    queue = QueueServiceClient.from_connection_string(connection).get_queue_client("warm")

    def make() -> Call:
        partition = _partition()
        first = rows.submit_transaction([("create", _row(partition, number)) for number in range(ROWS)])
        etags = [answer["etag"] for answer in first]

        def merge_group() -> None:
            conditions = [{"etag": etag, "match_condition": MatchConditions.IfNotModified} for etag in etags]
            operations = [
                ("update", {**CHANGED, "PartitionKey": partition, "RowKey": f"{number:08}"}, condition)
                for number, condition in enumerate(conditions)
            ]
            etags[:] = [answer["etag"] for answer in rows.submit_transaction(operations)]

        def merge() -> None:
            entity = {**CHANGED, "PartitionKey": partition, "RowKey": f"{0:08}"}
            condition: dict[str, Any] = {"etag": etags[0], "match_condition": MatchConditions.IfNotModified}
            etags[0] = rows.update_entity(entity, UpdateMode.MERGE, **condition)["etag"]

        return {
            "group insert": lambda: rows.submit_transaction([("create", row) for row in _group()]),
            "group merge": merge_group,
            "insert": lambda: rows.create_entity(_row(_partition(), 1)),
            "merge": merge,
            "read": lambda: rows.get_entity(partition, "00000001"),
            "put": lambda: queue.send_message("x" * 600),
        }[call]

    return make


def _partition() -> str:
    return uuid.uuid4().hex


def _row(partition: str, number: int) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": f"{number:08}", **COLUMNS}


def _group() -> list[dict[str, Any]]:
    partition = _partition()
    return [_row(partition, number) for number in range(ROWS)]


def main() -> None:
    """Creates table and queue if they are missing, then makes the calls and prints the figures."""
    side, call, connection, threads, most = sys.argv[1:6]
    _make_places(connection)
    make = (of_the_app if side == "app" else official)(call, connection, "warm")
    count = max(int(threads), int(most) // (10 if call in GROUPS else 1))
    calls = call_from(int(threads), make, seconds=30, most=count)
    done = len(calls.latencies)
    print(json.dumps({"cpu_us": calls.cpu_seconds / done * 1e6, "calls_per_second": calls.rate}))


def _make_places(connection: str) -> None:
    from contextlib import suppress

    from azure.core.exceptions import ResourceExistsError
    from azure.data.tables import TableServiceClient
    from azure.storage.queue import QueueServiceClient

    with suppress(ResourceExistsError):
        TableServiceClient.from_connection_string(connection).create_table("warm")
    with suppress(ResourceExistsError):
        QueueServiceClient.from_connection_string(connection).create_queue("warm")


if __name__ == "__main__":
    main()

"""Inserts rows with the bare table client in group transactions, the least that accepting requests needs.

`python -m bench.bare_inserts CONNECTION TABLE ROW_FILE COUNT AT_ONCE` prints {"seconds"}.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from azure.data.tables import TableClient

GROUP = 100
BUCKETS = "0123456789abcdef"


def groups(row: Mapping[str, Any], count: int) -> list[list[tuple[str, dict[str, Any]]]]:
    """`count` rows like `row`, all different, in transactions of one bucket each."""
    return [
        [
            ("create", {**row, "PartitionKey": BUCKETS[number % len(BUCKETS)], "RowKey": str(uuid.uuid4())})
            for _ in range(min(GROUP, count - start))
        ]
        for number, start in enumerate(range(0, count, GROUP))
    ]


def insert(table: TableClient, row: Mapping[str, Any], count: int, at_once: int) -> float:
    """Seconds for all of them."""
    made = groups(row, count)
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(table.submit_transaction, made):
            pass
    return time.perf_counter() - began


def main() -> None:
    """Warms up with one transaction, then inserts the rows and prints the time."""
    connection, name, row_file, count, at_once = sys.argv[1:6]
    row = json.loads(Path(row_file).read_text())
    with TableClient.from_connection_string(connection, name) as table:
        insert(table, row, GROUP, 1)
        print(json.dumps({"seconds": insert(table, row, int(count), int(at_once))}))


if __name__ == "__main__":
    main()

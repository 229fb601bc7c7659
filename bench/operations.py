"""Counts storage operations in the emulator's own log, one line to a request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_LINE = re.compile(r'"(?P<method>[A-Z]+) /devstoreaccount1/(?P<path>[^ ?"]*)\S* [^"]*" (?P<status>\d+) (?P<size>\d+|-)')
_EMPTY_POLL_BYTES = 200
"""A page of messages that holds one is longer, one without any is not."""


def count_operations(lines: Iterable[str], inputs: Iterable[str], result: str) -> Counter[str]:
    """How many requests went to tables, to the input queues and to the result queue.

    Polls that find nothing, looks at a queue's length and the bench's own emptying of results are not among them.
    """
    names = set(inputs)
    counts: Counter[str] = Counter()
    for line in lines:
        found = _LINE.search(line)
        if found is None:
            continue
        queue, _, rest = found["path"].partition("/")
        if queue in names:
            counts["input queues"] += _is_work(found, rest)
        elif queue == result:
            counts["results put"] += found["method"] == "POST"
        elif not queue.endswith("-poison"):
            counts["tables"] += 1
    return counts


def _is_work(found: re.Match[str], rest: str) -> bool:
    if not rest:
        return False  # properties of the queue
    size = 0 if found["size"] == "-" else int(found["size"])
    return found["method"] != "GET" or size > _EMPTY_POLL_BYTES

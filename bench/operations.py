"""Counts storage operations in the emulator's own log, one line to a request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_LINE = re.compile(r'"(?P<method>[A-Z]+) /devstoreaccount1/(?P<path>[^ ?"]*)')


def count_operations(lines: Iterable[str], inputs: Iterable[str], result: str) -> Counter[str]:
    """How many requests went to tables, to the input queues and to the result queue.

    Receives are not among them, since the log does not tell those that found up to sixteen messages from polls that
    found none; nor are looks at a queue's length and the bench's own emptying of results.
    """
    names = set(inputs)
    counts: Counter[str] = Counter()
    for line in lines:
        found = _LINE.search(line)
        if found is None:
            continue
        queue = found["path"].partition("/")[0]
        if queue in names:
            counts["input queues"] += found["method"] != "GET"
        elif queue == result:
            counts["results put"] += found["method"] == "POST"
        elif not queue.endswith("-poison"):
            counts["tables"] += 1
    return counts

"""Counts storage operations in the emulator's own log, which has one line per request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_LINE = re.compile(r'"(?P<method>[A-Z]+) /devstoreaccount1/(?P<path>[^ ?"]*)')


def count_operations(lines: Iterable[str], inputs: Iterable[str], result: str) -> Counter[str]:
    """The number of requests to tables, to the input queues and to the result queue.

    Receives are left out, because the log does not distinguish those that found up to sixteen messages from polls that
    found none; so are reads of a queue's length and the benchmark's own emptying of results.
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

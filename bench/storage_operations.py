"""Counts storage operations in the emulator's own log, one line to a request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_LINE = re.compile(r'"(?P<method>[A-Z]+) /devstoreaccount1/(?P<path>[^ ?"]*)')


def count_operations(lines: Iterable[str], inputs: Iterable[str], result: str) -> Counter[str]:
    """How many requests went to tables, to the input queues and to the result queue.

    The bench's own reading of results is not among them: only messages put on the result queue count there.
    """
    names = set(inputs)
    counts: Counter[str] = Counter()
    for line in lines:
        found = _LINE.search(line)
        if found is None:
            continue
        queue = found["path"].partition("/")[0]
        if queue in names:
            counts["input queues"] += 1
        elif queue == result:
            counts["results put"] += found["method"] == "POST"
        else:
            counts["tables"] += 1
    return counts

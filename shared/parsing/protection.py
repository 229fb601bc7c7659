"""Protected jobs: nothing is ever deleted from them, whoever requests it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from shared.parsing.grammar import MAX_JOB_ID

_PATTERN = re.compile(rf"[A-Za-z0-9_:*?-]{{1,{MAX_JOB_ID}}}")


def check_pattern(text: str) -> str:
    """The pattern unchanged; raises ValueError when it holds a character that no job id has."""
    if not _PATTERN.fullmatch(text):
        raise ValueError(f"must be 1 to {MAX_JOB_ID} characters of A-Z, a-z, 0-9, '_', '-', ':', '*' and '?'")
    return text


def is_protected(job_id: str, patterns: Iterable[str]) -> str | None:
    """The first pattern that a job's id matches, ignoring case; None when there is none.

    `*` stands for any characters, including a colon, and `?` for exactly one.
    Batch ignores case when it compares ids, so a case-sensitive rule could be bypassed.
    """
    for pattern in patterns:
        # fnmatch would read "[...]" as a set.
        if fnmatchcase(job_id.lower(), pattern.lower().replace("[", "[[]")):
            return pattern
    return None

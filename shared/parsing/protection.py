"""Jobs that nothing is ever deleted from, whoever asks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from shared.parsing.grammar import MAX_JOB_ID

_PATTERN = re.compile(rf"[A-Za-z0-9_:*?-]{{1,{MAX_JOB_ID}}}")


def check_pattern(text: str) -> str:
    """The pattern itself; raises ValueError when it could never match a job's id as meant."""
    if not _PATTERN.fullmatch(text):
        raise ValueError(f"must be 1 to {MAX_JOB_ID} of A-Z, a-z, 0-9, '_', '-', ':', '*' and '?'")
    return text


def is_protected(job_id: str, patterns: Iterable[str]) -> str | None:
    """The first pattern that a job's id matches in any letter case, or None.

    `*` stands for any characters, a colon among them, and `?` for one; all else for itself.
    Batch compares ids without regard to case, so a rule that did not could be walked around.
    """
    for pattern in patterns:
        # fnmatch would read "[...]" as a set.
        if fnmatchcase(job_id.lower(), pattern.lower().replace("[", "[[]")):
            return pattern
    return None

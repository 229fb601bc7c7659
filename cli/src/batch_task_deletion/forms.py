"""Rules for ids, durations and instants, checked before anything is sent."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from batch_task_deletion.faults import Usage
from batch_task_deletion.text import escaped

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_JOB = re.compile(r"[A-Za-z0-9_-]{1,64}(?::job-[0-9]{1,10})?")
_TASK = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DURATION = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,8})W)?(?:([0-9]{1,8})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,8})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,8})S)?)?"
)
_UNITS = (7 * 86_400, 86_400, 3_600, 60, 1)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def guid(text: str) -> str:
    """A GUID in lower case. Raises ValueError, also for the all-zero GUID."""
    if not _GUID.fullmatch(text):
        raise ValueError("must be a GUID of 36 characters, with hyphens and without braces")
    if not UUID(text).int:
        raise ValueError("must not be the all-zero GUID")
    return text.lower()


def job_id(text: str) -> str:
    """A job's id. Raises ValueError."""
    if not _JOB.fullmatch(text):
        raise ValueError(
            "must be 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-', optionally followed by ':job-' and digits"
        )
    return text


def task_id(text: str) -> str:
    """A task's id. Raises ValueError."""
    if not _TASK.fullmatch(text):
        raise ValueError("must be 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'")
    return text


def duration(text: str) -> int:
    """The seconds of an ISO 8601 duration of weeks, days, hours, minutes and seconds. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("must be a duration of weeks, days, hours, minutes and seconds, such as PT10M or P3D")
    return sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS, strict=True))


def instant(text: str) -> str:
    """A date and time with `Z` or an offset, unchanged. Raises ValueError."""
    fault = ValueError("must be a date and time with 'Z' or an offset, such as 2026-11-24T08:00:00Z")
    if not _INSTANT.fullmatch(text):
        raise fault
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise fault from None
    return text


def delay(text: str) -> str:
    """A duration or an instant, unchanged. Raises ValueError."""
    if text.startswith("P"):
        duration(text)
        return text
    try:
        return instant(text)
    except ValueError as fault:
        raise ValueError(f"{fault}, or a duration such as PT1H or P3D") from None


def typed_id(text: str) -> str:
    """An id from the command line. Raises Usage."""
    try:
        return guid(text)
    except ValueError as fault:
        raise Usage(f"{escaped(text)}: the id {fault}") from None

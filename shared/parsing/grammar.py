"""The forms of the values in a request: ids, entity tags, dates, durations.

Each function returns the value in its canonical form, or raises ValueError with a readable
text such as "must be ..."; the caller adds where the value was.
Patterns are ASCII and match the whole text: `$` would accept a final newline, `int()` the
digits of other scripts, and `uuid.UUID()` four more spellings.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

MAX_DELAY = timedelta(days=30)

GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Jobs made by a job schedule are named "<schedule id>:job-<number>", and the schedule's own id may have 64 characters.
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}(?::job-[0-9]{1,10})?")
MAX_JOB_ID = 64 + len(":job-") + 10
NIL = "00000000-0000-0000-0000-000000000000"
# https://www.w3.org/TR/trace-context/#traceparent-header, version 00; an id of only zeros is invalid.
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_ETAG = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HTTP_DATE = re.compile(
    rf"({'|'.join(_DAYS)}), ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}}) ([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}}) GMT"
)

_DURATION = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,8})W)?(?:([0-9]{1,8})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,8})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,8})S)?)?"
)
_UNIT_SECONDS = (7 * 86_400, 86_400, 3_600, 60, 1)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def guid(text: str) -> str:
    """A GUID of 36 characters, in lower case. Nil is refused: every client that sends it by mistake sends the same."""
    found = parse_guid(text)
    if found == NIL:
        raise ValueError("must not be the nil GUID, which is usually sent by mistake")
    if found is None:
        raise ValueError("must be a GUID of 36 characters, with hyphens and without braces")
    return found


def parse_guid(text: str) -> str | None:
    """The GUID in lower case, or None when the text is not a GUID."""
    return text.lower() if GUID.fullmatch(text) else None


def job_id(text: str) -> str:
    """A job's id, letter case kept.

    The character rule also keeps `..` out of a URL, where it would delete the job itself:
    neither `quote` nor any HTTP client encodes dots.
    """
    if not JOB_ID.fullmatch(text):
        raise ValueError(
            "must be 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-', optionally followed by ':job-' and 1 to 10 digits"
        )
    return text


def task_id(text: str) -> str:
    """A task's id, letter case kept."""
    if not TASK_ID.fullmatch(text):
        raise ValueError("must be 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'")
    return text


def traceparent(text: str) -> str:
    """A W3C trace context: version, trace id, span id, flags."""
    if not TRACEPARENT.fullmatch(text):
        raise ValueError("must be a W3C traceparent of version 00, in lower case")
    return text


def etag(text: str) -> str:
    """The text of an If-Match or If-None-Match header, as given.

    Text outside Latin-1 would raise inside the HTTP client, so it is refused here.
    """
    if not _ETAG.fullmatch(text):
        raise ValueError("must be 1 to 256 printable ASCII characters, with no space at either end")
    return text


def http_date(text: str) -> datetime:
    """The instant of an IMF-fixdate (RFC 9110, section 5.6.7), whose weekday must be right.

    `email.utils.parsedate_to_datetime` would accept a wrong weekday, two-digit years and other zones.
    """
    fault = ValueError("must be a date such as 'Tue, 24 Nov 2026 07:30:00 GMT', weekday included")
    match = _HTTP_DATE.fullmatch(text)
    if match is None:
        raise fault
    weekday, day, month, year, hour, minute, second = match.groups()
    try:
        moment = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        raise fault from None
    if _DAYS[moment.weekday()] != weekday:
        raise fault
    return moment


def duration(text: str) -> timedelta:
    """An ISO 8601 duration of whole weeks, days, hours, minutes and seconds.

    Years and months have no fixed length. Fractions are refused because the queue service
    counts delays in whole seconds.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("must be an ISO 8601 duration of whole weeks, days, hours, minutes and seconds")
    return timedelta(
        seconds=sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNIT_SECONDS, strict=True))
    )


def instant(text: str) -> datetime:
    """An ISO 8601 date and time with `Z` or an offset, in UTC."""
    fault = ValueError("must be a date and time with 'Z' or an offset, such as '2026-11-24T08:00:00Z'")
    if not _INSTANT.fullmatch(text):
        raise fault
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault from None


def check_delay(delete_after: str, accepted: datetime) -> None:
    """Raise ValueError when the text is neither a duration nor an instant, or over 30 days ahead."""
    if _due(delete_after, accepted) - accepted > MAX_DELAY:
        raise ValueError(f"must be at most {MAX_DELAY.days} days ahead")


def due_at(delete_after: str, accepted: datetime) -> datetime:
    """When a deletion falls due: a duration counts from `accepted`, a past instant means immediately.

    Never raises for a text that passed `check_delay`, whatever `accepted` is.
    """
    return max(_due(delete_after, accepted), accepted)


def _due(delete_after: str, accepted: datetime) -> datetime:
    if not delete_after.startswith("P"):
        try:
            return instant(delete_after)
        except ValueError as fault:
            raise ValueError(f"{fault}, or a duration such as 'PT1H' or 'P3D'") from None
    try:
        return accepted + duration(delete_after)
    except OverflowError:
        raise ValueError("must be a shorter duration") from None

"""From an HTTP answer of the Batch service to a `Reply`. Pure; every part of the answer is untrusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from shared.batch.reply import BatchError, Reply, Sending

MOST_CODE: Final = 128
MOST_MESSAGE: Final = 2_000
MOST_VALUES: Final = 16
MOST_VALUE: Final = 500

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_SECONDS = re.compile(r"[0-9]{1,9}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# The service ends each message with these two lines, which would keep equal errors from being grouped.
_TRAILER = re.compile(r"\s*\bRequestId:\s*(?P<id>[0-9A-Za-z-]+)\s+Time:\s*\S+\s*\Z")


def answered(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Reply:
    """The reply for a whole answer; `headers` are looked up in any letter case by the mapping given."""
    request_id = clean(headers.get("request-id", ""), MOST_CODE) or None
    retry_after = retry_after_seconds(headers.get("Retry-After"), now)
    if 200 <= status < 300:
        return Reply(Sending.ANSWERED, status, retry_after=retry_after, request_id=request_id)
    error, id_in_text = _batch_error(body)
    return Reply(
        Sending.ANSWERED,
        status,
        error or BatchError("UnexpectedAnswer", f"HTTP {status} without an error body of the Batch service."),
        has_batch_code=error is not None,
        retry_after=retry_after,
        request_id=request_id or id_in_text,
    )


def not_sent(code: str, message: str) -> Reply:
    """The reply for a call of which nothing left the machine."""
    return Reply(Sending.NOT_SENT, error=BatchError(code, clean(message, MOST_MESSAGE)))


def unanswered(code: str, message: str) -> Reply:
    """The reply for a call that may have arrived."""
    return Reply(Sending.UNANSWERED, error=BatchError(code, clean(message, MOST_MESSAGE)))


def retry_after_seconds(text: str | None, now: datetime) -> float | None:
    """Seconds from `now`, from either form of the header (RFC 9110, section 10.2.3); None if it is neither."""
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def parsed_object(body: bytes) -> dict[str, object] | None:
    """The JSON object in `body`, or None for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def clean(text: str, most: int) -> str:
    """`text` on one line without control characters and lone surrogates, at most `most` characters."""
    plain = text[: 4 * most].encode("utf-8", "replace").decode("utf-8")
    return _CONTROLS.sub(" ", plain).strip()[:most]


def _batch_error(body: bytes) -> tuple[BatchError | None, str | None]:
    """The error and the request id that stands in its message."""
    fields = parsed_object(body) or {}
    code = fields.get("code")
    if not isinstance(code, str) or len(code) > MOST_CODE or not _CODE.fullmatch(code):
        return None, None
    text = _message(fields.get("message"))
    trailer = _TRAILER.search(text)
    if trailer:
        text = text[: trailer.start()]
    error = BatchError(code, clean(text, MOST_MESSAGE), _values(fields.get("values")))
    return error, trailer["id"][:MOST_CODE] if trailer else None


def _message(message: object) -> str:
    value = message.get("value") if isinstance(message, dict) else message
    return value if isinstance(value, str) else ""


def _values(values: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(values, list):
        return ()
    pairs = [(v.get("key"), v.get("value")) for v in values[:MOST_VALUES] if isinstance(v, dict)]
    return tuple(
        (clean(k, MOST_CODE), clean(v, MOST_VALUE)) for k, v in pairs if isinstance(k, str) and isinstance(v, str)
    )

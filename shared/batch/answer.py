"""Turns an HTTP answer of the Batch service into a `Reply`. Pure; no part of the answer is trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from shared.batch.reply import ErrorBody, Kind, Reply, Sent

UNREADABLE: Final = "UnreadableAnswer"
MOST_CODE: Final = 128
MOST_TEXT: Final = 8_192
"""Characters kept of an error's message, and of all its values together."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_SECONDS = re.compile(r"[0-9]{1,9}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# The service ends each message with these two lines; they would keep equal errors from being grouped.
_TRAILER = re.compile(r"RequestId:\s*(?P<id>[0-9A-Za-z-]+)\s+Time:\s*\S+\s*")
_MOST_TRAILER = 256
_JSON = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\n\r]*")
# A message that was cut off: its text, or the `value` of its object.
_CUT_MESSAGE = re.compile(
    rf"""(?:\{{[^{{}}]{{0,200}}?"value"[ \t\n\r]*:[ \t\n\r]*)?"((?:[^"\\]|\\u[0-9A-Fa-f]{{4}}|\\[^u]){{0,{MOST_TEXT}}})""",
    re.DOTALL,
)


def answered(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Reply:
    """The reply for a complete answer; `headers` must be a case-insensitive mapping."""
    request_id = clean(headers.get("request-id", ""), MOST_CODE) or None
    retry_after = retry_after_seconds(headers.get("Retry-After"), now)
    if 200 <= status < 300:
        error = None if request_id else ErrorBody("UnexpectedAnswer", f"HTTP {status} without the header request-id.")
        return Reply(Sent.ANSWERED, status, error, retry_after=retry_after, request_id=request_id, body=body)
    error, id_in_text = _batch_error(body)
    return Reply(
        Sent.ANSWERED,
        status,
        error or ErrorBody("UnexpectedAnswer", f"HTTP {status} without a Batch error body."),
        has_batch_code=error is not None,
        retry_after=retry_after,
        request_id=request_id or id_in_text,
    )


def without_answer(sent: Sent, code: str, message: str) -> Reply:
    """The reply for a call without a complete answer, with an error that the app made up."""
    return Reply(sent, error=ErrorBody(code, clean(message, MOST_TEXT)))


def items_in(reply: Reply, what: str) -> tuple[Reply, list[Any], str | None]:
    """The reply and, when it is a 2xx, the items of its list and the link to the next page.

    A 2xx without a readable list counts as unanswered.
    """
    if reply.kind is not Kind.SUCCESS:
        return reply, [], None
    fields = parsed_object(reply.body) or {}
    items, link = fields.get("value"), fields.get("odata.nextLink")
    if not isinstance(items, list) or not isinstance(link, str | None):
        return unreadable(what), [], None
    return reply, items, link or None


def unreadable(what: str) -> Reply:
    """The reply for a 2xx that lacks what was asked for."""
    return without_answer(Sent.UNANSWERED, UNREADABLE, f"The service's answer does not contain a {what}.")


def retry_after_seconds(text: str | None, now: datetime) -> float | None:
    """Seconds from `now`, given either form of the header (RFC 9110, section 10.2.3); None if it is neither."""
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
    """`text` on one line, without control characters or lone surrogates, at most `most` characters long."""
    plain = text[: 4 * most].encode("utf-8", "replace").decode("utf-8")
    return _CONTROLS.sub(" ", plain).strip()[:most]


def _batch_error(body: bytes) -> tuple[ErrorBody | None, str | None]:
    """The error, and the request id found in its message."""
    fields = parsed_object(body) or _beginning_of(body)
    code = fields.get("code")
    if not isinstance(code, str) or len(code) > MOST_CODE or not _CODE.fullmatch(code):
        return None, None
    text, id_in_text = _without_trailer(_message(fields.get("message")))
    return ErrorBody(code, clean(text, MOST_TEXT), _values(fields.get("values"))), id_in_text


def _without_trailer(text: str) -> tuple[str, str | None]:
    """The message without its last two lines, and the request id in them."""
    start = max(text.rfind("RequestId:"), 0)
    # Matched at one place only: a pattern that may begin anywhere takes quadratic time over a run of spaces.
    trailer = _TRAILER.fullmatch(text[start:]) if len(text) - start <= _MOST_TRAILER else None
    if trailer is None or text[:start][-1:].isalnum():
        return text, None
    return text[:start], trailer["id"][:MOST_CODE]


def _beginning_of(body: bytes) -> dict[str, object]:
    """The complete members of an object whose end was cut off, and as much of its message as there is."""
    text = body.decode("utf-8", "replace")
    fields: dict[str, object] = {}
    place = _after_blanks(text, 0)
    try:
        while text[place : place + 1] in {"{", ","}:
            name, place = _JSON.raw_decode(text, _after_blanks(text, place + 1))
            start = _after_blanks(text, _after_blanks(text, place) + 1)
            if name == "message" and (cut := _CUT_MESSAGE.match(text, start)):
                fields[name] = _unquoted(cut[1])
            fields[str(name)], place = _JSON.raw_decode(text, start)
            place = _after_blanks(text, place)
    except (ValueError, RecursionError):
        return fields
    return fields


def _after_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return ""


def _message(message: object) -> str:
    value = message.get("value") if isinstance(message, dict) else message
    return value if isinstance(value, str) else ""


def _values(values: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(values, list):
        return ()
    kept: list[tuple[str, str]] = []
    room = MOST_TEXT
    for item in values:
        key, value = (item.get("key"), item.get("value")) if isinstance(item, dict) else (None, None)
        if room > 0 and isinstance(key, str) and isinstance(value, str):
            kept.append((clean(key, MOST_CODE), clean(value, room)))
            room -= sum(map(len, kept[-1]))
    return tuple(kept)

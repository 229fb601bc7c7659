"""When to retry a call, and when to give up. Decisions are values; `client.py` carries them out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ConnectTimeout, ProxyError, RequestException, SSLError
from urllib3.exceptions import MaxRetryError

MINUTE = 60.0
"""Seconds after the first failure during which a call is retried."""

_TEMPORARY = frozenset({429, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0


def is_temporary(status: int, document: Any) -> bool:
    """Whether a failure is temporary, so that a retry may help.

    Not so for invalid settings, which need a person, nor for `health`: its 503 with checks is the answer.
    """
    if status not in _TEMPORARY:
        return False
    if not isinstance(document, dict):
        return True
    return document.get("code") != "InvalidConfiguration" and "checks" not in document


def was_never_made(fault: RequestException) -> bool:
    """Whether a connection failed before anything could be sent: unknown host, refused, TLS, proxy."""
    if isinstance(fault, (ConnectTimeout, SSLError, ProxyError)):
        return True
    # requests wraps MaxRetryError for a connection that could not be made, but not for one that broke.
    return isinstance(fault, NoConnection) and bool(fault.args) and isinstance(fault.args[0], MaxRetryError)


def asked_pause(headers: Mapping[str, str], now: datetime) -> float:
    """The seconds of `Retry-After`, a number or a date; 0 if it is missing or invalid."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


class RetryWindow:
    """How long one call has been failing, and how long to pause before the next try."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._pause = _FIRST_PAUSE

    def pause(self, now: float, asked: float = 0.0) -> float | None:
        """Seconds to wait after a failure at `now`, or None to give up because the minute would be over."""
        self._since = now if self._since is None else self._since
        wanted = max(self._pause, asked)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return None if now + wanted - self._since > MINUTE else wanted

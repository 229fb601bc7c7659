"""When a call is tried again, and when no more. Decisions are values; `client.py` carries them out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ConnectTimeout, ProxyError, RequestException, SSLError
from urllib3.exceptions import MaxRetryError

MINUTE = 60.0
"""Seconds after the first failure in which the same call is tried again."""

_PASSING = frozenset({429, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0


def passes(status: int, document: Any) -> bool:
    """Whether an answer is one of those that another try may change.

    Wrong settings are mended by people, and what `health` says is its answer.
    """
    if status not in _PASSING:
        return False
    if not isinstance(document, dict):
        return True
    return document.get("code") != "InvalidConfiguration" and "checks" not in document


def was_never_made(fault: RequestException) -> bool:
    """Whether a connection failed before anything could be sent on it: wrong name, nobody there, TLS, proxy."""
    if isinstance(fault, (ConnectTimeout, SSLError, ProxyError)):
        return True
    # requests wraps a connection that could not be made in this one, and a connection that broke in none.
    return isinstance(fault, NoConnection) and bool(fault.args) and isinstance(fault.args[0], MaxRetryError)


def asked_pause(headers: Mapping[str, str], now: datetime) -> float:
    """The seconds of a `Retry-After`, given as a number or a date; 0 where there is none that can be read."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


class Patience:
    """How long one call has failed for, and how long to pause before the next try."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._pause = _FIRST_PAUSE

    def pause(self, now: float, asked: float = 0.0) -> float | None:
        """Seconds to wait after a failure at `now`; None when the minute would be over by then."""
        self._since = now if self._since is None else self._since
        wanted = max(self._pause, asked)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return None if now + wanted - self._since > MINUTE else wanted

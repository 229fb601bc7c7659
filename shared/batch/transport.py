"""One HTTP call to the Batch service through `requests`: the session, the exchange and its faults.

The connection itself records whether any byte of a request was sent: an `SSLError` or `ConnectionError`
from requests can happen before or after that, and only the former proves that a DELETE did nothing.
"""

from __future__ import annotations

import http.client
import socket
import threading
from typing import Any, Final

import requests
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from shared.batch.answer import answered, without_answer
from shared.batch.reply import Reply, Sent
from shared.batch.target import UnsafeTarget
from shared.clock import Clock, TimeBox
from shared.connections import DirectAdapter, PoolClasses

CONNECT_SECONDS: Final = 5.0
UNSAFE_TARGET: Final = "UnsafeTarget"
"""Code of a reply made up by our guard: the URL would not have been the intended one."""
INVALID_REQUEST: Final = "InvalidRequest"
"""Code of a reply made up because the request cannot be encoded as HTTP."""
MOST_BODY: Final = 1_048_576
"""Bytes read of an answer that lists nothing; an error keeps its code and status whatever its size."""
USER_AGENT: Final = "batch-task-deletion"

_CHUNK: Final = 65_536
_MOST_CAUSES: Final = 8

_UNSENDABLE: Final = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidJSONError,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.URLRequired,
)


class _Wire(threading.local):
    """What happened to this thread's request; a thread makes one request at a time."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        """The connection that the request was written to; None while nothing has been written."""


_wire = _Wire()


class _HTTPConnection(HTTPConnection):
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _wire.socket = self.sock
        super().send(data)


class _HTTPSConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _wire.socket = self.sock
        super().send(data)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


_POOLS: PoolClasses = {"http": _HTTPPool, "https": _HTTPSPool}


class BatchSession(requests.Session):
    """A session that keeps connections and nothing else: no cookies, proxies, .netrc or redirects."""

    def __init__(self, pool: int, ca_file: str | None) -> None:
        super().__init__()
        # With trust_env a stray .netrc would replace the Authorization header.
        self.trust_env = False
        self.headers.clear()
        self.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": USER_AGENT})
        self._adapter = DirectAdapter(pool, ca_file, _POOLS)
        self.mount("https://", self._adapter)
        self.mount("http://", self._adapter)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Checks and encodes method, URL and headers; merges in only the session's headers."""
        prepared = requests.PreparedRequest()
        prepared.prepare(request.method, request.url, headers={**self.headers, **request.headers})
        return prepared

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Sends once, and returns the answer as received, whatever its status and cookies."""
        return self._adapter.send(request, **options)


def batch_session(pool: int, ca_file: str | None = None) -> BatchSession:
    """A session for `pool` threads that trusts certifi's CAs unless a bundle is named."""
    return BatchSession(pool, ca_file)


def exchange(
    session: BatchSession, request: requests.PreparedRequest, *, box: TimeBox, most_body: int, clock: Clock
) -> Reply:
    """Sends the request once and reads the answer; exceptions become replies here and nowhere else.

    Connecting, waiting for the answer and reading it must all end by the end of the time box.
    A body is cut off after `most_body` bytes.
    """
    seconds = box.end_by - clock.monotonic()
    connect = min(CONNECT_SECONDS, seconds / 2)
    _wire.socket = None
    try:
        response = session.send(request, stream=True, timeout=(connect, seconds - connect))
        try:
            body = _read(response, most_body, box.end_by, clock)
        finally:
            response.close()
        return answered(response.status_code, response.headers, body, clock.now())
    except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        return fault(error, sent=_wire.socket is not None)
    finally:
        _wire.socket = None


def _read(response: requests.Response, most: int, end_by: float, clock: Clock) -> bytes:
    body = bytearray()
    while len(body) < most:
        left = end_by - clock.monotonic()
        if left <= 0:
            raise requests.exceptions.ReadTimeout("the body arrived too slowly")
        # A server that sends a byte now and then would restart the read time-out each time.
        if _wire.socket is not None:
            _wire.socket.settimeout(left)
        chunk = response.raw.read1(min(_CHUNK, most - len(body)), decode_content=True)
        if not chunk:
            break
        body += chunk
    return bytes(body)


def fault(error: Exception, *, sent: bool) -> Reply:
    """The reply for a call that ended in an exception, depending on whether any of it was sent."""
    if sent:
        return without_answer(Sent.UNANSWERED, "NoAnswer", f"The service did not answer completely: {describe(error)}")
    if isinstance(error, UnsafeTarget):
        return without_answer(Sent.REFUSED, UNSAFE_TARGET, f"Refused before anything was sent: {error}.")
    if isinstance(error, _UNSENDABLE) or (isinstance(error, ValueError) and not isinstance(error, OSError)):
        text = f"The request cannot be encoded as HTTP: {type(error).__name__}"
        return without_answer(Sent.REFUSED, INVALID_REQUEST, text)
    return without_answer(Sent.FAILED, "NoConnection", f"The service could not be reached: {describe(error)}")


def describe(error: BaseException) -> str:
    """The classes of an exception and its causes, with the operating system's text for the last.

    All other text is left out, because it may quote a header.
    """
    names: list[str] = []
    current: object = error
    text = ""
    while isinstance(current, BaseException) and len(names) < _MOST_CAUSES:
        names.append(type(current).__name__)
        if isinstance(current, OSError) and not isinstance(current, requests.RequestException) and current.strerror:
            text = f" ({current.strerror})"
        current = getattr(current, "reason", None) or next(
            (a for a in current.args if isinstance(a, BaseException)), current.__cause__
        )
    return " < ".join(names) + text

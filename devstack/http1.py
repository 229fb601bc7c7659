"""HTTP/1.1 as received and sent: requests as they are read, answers as they are written.

What Kestrel, the web server of the Functions host, refuses is refused here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.client import responses
from typing import BinaryIO

LONGEST_LINE = 8 * 1024
MOST_HEADERS = 32 * 1024


class Headers:
    """Request headers, by name in any letter case; values of a repeated one are joined by a comma."""

    def __init__(self, headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        self.pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        self._values: dict[str, str] = {}
        for name, value in self.pairs:
            folded = name.lower()
            self._values[folded] = f"{self._values[folded]},{value}" if folded in self._values else value

    def get(self, name: str) -> str | None:
        """The value, or None."""
        return self._values.get(name.lower())

    def folded(self) -> dict[str, str]:
        """All values by lower-case name."""
        return dict(self._values)


@dataclass(frozen=True)
class Incoming:
    """One request as it arrived: the target is raw, neither decoded nor normalised. A chunked body arrives empty."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """One answer; `Content-Length` or the chunks, `Date` and `Server` are added when it is sent."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    chunked: bool = False


class Refused(Exception):
    """Raised for a request that is answered with a bare status, after which the connection is closed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def read_request_line(line: bytes) -> tuple[str, str, str]:
    """Verb, raw target and version. Raises Refused."""
    if len(line) > LONGEST_LINE:
        raise Refused(414)
    words = line.split()
    if len(words) != 3 or not line.isascii():
        raise Refused(400)
    method, target, version = (word.decode("ascii") for word in words)
    return method, target, version


def read_headers(lines: BinaryIO) -> Headers:
    """All headers. Raises Refused, or ValueError if the client has closed the connection."""
    pairs, left = [], MOST_HEADERS
    while (line := lines.readline(left + 1)) not in (b"\r\n", b"\n"):
        if not line:
            raise ValueError("the client went away")
        left -= len(line)
        if left < 0:
            raise Refused(431)
        try:
            name, _, value = line.decode().partition(":")
        except UnicodeDecodeError:
            raise Refused(400) from None
        pairs.append((name, value.strip()))
    return Headers(pairs)


def skip_chunks(lines: BinaryIO) -> None:
    """Reads past a chunked body."""
    while size := int(lines.readline(LONGEST_LINE).split(b";")[0], 16):
        lines.read(size + 2)
    while lines.readline(LONGEST_LINE).strip():
        pass  # trailers


def written(answer: Answer, server: str, *, with_body: bool, keep: bool) -> bytes:
    """The answer as sent; `server` is the value of its Server header."""
    lines = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}", f"Server: {server}"]
    lines.append(f"Date: {formatdate(usegmt=True)}")
    lines.extend(f"{name}: {value}" for name, value in answer.headers.items())
    body = answer.body if with_body else b""
    if answer.status in (204, 304):
        body = b""
    elif answer.chunked:
        lines.append("Transfer-Encoding: chunked")
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        body = chunk + b"0\r\n\r\n" if with_body else b""
    else:
        lines.append(f"Content-Length: {len(answer.body)}")
    if not keep:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body

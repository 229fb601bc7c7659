"""An HTTP server that records requests exactly and answers with any bytes, even invalid ones."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from devstack.http1 import Incoming
from devstack.loopback import ByHand, LoopbackServer

RESET = object()
"""An answer that cuts the connection with a TCP reset."""
_LINGER_NOT = b"\x01\0\0\0\0\0\0\0"


@dataclass(frozen=True)
class Seen:
    """One request as it was received."""

    method: str
    target: str
    headers: dict[str, str]
    """By name as sent; a name that came twice would be missing a value, so that this fails early."""


@dataclass(frozen=True)
class Script:
    """Takes over the connection after a request was read, below any TLS, and leaves it open."""

    play: Callable[[socket.socket], None]


Behaviour = Callable[[Seen], "bytes | Script | object"]


def whole(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A well-formed answer with a `request-id`, as the service's have; underscores in header names become hyphens."""
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", "request-id: recorded"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class RecordingServer:
    """Serves on 127.0.0.1 as a context manager; `connections` counts what was accepted."""

    def __init__(self, behave: Behaviour = lambda _: whole(), tls: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.seen: list[Seen] = []
        self._server = LoopbackServer(self._serve, tls=tls).bind()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return self._server.url

    @property
    def connections(self) -> int:
        return self._server.connections

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    def _serve(self, incoming: Incoming) -> ByHand | None:
        headers = dict(incoming.headers.pairs)
        if len(headers) < len(incoming.headers.pairs):
            return None
        seen = Seen(incoming.method, incoming.target, headers)
        self.seen.append(seen)
        answer = self.behave(seen)

        def write(connection: socket.socket) -> bool:
            if isinstance(answer, bytes):
                connection.sendall(answer)
            elif isinstance(answer, Script):
                with socket.fromfd(connection.fileno(), connection.family, connection.type) as plain:
                    answer.play(plain)
            else:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            return answer is not RESET

        return write

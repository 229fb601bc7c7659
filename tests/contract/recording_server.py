"""A server that keeps requests to the letter and answers with any bytes, broken ones too."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

RESET = object()
"""An answer that cuts the connection with a TCP reset."""


@dataclass(frozen=True)
class Seen:
    """One request as it was on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    """By name as sent; a name that came twice would be missing a value, so that this fails early."""


@dataclass(frozen=True)
class Script:
    """What to do with a request after it was read; the connection stays open afterwards."""

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
        self.connections = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(5)

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            plain = connection
            if self._tls:
                connection = self._tls.wrap_socket(plain.dup(), server_side=True)
                self._open.append(connection)
            with connection.makefile("rb") as lines:
                while seen := _read(lines):
                    self.seen.append(seen)
                    answer = self.behave(seen)
                    if isinstance(answer, Script):
                        answer.play(plain)
                    elif isinstance(answer, bytes):
                        connection.sendall(answer)
                    else:
                        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                        break
            connection.close()
            plain.close()


def _read(lines: BinaryIO) -> Seen | None:
    method, target, _ = lines.readline().decode("latin-1").split()
    headers: dict[str, str] = {}
    while (line := lines.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        if name in headers:
            raise ValueError(f"{name} came twice")
        headers[name] = value.strip()
    return Seen(method, target, headers)

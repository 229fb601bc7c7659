"""A small HTTP/1.1 server on 127.0.0.1, which all stand-ins and the servers of tests share.

It has what a client under load or a crash test needs: keep-alive, answers in one packet, targets exactly as sent, a
connection that can be cut or written to by hand, a stop that ends open connections, and one that lets requests under
way have their answers.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import BinaryIO, Self

from devstack.ending import Ending
from devstack.http1 import (
    LONGEST_LINE,
    Answer,
    Headers,
    Incoming,
    Refused,
    read_headers,
    read_request_line,
    skip_chunks,
    written,
)

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.02

ByHand = Callable[[socket.socket], bool]
"""Writes an answer to the connection itself, and returns whether the connection stays open."""

Service = Callable[[Incoming], Answer | ByHand | None]
"""What answers a request; None cuts the connection without an answer."""


class LoopbackServer:
    """Serves `service` on 127.0.0.1 from background threads, one per connection, between `start` and `stop`.

    A stopped server can be started again and keeps its port, so that a test can simulate an outage.
    A request whose declared body is above `most_body` bytes gets an empty 500, as from the Functions host.
    """

    def __init__(
        self,
        service: Service,
        port: int = 0,
        *,
        name: str = "Microsoft-HTTPAPI/2.0",
        most_body: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.service = service
        self.name = name
        self.most_body = most_body
        self.connections = 0
        """How many connections have been accepted so far."""
        self.closing = False
        self._port = port
        self._tls = tls
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._open: set[socket.socket] = set()
        self._under_way = 0
        self._guard = threading.Lock()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`, without a trailing slash; known once it was started."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def bind(self) -> Self:
        """Takes the port, so that connections queue up. Raises OSError if it is in use."""
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=256)
        self._port = int(self._listener.getsockname()[1])
        return self

    def start(self) -> Self:
        """Starts accepting requests; binds first if necessary. Raises OSError if the port is in use."""
        if self._listener is None:
            self.bind()
        self.closing = False
        self._thread = threading.Thread(target=self._accept, name=f"loopback-{self._port}", daemon=True)
        self._thread.start()
        return self

    def close_door(self) -> None:
        """Refuses new connections and closes idle ones; requests under way get their answers. Safe to call twice."""
        if self._listener is None:
            return
        self.closing = True
        # Closing a socket does not wake the thread that accepts on it; a connection does.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
            pass
        if self._thread is not None:
            self._thread.join()
        self._listener.close()
        self._listener = self._thread = None
        self._shut(socket.SHUT_RD)

    def stop(self) -> None:
        """Refuses new connections and cuts the open ones. Safe to call twice."""
        self.close_door()
        self._shut(socket.SHUT_RDWR)

    def wait_idle(self, seconds: float) -> bool:
        """Whether no request is under way any more within `seconds`."""
        end = time.monotonic() + seconds
        while self._under_way and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        return not self._under_way

    def _shut(self, how: int) -> None:
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(how)

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None:
            connection, _ = listener.accept()
            if self.closing:
                connection.close()
                return
            self.connections += 1
            with self._guard:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            # The client may go away or speak no HTTP at any point, and stop() ends the socket under a request.
            with contextlib.suppress(OSError, ValueError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or small answers wait for an ACK
                if self._tls:
                    self._forget(connection)
                    connection = self._tls.wrap_socket(connection, server_side=True)
                    self._open.add(connection)
                with connection.makefile("rb") as lines:
                    while self._exchange(connection, lines):
                        pass
        finally:
            self._forget(connection)
            connection.close()

    def _forget(self, connection: socket.socket) -> None:
        with self._guard:
            self._open.discard(connection)

    def _exchange(self, connection: socket.socket, lines: BinaryIO) -> bool:
        """Answers one request; returns whether the connection stays open."""
        line = lines.readline(LONGEST_LINE + 1)
        if not line or self.closing:
            return False
        with self._guard:
            self._under_way += 1
        try:
            return self._respond(connection, lines, line)
        finally:
            with self._guard:
                self._under_way -= 1

    def _respond(self, connection: socket.socket, lines: BinaryIO, line: bytes) -> bool:
        try:
            method, target, version = read_request_line(line)
            headers = read_headers(lines)
            body = self._read_body(connection, lines, headers)
        except Refused as refused:
            connection.sendall(written(Answer(refused.status), self.name, with_body=True, keep=False))
            return False
        if body is None:
            return False  # the client went away, or the door closed before all of it was here
        answer = self._answer(Incoming(method, target, headers, body))
        if answer is None:
            return False
        if not isinstance(answer, Answer):
            return answer(connection)
        keep = version == "HTTP/1.1" and (headers.get("Connection") or "").lower() != "close" and not self.closing
        connection.sendall(written(answer, self.name, with_body=method.upper() != "HEAD", keep=keep))
        return keep

    def _read_body(self, connection: socket.socket, lines: BinaryIO, headers: Headers) -> bytes | None:
        length = int(headers.get("Content-Length") or 0)
        if self.most_body is not None and length > self.most_body:
            raise Refused(500)
        if (headers.get("Expect") or "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in (headers.get("Transfer-Encoding") or "").lower():
            # The Functions host reads a body only when its length was declared; what is sent is read past.
            skip_chunks(lines)
            return b""
        body = lines.read(length) if length else b""
        return body if len(body) == length else None

    def _answer(self, incoming: Incoming) -> Answer | ByHand | None:
        try:
            return self.service(incoming)
        except Exception:  # noqa: BLE001 -- whatever it is, the client gets an answer and the log the fault
            _log.exception("fault in the stand-in itself method=%s", incoming.method)
            return Answer(500, {"Content-Type": "text/plain"}, b"fault in the stand-in itself, see its log")


def run_until_signalled(server: LoopbackServer) -> None:
    """Serves until SIGTERM or SIGINT; prints the URL as one line once requests are accepted."""
    ending = Ending()
    server.start()
    print(server.url, flush=True)  # noqa: T201 -- whoever started this waits for the line
    ending.wait()
    server.stop()

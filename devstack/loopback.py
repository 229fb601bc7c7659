"""A small HTTP/1.1 server on 127.0.0.1, which the stand-ins for cloud services share.

It has what a client under load or a crash test needs: keep-alive, answers in one packet, targets as they were on the
wire, a connection that can be cut instead of answered, and a stop that ends open connections too.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.client import responses
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, Self

from devstack.serving import end, serve

_log = logging.getLogger(__name__)
_LONGEST_LINE = 65536


class Headers:
    """Request headers, by name in any letter case; of a repeated one the last counts."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in headers.items()}

    def get(self, name: str) -> str | None:
        """The value, or None."""
        return self._values.get(name.lower())


@dataclass(frozen=True)
class Incoming:
    """One request as it arrived: the target is raw, neither decoded nor normalised."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """One answer; `Content-Length`, `Date` and `Server` are added on the way out."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Service = Callable[[Incoming], Answer | None]
"""What answers a request; None cuts the connection without an answer."""


class _Connection(StreamRequestHandler):
    """One connection. It reads requests itself: the library's reader costs more than all the rest of an answer."""

    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    server: _Server

    def handle(self) -> None:
        # The client may go away at any point, and stop() closes the socket under a request that is under way.
        with contextlib.suppress(OSError, ValueError):
            while self._exchange():
                pass

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def _exchange(self) -> bool:
        """Answers one request; whether the connection stays open."""
        words = self.rfile.readline(_LONGEST_LINE).decode("latin-1").split()
        if len(words) != 3:
            return False  # the end, or no HTTP
        method, target, version = words
        headers = self._read_headers()
        if (headers.get("Expect") or "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        if headers.get("Transfer-Encoding"):
            self._write(Answer(411), with_body=True)  # no client of the stack sends chunks
            return False
        length = int(headers.get("Content-Length") or 0)
        answer = self._answer(Incoming(method, target, headers, self.rfile.read(length) if length else b""))
        if answer is None:
            return False
        self._write(answer, with_body=method != "HEAD")
        return version == "HTTP/1.1" and (headers.get("Connection") or "").lower() != "close"

    def _read_headers(self) -> Headers:
        values = {}
        while line := self.rfile.readline(_LONGEST_LINE).decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            values[name] = value.strip()
        return Headers(values)

    def _answer(self, incoming: Incoming) -> Answer | None:
        try:
            return self.server.service(incoming)
        except Exception:  # noqa: BLE001 -- whatever it is, the client gets an answer and the log the fault
            _log.exception("fault in the stand-in itself method=%s", incoming.method)
            return Answer(500, {"Content-Type": "text/plain"}, b"fault in the stand-in itself, see its log")

    def _write(self, answer: Answer, *, with_body: bool) -> None:
        lines = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}", "Server: Microsoft-HTTPAPI/2.0"]
        lines.append(f"Date: {formatdate(usegmt=True)}")
        lines.extend(f"{name}: {value}" for name, value in answer.headers.items())
        bodiless = answer.status in (204, 304)
        if not bodiless:
            lines.append(f"Content-Length: {len(answer.body)}")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if with_body and not bodiless:
            self.wfile.write(answer.body)
        self.wfile.flush()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, port: int, service: Service) -> None:
        self.service = service
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class LoopbackServer:
    """Serves `service` on 127.0.0.1 from a background thread, between `start` and `stop`.

    A stopped server can be started again and keeps its port, so that a test can play an outage.
    """

    def __init__(self, service: Service, port: int = 0) -> None:
        self._service = service
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`, without a slash at the end; known once it was started."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Binds the port and returns when requests are taken. Raises OSError when the port is in use."""
        self._server = _Server(self._port, self._service)
        self._port = int(self._server.server_address[1])
        self._thread = serve(self._server, f"loopback-{self._port}")
        self._thread.start()
        return self

    def stop(self) -> None:
        """Refuses new connections and cuts the open ones. Safe to call twice."""
        if self._server is None or self._thread is None:
            return
        end(self._server)
        self._server.server_close()
        self._server.cut_connections()
        self._thread.join()
        self._server = self._thread = None


def run_until_signalled(server: LoopbackServer) -> None:
    """Serves until SIGTERM or SIGINT; prints the URL as one line when requests are taken."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    print(server.url, flush=True)  # noqa: T201 -- whoever started this waits for the line
    ended.wait()
    server.stop()

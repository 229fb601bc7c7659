"""A small HTTP/1.1 server on 127.0.0.1, which the stand-ins for cloud services share.

The standard library's server does the parsing; this module adds what a client under load or a crash test needs:
keep-alive, answers in one packet, a connection that can be cut, and a stop that ends open connections too.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Self

_log = logging.getLogger(__name__)
_STOP_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Incoming:
    """One request as it arrived: the target is raw, neither decoded nor normalised."""

    method: str
    target: str
    headers: Message
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """One answer; `Content-Length`, `Date` and `Server` are added on the way out."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Service = Callable[[Incoming], Answer | None]
"""What answers a request; None cuts the connection without an answer."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    server: _Server

    def finish(self) -> None:
        # The peer, or stop(), may have closed the connection while an answer was under way.
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        incoming = Incoming(self.command, self.path, self.headers, self.rfile.read(length) if length else b"")
        try:
            answer = self.server.service(incoming)
        except Exception:  # noqa: BLE001 -- whatever it is, the client gets an answer and the log the fault
            _log.exception("fault in the stand-in itself method=%s", incoming.method)
            answer = Answer(500, {"Content-Type": "text/plain"}, b"fault in the stand-in itself, see its log")
        if answer is None:
            self.close_connection = True
        else:
            self._write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 -- named by the library

    def _write(self, answer: Answer) -> None:
        lines = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}", f"Server: {self.server_version}"]
        lines.append(f"Date: {self.date_time_string()}")
        lines.extend(f"{name}: {value}" for name, value in answer.headers.items())
        bodiless = answer.status in (204, 304)
        if not bodiless:
            lines.append(f"Content-Length: {len(answer.body)}")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if not bodiless and self.command != "HEAD":
            self.wfile.write(answer.body)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True  # the client went away, or stop() closed the socket

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- named by the library
        _log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, port: int, service: Service) -> None:
        self.service = service
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Connection)

    def server_bind(self) -> None:
        # HTTPServer.server_bind looks the host name up, which can take seconds without a DNS server.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

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
        self._port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_SECONDS,), name=f"loopback-{self._port}", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Refuses new connections and cuts the open ones. Safe to call twice."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
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

"""HTTP/1.1 with keep-alive over the standard library's threaded server."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from devstack.host.http_messages import HttpReply, HttpRequest

_log = logging.getLogger(__name__)
_OWN_HEADERS = {"content-length", "transfer-encoding", "connection", "date"}
_STOP_POLL_SECONDS = 0.05

Respond = Callable[[HttpRequest], HttpReply]


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a small answer waits 40 ms for the peer's delayed ACK
    wbufsize = -1  # head and body leave in one packet
    server: _Server

    def _serve(self) -> None:
        with self.server.counted():
            reply = self._reply()
            self._write(reply)
            self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_QUERY = do_TRACE = _serve

    def _reply(self) -> HttpReply:
        if self.server.draining:
            self.close_connection = True
            return HttpReply(503)
        length = int(self.headers.get("Content-Length") or 0)
        if length > self.server.body_limit:
            self.close_connection = True
            return HttpReply(413)
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            # The host reads a body only when its length was declared; what is sent is read past.
            self._skip_chunks()
            length = 0
        request = HttpRequest(self.command, self.path, self.headers.items(), self.rfile.read(length) if length else b"")
        try:
            return self.server.respond(request)
        except Exception:  # noqa: BLE001 -- a fault of the host's own is answered, whatever it is
            _log.exception("fault in the host itself method=%s", self.command)
            return HttpReply(500)

    def _skip_chunks(self) -> None:
        while size := int(self.rfile.readline(80).split(b";")[0] or b"0", 16):
            self.rfile.read(size + 2)
        while self.rfile.readline(65537).strip():
            pass

    def _write(self, reply: HttpReply) -> None:
        lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in reply.headers if name.lower() not in _OWN_HEADERS]
        bodiless = reply.status in (204, 304) or reply.status < 200
        if not bodiless:
            lines.append(f"Content-Length: {len(reply.body)}")
        if self.close_connection:
            lines.append("Connection: close")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        if not bodiless and self.command != "HEAD":
            self.wfile.write(reply.body)

    def handle_expect_100(self) -> bool:
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True  # the client went away or does not speak HTTP

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        _log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, respond: Respond, body_limit: int) -> None:
        self.respond = respond
        self.body_limit = body_limit
        self.draining = False
        self._active = 0
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Connection)

    def server_bind(self) -> None:
        # HTTPServer's own looks the host name up, which can take seconds without a DNS server.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    @contextlib.contextmanager
    def counted(self):  # type: ignore[no-untyped-def]
        """Counts a request in flight for as long as the block runs."""
        with self._changed:
            self._active += 1
        try:
            yield
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def wait_idle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._active == 0)


class HttpServer:
    """Serves `respond` on 127.0.0.1; binds in the constructor, which raises OSError for a port in use."""

    def __init__(self, port: int, respond: Respond, body_limit: int) -> None:
        self._server = _Server(port, respond, body_limit)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_SECONDS,), name="http", daemon=True
        )

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Takes requests from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no more connections, answers 503 on open ones, and returns when all answers are out."""
        self._server.draining = True
        self._server.shutdown()
        self._server.wait_idle()
        self._server.server_close()

"""HTTP/1.1 with keep-alive, one thread per connection."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.client import responses
from socketserver import StreamRequestHandler, ThreadingTCPServer

from devstack.host.http_messages import HttpReply, HttpRequest
from devstack.serving import end, serve

_log = logging.getLogger(__name__)
_OWN_HEADERS = {"content-length", "transfer-encoding", "connection", "date"}
_LONGEST_LINE = 65536
_BODILESS = (204, 304)

Respond = Callable[[HttpRequest], HttpReply]


class _Connection(StreamRequestHandler):
    """One connection. It reads requests itself: the standard library's reader costs more than the whole answer."""

    disable_nagle_algorithm = True  # or a small answer waits 40 ms for the peer's delayed ACK
    wbufsize = -1  # head and body leave in one packet
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the client went away, or does not speak HTTP
            while self._exchange():
                pass

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def _exchange(self) -> bool:
        """Answers one request; whether the connection stays open."""
        words = self.rfile.readline(_LONGEST_LINE).decode("latin-1").split()
        if len(words) != 3:
            return False  # the end of the connection, or no HTTP
        with self.server.counted():
            head = HttpRequest(words[0], words[1], tuple(self._read_headers()))
            reply, keep = self._reply(head)
            keep = keep and words[2] == "HTTP/1.1" and (head.header("connection") or "").lower() != "close"
            self._write(reply, with_body=head.method != "HEAD", keep=keep)
        return keep

    def _read_headers(self) -> Iterator[tuple[str, str]]:
        while line := self.rfile.readline(_LONGEST_LINE).decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            yield name, value.strip()

    def _reply(self, head: HttpRequest) -> tuple[HttpReply, bool]:
        """The answer, and whether the rest of the connection can be read as further requests."""
        length = int(head.header("content-length") or 0)
        if self.server.draining:
            return HttpReply(503), False
        if length > self.server.body_limit:
            return HttpReply(413), False
        if (head.header("expect") or "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        if "chunked" in (head.header("transfer-encoding") or "").lower():
            # The host reads a body only when its length was declared; what is sent is read past.
            self._skip_chunks()
            length = 0
        request = HttpRequest(head.method, head.target, head.headers, self.rfile.read(length) if length else b"")
        try:
            return self.server.respond(request), True
        except Exception:  # noqa: BLE001 -- a fault of the host's own is answered, whatever it is
            _log.exception("fault in the host itself method=%s", head.method)
            return HttpReply(500), True

    def _skip_chunks(self) -> None:
        while size := int(self.rfile.readline(_LONGEST_LINE).split(b";")[0], 16):
            self.rfile.read(size + 2)
        while self.rfile.readline(_LONGEST_LINE).strip():
            pass  # trailers

    def _write(self, reply: HttpReply, *, with_body: bool, keep: bool) -> None:
        lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}", f"Date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers if name.lower() not in _OWN_HEADERS]
        bodiless = reply.status in _BODILESS
        if not bodiless:
            lines.append(f"Content-Length: {len(reply.body)}")
        if not keep:
            lines.append("Connection: close")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        if with_body and not bodiless:
            self.wfile.write(reply.body)
        self.wfile.flush()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, port: int, respond: Respond, body_limit: int) -> None:
        self.respond = respond
        self.body_limit = body_limit
        self.draining = False
        self._active = 0
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Connection)

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
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
        """Returns when no request is in flight."""
        with self._changed:
            self._changed.wait_for(lambda: self._active == 0)


class HttpServer:
    """Serves `respond` on 127.0.0.1; binds in the constructor, which raises OSError for a port in use."""

    def __init__(self, port: int, respond: Respond, body_limit: int) -> None:
        self._server = _Server(port, respond, body_limit)
        self._thread = serve(self._server, "http")

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return f"http://127.0.0.1:{int(self._server.server_address[1])}"

    def start(self) -> None:
        """Takes requests from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no more connections, answers 503 on open ones, and returns when all answers are out."""
        self._server.draining = True
        end(self._server)
        self._server.wait_idle()
        self._server.server_close()

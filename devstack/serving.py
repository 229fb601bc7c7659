"""Runs a socketserver in a thread, and ends it at once without the library's polling for the end.

`serve_forever` looks at its flag only when a connection comes or its poll interval is over. A short interval burns
a tenth of a slow core in each idle server; here it is an hour, and a connection of our own brings the look.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from socketserver import TCPServer

_POLL_SECONDS = 3_600.0
_AGAIN_SECONDS = 0.05


def serve(server: TCPServer, name: str) -> threading.Thread:
    """A thread that takes connections from when it is started until `end`."""
    return threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name=name, daemon=True)


def end(server: TCPServer) -> None:
    """Returns when no more connections are taken; open ones go on."""
    asked = threading.Thread(target=server.shutdown, daemon=True)
    asked.start()
    host, port = str(server.server_address[0]), int(server.server_address[1])
    while asked.is_alive():
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            pass
        asked.join(_AGAIN_SECONDS)

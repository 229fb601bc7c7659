"""Calls to storage that accepts connections but does no work end in time.

An HTTP caller is told within 15 s that storage is down, in whatever way it fails.
"""

from __future__ import annotations

import socketserver
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from azure.core.exceptions import ServiceRequestTimeoutError, ServiceResponseTimeoutError
from azure.core.rest import HttpRequest

from shared.errors import StorageUnavailable
from shared.settings import Settings
from shared.storage.queues import QueueSender
from shared.storage.table import AzureTable, RowWrite
from shared.storage.transport import BoundedTransport, Timeouts
from shared.wiring.storage_clients import queue_service, table_service
from tests.fakes.app import ENVIRONMENT

QUICK_SETTING = {"STORAGE_TIMEOUT_SECONDS": "3"}
QUICK = Timeouts.within(3)
TIMEOUTS = Timeouts()
PAUSES_SECONDS = 2.0
"""The longest that both libraries sleep in one call: twice up to a second; 0, 0.4 and 0.8 s."""
TOLD_SECONDS = 12
ROOM_SECONDS = 15.0
"""For a machine that is busy."""

Calls = dict[str, Callable[[Settings], object]]
CALLS: Calls = {
    "insert": lambda known: AzureTable(table_service(known), "rows").write(RowWrite({"PartitionKey": "a"})),
    "read": lambda known: AzureTable(table_service(known), "rows").read("a", "b"),
    "group": lambda known: AzureTable(table_service(known), "rows").write_group(
        [RowWrite({"PartitionKey": "a", "RowKey": row}) for row in "bc"]
    ),
    "send": lambda known: QueueSender(queue_service(known)).send("requests", "text"),
}


@contextmanager
def storage(answer: bytes) -> Iterator[tuple[Settings, list[bytes]]]:
    """An account that accepts every connection and always answers with the same bytes, or not at all."""
    seen: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while request := self.request.recv(1 << 20):
                if request.startswith((b"GET", b"POST")):
                    seen.append(request)
                    self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        at = f"http://127.0.0.1:{server.server_address[1]}/a"
        account = f"AccountName=a;AccountKey=a2V5;QueueEndpoint={at};TableEndpoint={at};"
        yield (
            Settings.from_env(
                ENVIRONMENT | QUICK_SETTING | {"TaskDeleteStorage": f"DefaultEndpointsProtocol=http;{account}"}
            ),
            seen,
        )
        server.shutdown()


@pytest.mark.parametrize("name", CALLS)
def test_no_stack_trace_shows_a_signature(name: str) -> None:
    """Neither the error nor its traceback shows the shared access signature of the connection string."""
    at = "http://127.0.0.1:9/a"
    account = f"QueueEndpoint={at};TableEndpoint={at};SharedAccessSignature=sv=2024-01-01&ss=qt&sig=SECRETSIGNATURE%3D"
    with pytest.raises(StorageUnavailable) as fault:
        CALLS[name](Settings.from_env(ENVIRONMENT | QUICK_SETTING | {"TaskDeleteStorage": account}))
    told = [str(fault.value), *traceback.format_exception(fault.value)]
    assert "no connection" in told[0]
    assert not [text for text in told if "SECRETSIGNATURE" in text]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="silent"),
        pytest.param(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 20\r\n\r\n", id="busy for 20 s"),
        pytest.param(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nx-ms-retry-after-ms: 20000\r\n\r\n", id="in ms"),
    ],
)
def test_storage_that_does_not_do_its_work_is_given_up_in_time(answer: bytes, name: str) -> None:
    """A call to storage that hangs or is busy is tried more than once and fails within the allowed time."""
    with storage(answer) as (settings, seen):
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            CALLS[name](settings)
        assert time.monotonic() - began < QUICK.all_tries_seconds + PAUSES_SECONDS + ROOM_SECONDS
        assert len(seen) > 1


def test_the_real_times_add_up() -> None:
    """All tries of a storage call, with the pauses between them, fit into 12 seconds."""
    assert TIMEOUTS.all_tries_seconds + PAUSES_SECONDS < TOLD_SECONDS
    assert TIMEOUTS.connect_seconds + TIMEOUTS.read_seconds < TIMEOUTS.all_tries_seconds


@pytest.mark.parametrize("left", [0.1, 1, 5, 7.9, 9])
def test_no_try_outlasts_what_is_left(left: float) -> None:
    """Connect and read time-outs of a try shrink so that together they fit into the time that is left."""
    connect, read = TIMEOUTS.shortened(left)
    assert connect + read <= left + 1e-9
    assert (connect, read) <= (TIMEOUTS.connect_seconds, TIMEOUTS.read_seconds)


def test_no_try_begins_when_no_time_is_left() -> None:
    """A request is not tried again once its time is up; another request has its full time."""
    now = 0.0
    transport = BoundedTransport(QUICK, lambda: now)
    request = HttpRequest("GET", "http://127.0.0.1:9/")
    with pytest.raises(Exception, match="refused"):
        transport.send(request)
    now = QUICK.all_tries_seconds
    with pytest.raises(ServiceRequestTimeoutError, match="no time left"):
        transport.send(request)
    with pytest.raises(Exception, match="refused"):
        transport.send(HttpRequest("GET", "http://127.0.0.1:9/"))


def test_a_silent_identity_endpoint_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent identity endpoint is not asked again for every retry of a storage call, which fails in time."""
    asked = 0

    class Silent:
        def get_token(self, *_: str, **__: object) -> None:
            nonlocal asked
            asked += 1
            time.sleep(QUICK.all_tries_seconds)
            raise ServiceResponseTimeoutError("no answer")

    monkeypatch.setattr("shared.wiring.storage_clients.credential_factory", lambda _: Silent)
    known = {name: text for name, text in ENVIRONMENT.items() if name != "TaskDeleteStorage"}
    known |= {"TaskDeleteStorage__accountName": "acct", "TaskDeleteStorage__credential": "managedidentity"}
    known |= QUICK_SETTING
    with pytest.raises(StorageUnavailable):
        CALLS["send"](Settings.from_env(known))
    assert asked == 1


def test_a_transport_alone_knows_its_time_outs() -> None:
    """The transport carries its own time-outs, because a client that is given a transport ignores its own."""
    config = BoundedTransport(TIMEOUTS).connection_config
    assert (config.timeout, config.read_timeout) == (TIMEOUTS.connect_seconds, TIMEOUTS.read_seconds)

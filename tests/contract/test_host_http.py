"""HTTP functions on the local host, over real sockets."""

from __future__ import annotations

import http.client
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.contract.host_process import HostProcess

pytestmark = pytest.mark.xdist_group("host_http")

# Nothing listens there: the queue functions find their storage down, which the host waits out.
_NO_STORAGE = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:9/a"
SETTINGS = {
    "IN": "in",
    "OUT": "out",
    "Conn": _NO_STORAGE,
    "HOST_FUNCTION_KEY": "fkey",
    "HOST_MASTER_KEY": "mkey",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000",
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """A host that asks for keys, for all tests of this module."""
    with HostProcess(tmp_path_factory.mktemp("http"), SETTINGS, "--enable-auth") as running:
        yield running


def test_a_request_reaches_its_function_and_the_answer_comes_back(host: HostProcess) -> None:
    """Literals ignore case, repeated query values are joined and empty ones dropped."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    reply = requests.post(
        f"{host.url}/API/Things/7?a=1&a=2&empty=", b"body", headers={"X-One": "1", "traceparent": trace}, timeout=30
    )
    assert reply.status_code == 202
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json() == {"id": "7", "query": {"a": "1,2"}, "header": "1", "body": "body", "trace": trace}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/things", 202),
        ("GET", "/api/things/seven", 404),
        ("DELETE", "/api/things/7", 404),
        ("HEAD", "/api/things/7", 404),
        ("GET", "/things/7", 404),
        ("GET", "/api/failing", 500),
        ("GET", "/api/leaving", 500),
        ("GET", "/api/locked", 401),
        ("GET", "/api/locked?code=fkey", 200),
        ("POST", "/api/locked", 404),
        ("GET", "/admin/host/ping", 200),
        ("GET", "/admin/host/status", 401),
        ("GET", "/admin/host/status?code=mkey", 200),
        ("POST", "/admin/functions/nobody?code=mkey", 404),
        ("POST", "/admin/functions/locked?code=mkey", 400),
        ("POST", "/admin/functions/on_tick?code=mkey", 202),
    ],
)
def test_the_status_is_that_of_the_real_host(host: HostProcess, method: str, path: str, status: int) -> None:
    """404 for a wrong verb too, 401 for a missing key, 500 with an empty body for an exception."""
    reply = requests.request(method, host.url + path, timeout=180)
    assert reply.status_code == status
    assert status not in (401, 404, 500) or reply.content == b""


def test_a_body_above_the_limit_is_refused(host: HostProcess) -> None:
    """By its declared length, before it is read."""
    assert requests.post(f"{host.url}/api/things", b"x" * 1001, timeout=180).status_code == 413
    assert requests.post(f"{host.url}/api/things", b"x" * 1000, timeout=180).status_code == 202


def test_a_chunked_body_arrives_empty_and_the_connection_goes_on(host: HostProcess) -> None:
    """The real host reads a body only when its length was declared."""
    connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=180)
    for _ in range(2):
        connection.request("POST", "/api/things", iter([b"one", b"two"]), encode_chunked=True)
        reply = connection.getresponse()
        assert b'"body": ""' in reply.read()
    connection.close()


def test_a_client_that_expects_to_be_told_to_go_on_is_told(host: HostProcess) -> None:
    """`Expect: 100-continue`, as curl sends it with a large body."""
    address = urlsplit(host.url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=180) as connection:
        head = b"POST /api/things HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n"
        connection.sendall(head + b"Connection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"body")
        assert b" 202 " in connection.makefile("rb").readline()


def test_many_connections_at_once_are_all_answered(host: HostProcess) -> None:
    """Several hundred requests on 32 connections that stay open."""

    def client(_: int) -> Counter[int]:
        with requests.Session() as session:
            return Counter(session.get(f"{host.url}/api/things/1", timeout=180).status_code for _ in range(12))

    with ThreadPoolExecutor(32) as clients:
        statuses = sum(clients.map(client, range(32)), Counter[int]())
    assert statuses == {202: 384}


def test_a_timer_function_runs_at_the_start_when_it_says_so(host: HostProcess, tmp_path: Path) -> None:
    """`run_on_startup`; its schedule itself would fire once a year."""
    assert host.wait_for_attempts(1)[0] == {"tick": False}

"""HTTP functions on the Functions host, over real sockets."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from devstack.azurite import Azurite
from tests.contract.host_process import HostProcess
from tests.contract.host_storage import APPLICATION_INSIGHTS, Queues

LIMIT = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"}
KEYS = {"HOST_FUNCTION_KEY": "fkey", "HOST_MASTER_KEY": "mkey"}
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = f"00-{TRACE_ID}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def host(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """A host without keys, for most tests of this module."""
    settings = {**Queues(azurite.connection_string).settings, **LIMIT}
    with HostProcess(tmp_path_factory.mktemp("http"), settings) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """A host that asks for keys and has Application Insights switched on."""
    settings = {**Queues(azurite.connection_string).settings, **KEYS}
    settings["APPLICATIONINSIGHTS_CONNECTION_STRING"] = APPLICATION_INSIGHTS
    options = [] if HostProcess.real else ["--enable-auth"]
    with HostProcess(tmp_path_factory.mktemp("guarded"), settings, *options) as running:
        yield running


def seen(host: HostProcess, path: str, **headers: str) -> dict[str, Any]:
    """What the function received from a GET."""
    reply = by_hand(
        host, f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    )
    assert reply.status == 202, path
    document: dict[str, Any] = json.loads(reply.read())
    return document


def by_hand(host: HostProcess, head: str | bytes) -> http.client.HTTPResponse:
    """The answer to a raw request that no HTTP client would send."""
    address = urlsplit(host.url)
    raw = head if isinstance(head, bytes) else head.encode()
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=180) as connection:
        connection.sendall(raw + b"Host: h\r\nConnection: close\r\n\r\n")
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        return reply


def test_a_request_reaches_its_function_and_the_answer_comes_back(host: HostProcess) -> None:
    """The host routes a request whatever the case of its path and header names, and returns the function's answer."""
    reply = requests.post(f"{host.url}/API/Things/Seven/", b"body", headers={"X-ONE": "1"}, timeout=180)
    assert reply.status_code == 202
    assert reply.headers["Content-Type"] == "application/json"
    document = reply.json()
    assert (document["route"], document["header"], document["body"]) == ({"id": "Seven"}, "1", "body")


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("a=1&a=2", {"a": "1,2"}),
        ("a=1&A=3", {"a": "1,3"}),
        ("a=1&empty=", {"a": "1"}),
    ],
)
def test_query_values_are_joined_whatever_the_case_of_their_names(
    host: HostProcess, query: str, values: dict[str, str]
) -> None:
    """The host joins repeated query values, ignoring the case of their names, and drops empty ones."""
    assert seen(host, f"/api/things/1?{query}")["query"] == values


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/things", 404),
        ("GET", "/api/things/7/more", 404),
        ("DELETE", "/api/things/7", 404),
        ("HEAD", "/api/things/7", 404),
        ("OPTIONS", "/api/things/7", 404),
        ("GET", "/things/7", 404),
        ("GET", "/api/failing", 500),
        ("GET", "/api/foreign", 500),
        ("GET", "/api/disabled", 404),
        ("GET", "/api/still-on", 200),
        ("POST", "/api/locked", 404),
        ("GET", "/", 200),
        ("GET", "/admin/host/ping", 200),
        ("POST", "/admin/functions/nobody", 404),
    ],
)
def test_the_status_is_that_of_the_real_host(host: HostProcess, method: str, path: str, status: int) -> None:
    """The host answers 404 for unknown routes, verbs and disabled functions, and 500 if a function raises."""
    reply = requests.request(method, host.url + path, timeout=180)
    assert reply.status_code == status
    assert status not in (404, 500) or reply.content == b""


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /api/things/. HTTP/1.1\r\n", 404),
        ("GET /api/things/.. HTTP/1.1\r\n", 404),
        ("GET /api/things/%2e%2e HTTP/1.1\r\n", 404),
        ("GET /api/other/../things/1 HTTP/1.1\r\n", 202),
        ("GET /api/things/a%00b HTTP/1.1\r\n", 400),
        ("GET /api/things/ä HTTP/1.1\r\n", 400),
        (b"GET /api/things/1 HTTP/1.1\r\nx-one: \xff\r\n", 400),
        (f"GET /api/things/{'x' * 8192} HTTP/1.1\r\n", 414),
        (f"GET /api/things/1 HTTP/1.1\r\nx-one: {'x' * 20_000}\r\nx-two: {'x' * 20_000}\r\n", 431),
        ("get /api/things/1 HTTP/1.1\r\n", 202),
    ],
)
def test_odd_requests_are_judged_before_any_function(host: HostProcess, head: str | bytes, status: int) -> None:
    """The host folds dot segments and refuses undecodable or overlong request lines before any function runs."""
    assert by_hand(host, head).status == status


@pytest.mark.parametrize(
    ("raw", "value"), [("a%3Ab", "a:b"), ("a%2Fb", "a%2Fb"), ("a%2fb", "a%2fb"), ("a%FF", "a%FF"), ("%C3%A4", "ä")]
)
def test_a_path_is_decoded_but_for_slashes_and_what_is_not_utf8(host: HostProcess, raw: str, value: str) -> None:
    """Route parameters are percent-decoded, except for encoded slashes and bytes that are not UTF-8."""
    assert seen(host, f"/api/things/{raw}")["route"] == {"id": value}


def test_the_url_is_encoded_again(host: HostProcess) -> None:
    """The URL that a function sees is built from the decoded path, not from the bytes that were sent."""
    assert seen(host, "/api/things/a%3Ab%C3%A4?c=%3A")["url"].endswith("/api/things/a:b%C3%A4?c=%3A")


def test_a_literal_route_wins_over_a_parameter(host: HostProcess) -> None:
    """A literal route takes precedence over one with a parameter, but only for its own verbs."""
    assert seen(host, "/api/things/literal")["literal"] is True
    assert "literal" not in requests.post(f"{host.url}/api/things/literal", b"", timeout=180).json()


def test_answers_come_in_chunks_from_kestrel(host: HostProcess) -> None:
    """Answers come from Kestrel in chunked encoding, without Content-Length."""
    reply = by_hand(host, "GET /api/things/1 HTTP/1.1\r\n")
    assert reply.getheader("Server") == "Kestrel"
    assert (reply.getheader("Transfer-Encoding"), reply.getheader("Content-Length")) == ("chunked", None)


def test_a_body_above_the_limit_is_an_empty_500(host: HostProcess) -> None:
    """A request body above the host's limit gets an empty 500; one of just that size is accepted."""
    refused = requests.post(f"{host.url}/api/things/1", b"x" * 1001, timeout=180)
    assert (refused.status_code, refused.content) == (500, b"")
    assert requests.post(f"{host.url}/api/things/1", b"x" * 1000, timeout=180).status_code == 202


def test_a_chunked_body_arrives_empty_and_the_connection_goes_on(host: HostProcess) -> None:
    """A chunked request body reaches the function empty, and the connection stays usable."""
    connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=180)
    for _ in range(2):
        connection.request("POST", "/api/things/1", iter([b"one", b"two"]), encode_chunked=True)
        reply = connection.getresponse()
        assert b'"body": ""' in reply.read()
    connection.close()


def test_a_client_that_expects_to_be_told_to_go_on_is_told(host: HostProcess) -> None:
    """A client that sends `Expect: 100-continue`, as curl does with large bodies, gets `100 Continue`."""
    address = urlsplit(host.url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=180) as connection:
        head = b"POST /api/things/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n"
        connection.sendall(head + b"Connection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"body")
        assert b" 202 " in connection.makefile("rb").readline()


def test_large_bodies_pass_both_ways_at_once(azurite: Azurite, tmp_path: Path) -> None:
    """32 concurrent calls with 3 MB bodies each way all succeed, so host and worker never block each other."""
    body = b"x" * 3_000_000
    with HostProcess(tmp_path, Queues(azurite.connection_string).settings) as host, ThreadPoolExecutor(16) as clients:
        calls = [clients.submit(requests.post, f"{host.url}/api/things/1", body, timeout=180) for _ in range(32)]
        assert {len(call.result().json()["body"]) for call in calls} == {len(body)}


def test_many_connections_at_once_are_all_answered(host: HostProcess) -> None:
    """384 requests over 32 kept connections are all answered."""

    def client(_: int) -> Counter[int]:
        with requests.Session() as session:
            return Counter(session.get(f"{host.url}/api/things/1", timeout=180).status_code for _ in range(12))

    with ThreadPoolExecutor(32) as clients:
        statuses = sum(clients.map(client, range(32)), Counter[int]())
    assert statuses == {202: 384}


def test_without_application_insights_no_trace_reaches_a_function(host: HostProcess) -> None:
    """Without Application Insights a function gets no trace context, whatever the caller sent."""
    document = seen(host, "/api/things/1", traceparent=TRACE, tracestate="a=b")
    assert (document["trace"], document["state"]) == ("", "")


def test_with_application_insights_the_callers_trace_goes_on_under_a_new_parent(guarded: HostProcess) -> None:
    """With Application Insights a function gets the caller's trace id under a new parent, or a new trace."""
    document = seen(guarded, "/api/things/1", traceparent=TRACE, tracestate="a=b")
    assert re.fullmatch(rf"00-{TRACE_ID}-(?!b7ad6b7169203331)[0-9a-f]{{16}}-01", document["trace"])
    assert document["state"] == "a=b"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", seen(guarded, "/api/things/1")["trace"])


@pytest.mark.local_host  # the keys of the tools are their own
@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/api/locked", None, 401),
        ("GET", "/api/locked?code=fkey", None, 200),
        ("GET", "/api/locked?code=wrong&code=fkey", None, 401),
        ("GET", "/api/locked?code=fkey", "", 401),
        ("GET", "/api/locked", "fkey", 200),
        ("GET", "/api/things/1", "wrong", 202),
        ("GET", "/admin/host/ping", None, 200),
        ("POST", "/admin/functions/on_tick", None, 401),
        ("POST", "/admin/functions/on_tick", "mkey", 415),
        ("GET", "/admin/other", "fkey", 404),
        ("POST", "/admin/functions/on_tick", "fkey", 403),
    ],
)
def test_keys_open_what_they_open_in_the_cloud(
    guarded: HostProcess, method: str, path: str, key: str | None, status: int
) -> None:
    """Function and master keys open the same endpoints as in the cloud; of several keys the first counts."""
    headers = {} if key is None else {"x-functions-key": key}
    reply = requests.request(method, guarded.url + path, headers=headers, timeout=180)
    assert reply.status_code == status
    assert status != 401 or reply.content == b""


def test_any_function_can_be_fired_by_hand(host: HostProcess) -> None:
    """The admin endpoint runs any function, HTTP ones included, if the call's body is declared as JSON."""
    url = f"{host.url}/admin/functions/"
    assert requests.post(f"{url}on_tick", "{}", timeout=180).status_code == 415
    for name in ("on_tick", "things"):
        assert requests.post(f"{url}{name}", json={"input": ""}, timeout=180).status_code == 202
    assert host.wait_for(late=False)

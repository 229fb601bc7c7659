"""The app's lean HTTP transport sends what `requests` would send, without what it must not add."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest

from devstack.http1 import Answer, Incoming
from devstack.loopback import LoopbackServer
from shared.connections import DirectAdapter, verifying_context
from shared.storage.transport import BoundedTransport, Timeouts

NAMES = (
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "If-Match",
)


class Recorder:
    """A server that records requests and answers as a test says."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str | None], bytes]] = []
        self.answer = Answer(200, {"Set-Cookie": "a=b", "Content-Type": "application/json"}, b"{}")
        self.server = LoopbackServer(self._serve, 0)

    def _serve(self, incoming: Incoming) -> Answer | None:
        headers = {name: incoming.headers.get(name) for name in NAMES}
        self.seen.append((incoming.method, incoming.target, headers, incoming.body))
        return self.answer


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A recording server for one test."""
    recorder = Recorder()
    recorder.server.start()
    yield recorder
    recorder.server.stop()


REQUESTS: dict[str, dict[str, Any]] = {
    "read": {"method": "GET", "url": "/acc/rows(PartitionKey='a',RowKey='x%3A%27%27y')?$select=a%2Cb"},
    "query": {"method": "GET", "url": "/acc/rows()?$filter=PartitionKey%20eq%20%27a%27&$top=5"},
    "text that was left as it is": {"method": "GET", "url": "/acc/rows()?$filter=a eq 'é' and b lt \"c\"|{d}"},
    "bytes": {
        "method": "POST",
        "url": "/acc/$batch",
        "content": b"--batch",
        "headers": {"Content-Type": "multipart/mixed"},
    },
    "text": {"method": "POST", "url": "/acc/queue/messages?visibilitytimeout=0", "content": "<é/>"},
    "json": {
        "method": "PATCH",
        "url": "/acc/rows",
        "json": {"a": "é"},
        "headers": {"If-Match": 'W/"1"', "Accept": "x/y"},
    },
    "nothing to put": {"method": "PUT", "url": "/acc/queue"},
    "nothing to post": {"method": "POST", "url": "/acc/queue?comp=x"},
    "deletion": {"method": "DELETE", "url": "/acc/queue/messages/1?popreceipt=A%2BB%3D%3D"},
    "authorized": {"method": "HEAD", "url": "/acc", "headers": {"Authorization": "SharedKey a:b"}},
}


@pytest.mark.parametrize("name", REQUESTS)
def test_storage_gets_what_it_got_from_requests(recorder: Recorder, name: str) -> None:
    """The app's transport sends the same method, target, headers and body as the library's own."""
    wanted = {**REQUESTS[name], "url": recorder.server.url + REQUESTS[name]["url"]}
    stock = RequestsTransport(use_env_settings=False)
    for transport in (stock, BoundedTransport(Timeouts())):
        with transport:
            answer = transport.send(HttpRequest(**wanted))
            answer.read()
    assert recorder.seen[0] == recorder.seen[1]


def test_a_cookie_is_not_kept(recorder: Recorder) -> None:
    """The transport does not send a cookie that an earlier answer set."""
    with BoundedTransport(Timeouts()) as transport:
        for _ in range(2):
            transport.send(HttpRequest("GET", f"{recorder.server.url}/acc")).read()
    assert [headers["Cookie"] for _, _, headers, _ in recorder.seen] == [None, None]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_breaks_off_is_a_fault_of_the_library(recorder: Recorder, stream: bool) -> None:
    """An unreadable body raises AzureError, whether it is read at once or streamed."""
    recorder.answer = Answer(200, {"Content-Encoding": "gzip"}, b"no gzip")
    with BoundedTransport(Timeouts()) as transport, pytest.raises(AzureError):
        transport.send(HttpRequest("GET", f"{recorder.server.url}/acc"), stream=stream).read()


def test_a_redirect_is_not_followed(recorder: Recorder) -> None:
    """The transport returns a redirect as the answer and sends the request nowhere else."""
    recorder.answer = Answer(302, {"Location": f"{recorder.server.url}/elsewhere"})
    with BoundedTransport(Timeouts()) as transport:
        answer = transport.send(HttpRequest("GET", f"{recorder.server.url}/acc"))
    assert answer.status_code == 302
    assert [target for _, target, _, _ in recorder.seen] == ["/acc"]


@pytest.mark.parametrize("header", ["a\r\nb: c", "a\nb", "a\rb"])
def test_a_line_break_in_a_header_is_refused(recorder: Recorder, header: str) -> None:
    """A header value with a line break is refused before anything is sent."""
    with BoundedTransport(Timeouts()) as transport, pytest.raises((AzureError, ValueError)):
        transport.send(HttpRequest("GET", f"{recorder.server.url}/acc", headers={"If-Match": header}))
    assert recorder.seen == []


def test_connections_are_kept_and_found_by_their_host(recorder: Recorder) -> None:
    """Requests to one host share a connection pool whatever their path; another host has another."""
    adapter = DirectAdapter(4)

    def pool(url: str) -> object:
        return adapter.get_connection_with_tls_context(requests.Request("GET", url).prepare(), verify=True)

    base = recorder.server.url
    assert pool(f"{base}/a?b=c") is pool(f"{base}/d/e") is pool(base)
    without_path = requests.PreparedRequest()
    without_path.url = f"{base}?b=c/d"
    assert adapter.get_connection_with_tls_context(without_path, verify=True) is pool(base)
    assert pool(f"{base}/a") is not pool("http://127.0.0.1:1/a")
    assert pool("https://account.region.batch.azure.com/a") is not pool("http://account.region.batch.azure.com/a")


def test_threads_that_come_first_together_share_a_pool() -> None:
    """Threads that make the first requests to a host at the same time share one connection pool."""
    adapter, pools, gate = DirectAdapter(4), set(), threading.Barrier(8)

    def look() -> None:
        prepared = requests.Request("GET", "http://127.0.0.1:1/a").prepare()
        gate.wait()
        pools.add(id(adapter.get_connection_with_tls_context(prepared, verify=True)))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pools) == 1


def test_the_bundle_of_a_file_is_loaded_once() -> None:
    """A CA bundle is loaded once into a shared TLS context that verifies certificates and host names."""
    import certifi

    context = verifying_context(certifi.where())
    assert context is verifying_context(certifi.where())
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"

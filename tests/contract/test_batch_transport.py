"""The connection below the Batch client: what is sent, what counts as an answer, what is kept between calls."""

from __future__ import annotations

import gzip
import ipaddress
import logging
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.batch.reply import Kind, Reply, Sent
from shared.batch.transport import MOST_BODY
from tests.contract.batch_calls import CountedTokens, client, deletion, within
from tests.contract.recording_server import RESET, RecordingServer, Script, whole

TASK_NOT_FOUND = b'{"code": "TaskNotFound", "message": {"lang": "en-us", "value": "Gone."}}'


def delete(server: RecordingServer, *, seconds: float = 5, ca_file: str | None = None) -> Reply:
    """One DELETE through a new client."""
    return client(server.url, ca_file=ca_file).delete(deletion(server.url), within(seconds))


def cause(reply: Reply) -> str:
    """The text of a reply's error."""
    assert reply.error is not None
    return f"{reply.error.code}: {reply.error.message}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    """A TLS context for a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_closed_port_proves_that_nothing_was_sent() -> None:
    """If the connection is refused, the reply proves that the task was not deleted."""
    with RecordingServer() as server:
        url = server.url
    reply = client(url).delete(deletion(url), within(5))
    assert cause(reply).startswith("NoConnection: ")
    assert "Connection refused" in cause(reply)
    assert not reply.may_have_taken_effect


def test_a_host_that_does_not_accept_proves_that_nothing_was_sent() -> None:
    """If no connection can be made in time, the reply proves that nothing was sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        # The queue of a listener that accepts nobody takes one or two; then the handshake is not answered any more.
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(address)
        reply = client(f"http://127.0.0.1:{address[1]}").delete(deletion(f"http://127.0.0.1:{address[1]}"), within(0.6))
        for one in crowd:
            one.close()
    assert reply.sent is Sent.FAILED
    assert "ConnectTimeout" in cause(reply)


def test_a_reset_after_the_request_leaves_the_effect_open() -> None:
    """If the connection is reset after the request was sent, the task may have been deleted."""
    with RecordingServer(lambda _: RESET) as server:
        reply = delete(server)
    assert (reply.sent, len(server.seen)) == (Sent.UNANSWERED, 1)
    assert reply.may_have_taken_effect


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 2",
        b"nonsense\r\n\r\n",
    ],
)
def test_half_an_answer_is_none(answer: bytes) -> None:
    """A truncated or malformed answer counts as no answer, whatever its status line says."""

    def play(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    with RecordingServer(lambda _: Script(play)) as server:
        reply = delete(server)
    assert (reply.sent, reply.status) == (Sent.UNANSWERED, None)


def test_a_body_in_drops_does_not_outlast_the_time() -> None:
    """A call ends when its time is up even if the answer's bytes keep trickling in."""

    def play(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(400):
            time.sleep(0.05)
            connection.sendall(b" ")

    with RecordingServer(lambda _: Script(play)) as server:
        began = time.monotonic()
        reply = delete(server, seconds=0.5)
        took = time.monotonic() - began
    assert reply.sent is Sent.UNANSWERED
    assert took < 10


def test_plain_http_in_place_of_tls_sends_nothing() -> None:
    """A server that answers TLS with plain HTTP sees neither the request nor the token."""
    received: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            received.append(connection.recv(65_536))
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        reply = client(url).delete(deletion(url), within(5))
        thread.join(10)
    assert reply.sent is Sent.FAILED
    assert "SSLError" in cause(reply)
    assert b"Bearer" not in received[0]


def test_a_tls_handshake_that_hangs_sends_nothing() -> None:
    """A TLS handshake that times out counts as nothing sent, although the HTTP client calls it a read time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        reply = client(url).delete(deletion(url), within(0.4))
    assert reply.sent is Sent.FAILED
    assert "ReadTimeout" in cause(reply)


def test_an_unknown_certificate_sends_nothing(certificate: Path) -> None:
    """A server whose certificate no trusted authority signed gets no token."""
    with RecordingServer(tls=server_side(certificate)) as server:
        reply = delete(server)
    assert (reply.sent, server.seen) == (Sent.FAILED, [])
    assert "CERTIFICATE_VERIFY_FAILED" in cause(reply)


def test_a_certificate_for_another_host_sends_nothing(certificate: Path) -> None:
    """A server whose certificate names another host gets neither request nor token."""
    with RecordingServer(tls=server_side(certificate)) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        reply = client(url, ca_file=str(certificate)).delete(deletion(url), within(5))
    assert (reply.sent, server.seen) == (Sent.FAILED, [])


def test_a_trusted_certificate_lets_the_call_through(certificate: Path) -> None:
    """With a trusted certificate, calls over TLS succeed and share one connection."""
    with RecordingServer(tls=server_side(certificate)) as server:
        caller = client(server.url, ca_file=str(certificate))
        statuses = [caller.delete(deletion(server.url), within(5)).status for _ in range(3)]
    assert (statuses, server.connections) == ([200] * 3, 1)


def test_a_tls_fault_after_the_request_leaves_the_effect_open(certificate: Path) -> None:
    """A TLS error after the request was sent leaves open whether the task was deleted."""
    with RecordingServer(
        lambda _: Script(lambda plain: plain.sendall(b"garbage" * 9)), server_side(certificate)
    ) as server:
        reply = delete(server, ca_file=str(certificate))
    assert (reply.sent, len(server.seen)) == (Sent.UNANSWERED, 1)
    assert "SSLError" in cause(reply)


@pytest.mark.parametrize(
    "answer",
    [
        whole(),
        whole(404, TASK_NOT_FOUND),
        whole(304),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_a_connection_is_used_again(answer: bytes) -> None:
    """After every complete answer, with or without a body, the connection is used for the next call."""
    with RecordingServer(lambda _: answer) as server:
        caller = client(server.url)
        for _ in range(4):
            assert caller.delete(deletion(server.url), within(5)).sent is Sent.ANSWERED
    assert (len(server.seen), server.connections) == (4, 1)


def test_one_call_is_one_request() -> None:
    """One call makes one request: no library below the client retries a 503, even with `Retry-After: 0`."""
    with RecordingServer(lambda _: whole(503, Retry_After="0")) as server:
        reply = delete(server)
    assert (reply.status, reply.retry_after, len(server.seen)) == (503, 0.0, 1)


def test_a_huge_body_is_cut_off() -> None:
    """Of an error body longer than 1 MiB only the start is read, which still gives its code."""
    body = TASK_NOT_FOUND[:-1] + b', "values": [' + b" " * MOST_BODY + b"]}"
    with RecordingServer(lambda _: whole(404, body)) as server:
        reply = delete(server)
    assert (reply.status, reply.batch_code) == (404, "TaskNotFound")


def test_a_compressed_body_is_read() -> None:
    """A gzip-compressed answer is decompressed and read."""
    with RecordingServer(lambda _: whole(404, gzip.compress(TASK_NOT_FOUND), Content_Encoding="gzip")) as server:
        assert delete(server).kind is Kind.GONE


def test_a_compressed_bomb_is_cut_off() -> None:
    """The limit on a body counts decompressed bytes, so a small compressed bomb is cut off too."""
    bomb = gzip.compress(TASK_NOT_FOUND[:-1] + b" " * 500_000_000 + b"}")
    with RecordingServer(lambda _: whole(404, bomb, Content_Encoding="gzip")) as server:
        reply = delete(server)
    assert (reply.status, reply.batch_code) == (404, "TaskNotFound")


def test_cookies_are_not_kept() -> None:
    """A cookie set by one answer is not sent with the next request."""
    with RecordingServer(lambda _: whole(Set_Cookie="session=1; Path=/")) as server:
        caller = client(server.url)
        for _ in range(2):
            caller.delete(deletion(server.url), within(5))
    assert ["Cookie" in seen.headers for seen in server.seen] == [False, False]


def test_the_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies, .netrc and CA bundles from the environment do not affect calls to Batch."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with RecordingServer() as server:
        assert delete(server).status == 200
    assert server.seen[0].headers["Authorization"] == "Bearer first-token"


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "é€"])
def test_a_header_that_cannot_be_sent_ends_the_request(value: str) -> None:
    """A header value with a line break or non-ASCII text is refused for good, before anything is sent."""
    with RecordingServer() as server:
        reply = client(server.url).delete(deletion(server.url, if_match=value), within(5))
    assert (reply.sent, reply.kind, server.seen) == (Sent.REFUSED, Kind.PERMANENT, [])
    assert "Injected" not in cause(reply)


def test_tokens_stay_out_of_log_and_reply(caplog: pytest.LogCaptureFixture) -> None:
    """Tokens appear neither in logs nor in replies, for refused and for failed calls."""
    caplog.set_level(logging.DEBUG)

    body = b'{"code": "AuthenticationFailed", "message": {"value": "no"}}'
    with RecordingServer(lambda _: whole(401, body)) as server:
        refused = client(server.url, CountedTokens("s3cret-1", ["s3cret-2"])).delete(deletion(server.url), within(5))
        url = server.url
    unreachable = client(url, CountedTokens("s3cret-3")).delete(deletion(url), within(5))
    assert (len(server.seen), refused.status, unreachable.status) == (2, 401, None)
    assert "s3cret" not in f"{caplog.text}{refused}{unreachable}"

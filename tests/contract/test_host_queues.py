"""Queue functions on the local host, with a storage emulator behind them."""

from __future__ import annotations

import base64
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from devstack.azurite import Azurite
from tests.contract.host_process import HostProcess, eventually

pytestmark = pytest.mark.xdist_group("host_queues")

Run = Callable[..., HostProcess]


@pytest.fixture(scope="module")
def connection() -> Iterator[str]:
    """A storage emulator for all tests of this module; each test has queues of its own."""
    with Azurite() as azurite:
        yield azurite.connection_string


class Queues:
    """The queues of one test: `requests`, `requests-binary`, `results` and what the host makes of them."""

    def __init__(self, connection: str) -> None:
        self._connection = connection
        self._prefix = f"t{uuid.uuid4().hex[:8]}"
        self.settings = {"IN": f"{self._prefix}-IN", "OUT": f"{self._prefix}-out", "Conn": connection}

    def open(self, name: str) -> QueueClient:
        """One queue by its name within the test."""
        return QueueClient.from_connection_string(self._connection, f"{self._prefix}-{name}")

    def send(self, name: str, text: str) -> None:
        """Puts a text on the queue as it is."""
        with self.open(name) as queue:
            queue.send_message(text)

    def texts(self, name: str) -> list[str]:
        """The visible messages as they lie on the wire; none while there is no such queue."""
        try:
            with self.open(name) as queue:
                return [str(message.content) for message in queue.peek_messages(32)]
        except ResourceNotFoundError:
            return []

    def count(self, name: str) -> int:
        """Messages on the queue, hidden ones among them."""
        with self.open(name) as queue:
            return queue.get_queue_properties().approximate_message_count or 0


def make_queues(connection: str) -> Queues:
    """Fresh input queues; the output and poison queues are the host's to make."""
    made = Queues(connection)
    for name in ("in", "in-binary"):
        with made.open(name) as queue:
            queue.create_queue()
    return made


@pytest.fixture
def queues(connection: str) -> Queues:
    """Queues of this test alone."""
    return make_queues(connection)


@pytest.fixture
def run(queues: Queues, tmp_path: Path) -> Iterator[Run]:
    """Starts a host on the test's queues; takes command-line options, and queue options of host.json by name."""
    with ExitStack() as stack:

        def start(*options: str, **queue_options: Any) -> HostProcess:
            return stack.enter_context(HostProcess(tmp_path, queues.settings, *options, queues=queue_options))

        yield start


@pytest.fixture(scope="module")
def shared(connection: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HostProcess, Queues]]:
    """A host that gives a message three attempts, for the tests that can tell their messages by the body."""
    queues = make_queues(connection)
    directory = tmp_path_factory.mktemp("queues")
    with HostProcess(directory, queues.settings, "--lease-seconds", "300", queues={"maxDequeueCount": 3}) as host:
        yield host, queues


def attempts_on(host: HostProcess, body: str) -> list[dict[str, Any]]:
    """What the attempts on messages of this body saw."""
    return [attempt for attempt in host.attempts() if attempt.get("body") == body]


def base64_of(body: bytes) -> str:
    """The wire text under the host's default encoding."""
    return base64.b64encode(body).decode()


def test_a_message_goes_in_and_its_output_comes_out(shared: tuple[HostProcess, Queues]) -> None:
    """Base64 both ways; the output queue is made; the message is hidden for the lease while it is worked on."""
    host, queues = shared
    before = datetime.now(UTC)
    queues.send("in", base64_of("hü".encode()))
    eventually(lambda: base64_of("hü".encode()) in queues.texts("out"), "output")
    (attempt,) = attempts_on(host, "hü")
    assert attempt["count"] == 1
    hidden = datetime.fromisoformat(attempt["next_visible"]) - before
    assert 295 <= hidden.total_seconds() <= 340


def test_bytes_go_through_untouched_where_the_trigger_is_binary(shared: tuple[HostProcess, Queues]) -> None:
    """What is no UTF-8 too; the return value goes to the `$return` binding."""
    _, queues = shared
    queues.send("in-binary", base64_of(b'{"id": "\xff"}'))
    eventually(lambda: base64_of(b'{"id": "\xff"}') in queues.texts("out"), "output")


@pytest.mark.parametrize("body", ["fail", "bad output"])
def test_a_failing_message_is_retried_and_then_moved_to_poison(shared: tuple[HostProcess, Queues], body: str) -> None:
    """Counts 1 to maxDequeueCount, no output, a copy with the same body.

    Output with the look of JSON that is none fails too, after the function's own code has run.
    """
    host, queues = shared
    queues.send("in", base64_of(body.encode()))
    eventually(lambda: base64_of(body.encode()) in queues.texts("in-poison"), "poison copy")
    assert [attempt["count"] for attempt in attempts_on(host, body)] == [1, 2, 3]
    assert not {base64_of(body.encode()), base64_of(b"{oops}")} & set(queues.texts("out"))


@pytest.mark.parametrize("text", ["not base64!", base64_of(b"\xff\xfe")])
def test_what_cannot_be_bound_as_text_reaches_poison_without_an_invocation(
    shared: tuple[HostProcess, Queues], text: str
) -> None:
    """At once and as it was when it is not base64, after its attempts when it is not UTF-8."""
    host, queues = shared
    attempts = len(host.attempts())
    queues.send("in", text)
    eventually(lambda: text in queues.texts("in-poison"), "poison copy")
    assert len(host.attempts()) == attempts


def test_a_queue_function_can_be_fired_by_hand(shared: tuple[HostProcess, Queues]) -> None:
    """Through the admin endpoint, with the input as its message."""
    host, queues = shared
    reply = requests.post(f"{host.url}/admin/functions/on_text", json={"input": "by hand"}, timeout=180)
    assert reply.status_code == 202
    eventually(lambda: base64_of(b"by hand") in queues.texts("out"), "output")


def test_completed_messages_are_gone(shared: tuple[HostProcess, Queues]) -> None:
    """Deleted after success, and after the move to poison."""
    host, queues = shared
    queues.send("in", base64_of(b"last"))
    eventually(lambda: attempts_on(host, "last"), "the run")
    eventually(lambda: queues.count("in") == queues.count("in-binary") == 0, "deletion")


def test_without_encoding_the_text_travels_as_it_is(run: Run, queues: Queues) -> None:
    """`messageEncoding: none` holds for triggers and outputs; an object is indented on its way out."""
    queues.send("in", '{"a":1}')
    run(messageEncoding="none")
    assert eventually(lambda: queues.texts("out"), "output") == ['{\n  "a": 1\n}']


def test_a_released_message_stays_hidden_for_the_visibility_timeout(run: Run, queues: Queues) -> None:
    """After the failure it is neither visible nor poison."""
    queues.send("in", base64_of(b"fail"))
    host = run(visibilityTimeout="01:00:00")
    eventually(lambda: "result=failed" in host.log(), "failure")
    host.signal(signal.SIGTERM)
    assert host.wait() == 0
    assert (queues.texts("in"), queues.count("in"), queues.texts("in-poison")) == ([], 1, [])


def test_a_long_run_keeps_its_message_by_renewal(run: Run, queues: Queues) -> None:
    """Each renewal makes a new pop receipt, and the deletion uses the latest."""
    queues.send("in", base64_of(b"wait"))
    host = run("--lease-seconds", "8")
    (first,) = eventually(lambda: attempts_on(host, "wait"), "the run")
    end = datetime.fromisoformat(first["next_visible"]).timestamp() + 1
    eventually(lambda: datetime.now(UTC).timestamp() > end, "the end of the first term")
    host.open_gate()
    eventually(lambda: queues.count("in") == 0, "deletion")
    assert len(attempts_on(host, "wait")) == 1


def test_after_a_crash_the_message_comes_back_when_its_lease_ends(run: Run, queues: Queues) -> None:
    """Nobody completes the attempt that the crash cut short; the next one has a higher count."""
    queues.send("in", base64_of(b"wait"))
    host = run("--lease-seconds", "3")
    eventually(lambda: attempts_on(host, "wait"), "the run")
    host.signal(signal.SIGKILL)
    host.wait()
    cut_short = attempts_on(host, "wait")
    host.open_gate()
    host.start()
    eventually(lambda: queues.count("in") == 0, "deletion")
    *before, last = attempts_on(host, "wait")
    assert before == cut_short
    assert last["count"] > cut_short[-1]["count"]


def test_sigterm_finishes_what_is_in_flight(run: Run, queues: Queues) -> None:
    """The message is completed, its output sent, no other is begun, and the exit code is 0."""
    queues.send("in", base64_of(b"wait"))
    host = run("--lease-seconds", "300", batchSize=1, newBatchThreshold=0)
    eventually(lambda: attempts_on(host, "wait"), "the run")
    queues.send("in", base64_of(b"later"))
    host.signal(signal.SIGTERM)
    host.open_gate()
    assert host.wait() == 0
    assert queues.texts("out") == [base64_of(b"wait")]
    assert queues.texts("in") == [base64_of(b"later")]


def test_storage_that_refuses_the_key_ends_the_host(queues: Queues, tmp_path: Path) -> None:
    """The real host does not survive a 403 in its listener either."""
    key = next(part for part in queues.settings["Conn"].split(";") if part.startswith("AccountKey="))
    settings = {**queues.settings, "Conn": queues.settings["Conn"].replace(key, "AccountKey=d3Jvbmc=")}
    with HostProcess(tmp_path, settings) as host:
        assert host.wait() == 1
        assert "HTTP 403" in host.log()

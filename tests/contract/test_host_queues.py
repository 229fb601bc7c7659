"""Queue functions on the host, with a storage emulator behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from devstack.azurite import Azurite
from tests.contract.host_process import HostProcess, eventually
from tests.contract.host_storage import APPLICATION_INSIGHTS, Queues

Run = Callable[..., HostProcess]


@pytest.fixture
def queues(azurite: Azurite) -> Queues:
    """Queues for one test."""
    return Queues(azurite.connection_string).create()


@pytest.fixture
def run(queues: Queues, tmp_path: Path) -> Iterator[Run]:
    """Starts a host on the test's queues, with HostProcess's parameters."""
    with ExitStack() as stack:
        yield lambda **choices: stack.enter_context(HostProcess(tmp_path, queues.settings, **choices))


@pytest.fixture(scope="module")
def shared(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HostProcess, Queues]]:
    """A host that tries a message three times, shared by the tests that recognise their messages by the body."""
    queues = Queues(azurite.connection_string).create()
    directory = tmp_path_factory.mktemp("queues")
    with HostProcess(directory, queues.settings, queues={"maxDequeueCount": 3}, lease_seconds=300) as host:
        yield host, queues


def test_a_message_goes_in_and_its_output_comes_out(shared: tuple[HostProcess, Queues]) -> None:
    """The host creates the output queue, sends each list element as a message, and hides the input for its lease."""
    host, queues = shared
    before = datetime.now(UTC)
    queues.send("in", "hü")
    eventually(lambda: {"hü", '{"a":1}'} <= set(queues.texts("out")), "output")
    (attempt,) = host.seen(body="hü")
    hidden = datetime.fromisoformat(attempt["next_visible"]) - before
    assert (attempt["count"], attempt["trace"]) == (1, "")
    assert host.lease_seconds - 5 <= hidden.total_seconds() <= host.lease_seconds + 40


def test_a_body_cannot_change_what_a_binary_trigger_sees_of_its_message(shared: tuple[HostProcess, Queues]) -> None:
    """With a binary trigger, properties of a JSON body do not replace the message's own id and count."""
    host, queues = shared
    body = '{"id": "spoofed", "dequeueCount": 99, "insertionTime": "nonsense"}'
    queues.send("in", body)
    (attempt,) = host.wait_for(body=body)
    assert attempt["count"] == 1
    assert attempt["id"] != "spoofed"


@pytest.mark.parametrize("body", ["fail", "large"])
def test_a_failing_message_is_retried_and_then_moved_to_poison(shared: tuple[HostProcess, Queues], body: str) -> None:
    """A message is tried maxDequeueCount times without output and then copied to the poison queue.

    An output too large for a message fails the attempt too, after the function's code has run.
    """
    host, queues = shared
    queues.send("in", body)
    host.wait_for(poison=body)
    assert [attempt["count"] for attempt in host.seen(body=body)] == [1, 2, 3]
    assert body not in queues.texts("out")


def test_a_failing_poison_function_keeps_its_message_hidden(shared: tuple[HostProcess, Queues]) -> None:
    """A message whose poison function fails stays hidden in the poison queue and is moved nowhere."""
    host, queues = shared
    queues.send("in-poison", "fail")
    host.wait_for(poison="fail")
    queues.send("in-poison", "mark")
    host.wait_for(poison="mark")
    eventually(lambda: not queues.texts("in-poison") and queues.count("in-poison"), "the hidden message")
    assert queues.count("in-poison-poison") is None


def test_what_is_no_text_reaches_a_binary_trigger_all_the_same(shared: tuple[HostProcess, Queues]) -> None:
    """With messageEncoding none, a message's text reaches the function unchanged, even if it looks like base64."""
    host, queues = shared
    queues.send("in", "aGk=")
    assert host.wait_for(body="aGk=")


def test_an_empty_list_sends_nothing(shared: tuple[HostProcess, Queues]) -> None:
    """An empty list of outputs sends nothing, and the invocation succeeds."""
    host, queues = shared
    queues.send("in", "nothing")
    host.wait_for(body="nothing")
    queues.send("in", "after nothing")
    eventually(lambda: "after nothing" in queues.texts("out"), "output")
    assert "nothing" not in queues.texts("out")


def test_a_queue_function_can_be_fired_by_hand(shared: tuple[HostProcess, Queues]) -> None:
    """The admin endpoint runs a queue function with its `input` as the message."""
    host, queues = shared
    reply = requests.post(f"{host.url}/admin/functions/on_message", json={"input": "by hand"}, timeout=180)
    assert reply.status_code == 202
    eventually(lambda: "by hand" in queues.texts("out"), "output")


def test_the_queue_of_a_function_that_is_switched_off_is_not_read(shared: tuple[HostProcess, Queues]) -> None:
    """The queue of a disabled function (`AzureWebJobs.<function>.Disabled`) is not read."""
    host, queues = shared
    queues.send("in-off", "waits")
    queues.send("in", "passes")
    host.wait_for(body="passes")
    assert (host.seen(off="waits"), queues.texts("in-off")) == ([], ["waits"])


def test_completed_messages_are_gone(shared: tuple[HostProcess, Queues]) -> None:
    """A message is deleted from its queue once its function has succeeded."""
    host, queues = shared
    queues.send("in", "last")
    host.wait_for(body="last")
    eventually(lambda: queues.count("in") == 0, "deletion")


def test_a_released_message_stays_hidden_for_the_visibility_timeout(run: Run, queues: Queues) -> None:
    """After a failed attempt, a message stays hidden for the visibilityTimeout and is not poison."""
    queues.send("in", "fail")
    host = run(queues={"visibilityTimeout": "01:00:00"})
    eventually(host.has_failed, "failure")
    host.terminate()
    assert host.wait() == 0
    assert (queues.texts("in"), queues.count("in"), queues.texts("in-poison")) == ([], 1, [])


def test_a_long_run_keeps_its_message_by_renewal(run: Run, queues: Queues) -> None:
    """The host renews its hold on the message of a long run, so it runs once and is then deleted."""
    queues.send("in", "wait")
    host = run(lease_seconds=8, timeout="00:30:00")
    (first,) = host.wait_for(body="wait")
    end = datetime.fromisoformat(first["next_visible"]).timestamp() + 1
    eventually(lambda: datetime.now(UTC).timestamp() > end, "the end of the first term")
    host.open_gate()
    eventually(lambda: queues.count("in") == 0, "deletion")
    assert len(host.seen(body="wait")) == 1


def test_after_a_crash_the_message_comes_back_when_its_lease_ends(run: Run, queues: Queues) -> None:
    """After the host is killed, the message runs again when its lease ends, with a higher dequeue count."""
    queues.send("in", "wait")
    host = run(lease_seconds=3)
    host.wait_for(body="wait")
    host.close()
    cut_short = host.seen(body="wait")
    host.open_gate()
    host.start()
    eventually(lambda: queues.count("in") == 0, "deletion")
    *before, last = host.seen(body="wait")
    assert before == cut_short
    assert last["count"] > cut_short[-1]["count"]


def test_sigterm_finishes_what_is_in_flight(run: Run, queues: Queues) -> None:
    """On SIGTERM the host completes the running message, sends its output, starts no other, and ends with 0."""
    queues.send("in", "wait")
    host = run(queues={"batchSize": 1, "newBatchThreshold": 0})
    host.wait_for(body="wait")
    queues.send("in", "later")
    host.terminate()
    host.open_gate()
    assert host.wait() == 0
    assert queues.texts("out") == ["wait", '{"a":1}']
    assert queues.texts("in") == ["later"]


def test_a_message_that_outlasts_the_drain_stays_hidden_for_the_rest_of_its_lease(run: Run, queues: Queues) -> None:
    """A message still running when the drain time ends stays hidden; it is not poison and sends nothing."""
    queues.send("in", "wait")
    host = run(drain_seconds=1)
    host.wait_for(body="wait")
    host.terminate()
    assert host.wait() == 0
    assert (queues.texts("in"), queues.count("in")) == ([], 1)
    assert (queues.texts("in-poison"), queues.texts("out")) == ([], [])


def test_a_message_whose_function_ran_out_of_time_is_released_with_those_beside_it(run: Run, queues: Queues) -> None:
    """If one message's function times out, it and those beside it are tried again with a higher count."""
    for body in ("wait 1", "wait 2"):
        queues.send("in", body)
    host = run(timeout="00:00:04", drain_seconds=1)
    for body in ("wait 1", "wait 2"):
        assert [attempt["count"] for attempt in host.wait_for(2, body=body)][:2] == [1, 2]
    host.open_gate()
    eventually(lambda: queues.count("in") == 0, "deletion")


def test_with_application_insights_a_message_gets_a_trace_of_its_own(queues: Queues, tmp_path: Path) -> None:
    """With Application Insights, each queue message's invocation gets a new trace."""
    settings = {**queues.settings, "APPLICATIONINSIGHTS_CONNECTION_STRING": APPLICATION_INSIGHTS}
    queues.send("in", "traced")
    with HostProcess(tmp_path, settings) as host:
        (attempt,) = host.wait_for(body="traced")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", attempt["trace"])


def test_storage_that_refuses_the_key_ends_the_host(queues: Queues, tmp_path: Path) -> None:
    """A 403 from storage in a queue listener ends the host, as it ends the real one, which exits with 0."""
    key = next(part for part in queues.settings["Conn"].split(";") if part.startswith("AccountKey="))
    settings = {**queues.settings, "Conn": queues.settings["Conn"].replace(key, "AccountKey=d3Jvbmc=")}
    with HostProcess(tmp_path, settings) as host:
        assert host.wait() == (0 if HostProcess.real else 1)
        assert "403" in host.log()

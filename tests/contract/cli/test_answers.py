"""How the command line treats the app's answers: which calls it retries, what ends it, and with which code."""

from __future__ import annotations

import socket
import time

import pytest

from devstack.http1 import Answer
from tests.contract.cli.command import Command, environment, in_process
from tests.contract.cli.played_app import CUT, LOST, PlayedApp, answer, error

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OK = {"status": "ok", "checks": {"storage": "ok"}}
SUMMARY = "GET /operations/summary"


@pytest.mark.parametrize("trouble", [answer(429), answer(502), error(503, "StorageUnavailable"), answer(504), CUT])
def test_passing_trouble_is_tried_again(app: PlayedApp, command: Command, trouble: object) -> None:
    """The command retries a call after temporary faults and succeeds without mentioning them."""
    app.routes[SUMMARY] = {"version": "1"}
    app.faults = [trouble] * 3
    ended = command("summary")
    assert (ended.code, len(app.calls)) == (0, 4)


@pytest.mark.parametrize("trouble", [answer(429), answer(502), error(503, "StorageUnavailable"), answer(504), CUT])
def test_trouble_that_lasts_ends_it_after_a_minute(app: PlayedApp, command: Command, trouble: object) -> None:
    """A temporary fault that lasts ends the command with code 3 after 45 to 60 seconds of retries."""
    app.faults = [trouble] * 100
    begun = command.clock.time
    assert command("summary").code == 3
    assert 45 < command.clock.time - begun <= 60


def test_retry_after_is_obeyed(app: PlayedApp, command: Command) -> None:
    """The command waits for as long as the app's `Retry-After` says before it repeats a call."""
    app.routes[SUMMARY] = {"version": "1"}
    app.faults = [answer(429, Retry_After="17")]
    assert command("summary").code == 0
    assert command.clock.slept == [17]


def test_a_retry_after_beyond_the_minute_ends_it_at_once(app: PlayedApp, command: Command) -> None:
    """A `Retry-After` of more than a minute ends the command at once, since an earlier call would disobey it."""
    app.faults = [answer(429, Retry_After="3600")]
    assert command("summary").code == 3
    assert (len(app.calls), command.clock.slept) == (1, [])


def test_wrong_settings_end_it_at_once(app: PlayedApp, command: Command) -> None:
    """If the app's settings are invalid, the command ends at once with code 3 and names the wrong setting."""
    wrong = error(503, "InvalidConfiguration", "The app settings are wrong.", ("BATCH_ACCOUNT_URLS", "is missing"))
    app.faults = [wrong]
    ended = command("summary")
    assert (ended.code, len(app.calls)) == (3, 1)
    assert "BATCH_ACCOUNT_URLS is missing" in ended.err


def test_what_health_says_is_its_answer(app: PlayedApp, command: Command) -> None:
    """`health` treats a 503 as its answer: it shows the checks, does not retry, and ends with code 3."""
    failing = {"status": "failing", "checks": {"storage": "no answer", "identity": "ok"}}
    app.faults = [answer(503, failing)]
    ended = command("health")
    assert (ended.code, len(app.calls)) == (3, 1)
    assert "no answer" in ended.out
    app.faults = [answer(503, failing)]
    assert command("health", "--json").documents == [failing]


def test_health_that_is_well_is_0(app: PlayedApp, command: Command) -> None:
    """`health` shows all checks and ends with code 0 when the app is healthy."""
    app.routes["GET /health"] = OK
    ended = command("health")
    assert ended.code == 0
    assert "checks.storage  ok" in ended.out


def test_a_connection_that_cannot_be_made_is_3_at_once(command: Command) -> None:
    """The command ends at once with code 3 when nothing listens at the app's address, without a retry."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        ended = command("--url", f"http://127.0.0.1:{held.getsockname()[1]}", "summary")
    assert ended.code == 3
    assert "cannot be reached" in ended.err
    assert command.clock.slept == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(app: PlayedApp, command: Command, status: int) -> None:
    """The command follows no redirect, which would hand the key to another address, and ends with code 3."""
    app.faults = [answer(status, None, Location=f"{app.url}/api/elsewhere")]
    ended = command("summary")
    assert (ended.code, len(app.calls)) == (3, 1)
    assert "/api/elsewhere" in ended.err


@pytest.mark.parametrize("refusal", [answer(401), error(401, "Unauthorized"), answer(403)])
def test_a_key_that_is_refused_is_3(app: PlayedApp, command: Command, refusal: Answer) -> None:
    """A rejected key ends any command at once with code 3."""
    app.faults = [refusal]
    assert command("status", ID).code == 3
    assert len(app.calls) == 1


def test_an_error_of_the_app_itself_is_3(app: PlayedApp, command: Command) -> None:
    """An internal error of the app (500) ends the command with code 3."""
    app.faults = [error(500, "InternalError")]
    ended = command("--json", "summary")
    assert ended.code == 3
    assert ended.documents[0]["code"] == "InternalError"


@pytest.mark.parametrize("arguments", [["status", ID], ["clean-ups"], ["summary"], ["health"], ["delete", "j", "t"]])
@pytest.mark.parametrize("status", [200, 400, 404])
def test_what_is_not_the_app_is_3(app: PlayedApp, command: Command, status: int, arguments: list[str]) -> None:
    """An HTML answer shows that another service is at the address; the command ends with code 3."""
    app.faults = [Answer(status, {"Content-Type": "text/html"}, b"<html>hello</html>")] * 5
    assert command(*arguments).code == 3


@pytest.mark.parametrize("document", [[1, 2], {"value": "no list"}, "text"])
def test_a_list_that_is_none_is_3(app: PlayedApp, command: Command, document: object) -> None:
    """JSON without the expected list shows that another service is at the address; the code is 3."""
    app.faults = [answer(200, document)]
    assert command("clean-ups").code == 3


def test_a_refusal_is_1_in_the_words_of_the_api(app: PlayedApp, command: Command) -> None:
    """A call that the API refuses ends with code 1 and shows the API's code, message and values."""
    app.faults = [error(400, "InvalidRequest", "The query is not valid.", ("query:state", "must be one of"))]
    ended = command("clean-ups", "--state", "nothing")
    assert ended.code == 1
    assert "InvalidRequest: The query is not valid. (query:state must be one of)" in ended.err


@pytest.mark.parametrize("answered", [0, 1])
def test_the_timeout_holds_while_a_call_hangs(app: PlayedApp, answered: int) -> None:
    """`--timeout` ends the command with code 4 even while a call hangs, be it the first one."""

    def hang_later(_: object) -> Answer:
        if len(app.calls) > answered:
            time.sleep(20)
        return answer(200, {"state": "running"})

    app.routes[f"GET /task-deletions/{ID}"] = hang_later
    begun = time.monotonic()
    ended = in_process(["watch", ID, "--timeout", "PT2S"], environment(app.url))
    assert ended.code == 4
    assert time.monotonic() - begun < 15


def test_a_lost_answer_to_redrive_is_made_good(app: PlayedApp, command: Command) -> None:
    """After a lost answer to a redrive, a 409 for the repeat counts as success: the first try did it."""
    path = f"POST /dead-letters/{ID}/redrive"
    app.routes[path] = lambda _: answer(202, {"id": ID}) if len(app.calls) < 2 else error(409, "AlreadyRedriven")
    app.faults = [LOST]
    assert command("redrive", ID).code == 0
    assert app.lines() == [path, path]


def test_a_409_to_the_first_try_of_redrive_is_no_success(app: PlayedApp, command: Command) -> None:
    """A 409 for the first try of a redrive means that somebody else redrove the letter: code 1 and the error."""
    app.routes[f"POST /dead-letters/{ID}/redrive"] = error(409, "AlreadyRedriven")
    ended = command("redrive", ID)
    assert ended.code == 1
    assert "AlreadyRedriven" in ended.err

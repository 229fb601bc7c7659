"""What the command writes where: documents, text from outside, terminals, closed pipes, Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from batch_task_deletion.faults import Exit
from devstack.http1 import Answer
from tests.contract.cli.command import Command, environment, in_process, program
from tests.contract.cli.played_app import Call, PlayedApp, answer, error, never
from tests.contract.cli.terminal import on_terminal

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
HOSTILE = "\x1b]0;title\x07 \x9b31m \u202egnp.exe\u2066 [bold red]markup[/] \x7f\r\n\u2028 :smile:"


def hostile_letters(app: PlayedApp, number: int = 1) -> None:
    """Dead letters with a hostile text in every field."""
    told = {
        "code": HOSTILE,
        "message": {"lang": "en-US", "value": HOSTILE},
        "values": [{"key": HOSTILE, "value": HOSTILE}],
    }
    names = ("id", "reason", "outcome", "queue", "jobId", "taskId", "firstSeenAt", "redrivenAt", HOSTILE)
    letter = dict.fromkeys(names, HOSTILE) | {"error": told, "attempts": 3}
    app.routes["GET /dead-letters"] = {"value": [letter] * number, "continuation": None}
    app.routes[f"GET /dead-letters/{ID}"] = {**letter, "body": HOSTILE * 2, "nested": {HOSTILE: [letter]}}


@pytest.mark.parametrize("arguments", [["dead-letters"], ["dead-letters", ID]])
def test_text_from_outside_is_text(app: PlayedApp, command: Command, arguments: list[str]) -> None:
    """Control and bidirectional characters in text from the app are escaped, and brackets are not markup."""
    hostile_letters(app)
    ended = command(*arguments)
    assert ended.code == 0
    assert CONTROL.search(ended.out) is None
    assert (
        "\\x1b]0;title\\x07 \\x9b31m \\u202egnp.exe\\u2066 [bold red]markup[/] \\x7f\\r\\n\\u2028 :smile:" in ended.out
    )


def test_text_from_outside_is_text_on_a_terminal_too(app: PlayedApp) -> None:
    """On a terminal, too, text from the app cannot set a title or a colour."""
    hostile_letters(app)
    code, shown = on_terminal(["dead-letters"], app.url, NO_COLOR="1", COLUMNS="2000")
    assert code == 0
    assert "\x1b]0;" not in shown
    assert "\x9b" not in shown
    assert "[bold red]markup[/]" in shown


@pytest.mark.parametrize("arguments", [["dead-letters"], ["dead-letters", ID]])
def test_json_is_printable_ascii_and_says_the_same(app: PlayedApp, command: Command, arguments: list[str]) -> None:
    """`--json` prints only printable ASCII, which parses back to exactly what the API sent."""
    hostile_letters(app)
    ended = command("--json", *arguments)
    assert all(" " <= char <= "~" or char == "\n" for char in ended.out)
    assert ended.documents[0]["reason"] == HOSTILE


def test_an_error_of_the_api_is_text(app: PlayedApp, command: Command) -> None:
    """Control characters in the code, message and values of an API error are escaped."""
    app.faults = [error(400, HOSTILE, HOSTILE, (HOSTILE, HOSTILE))]
    ended = command("clean-ups")
    assert ended.code == 1
    assert CONTROL.search(ended.err) is None


def test_a_line_of_a_file_is_text(app: PlayedApp, command: Command) -> None:
    """Control characters of an invalid input line are escaped in the error about it."""
    for content in (HOSTILE, f'{{"{HOSTILE}": 1}}', f"jobId,{HOSTILE}"):
        ended = command("delete", "--file", "-", stdin=content.encode())
        assert ended.code == 2
        assert CONTROL.search(ended.err) is None
    assert app.calls == []


def test_the_target_of_a_redirect_is_text(app: PlayedApp, command: Command) -> None:
    """Control characters in the `Location` of a redirect are escaped in the error about it."""
    app.faults = [answer(302, None, Location="https://\x1b[31mx\x9b")]
    assert CONTROL.search(command("summary").err) is None


def test_with_json_errors_are_documents_too(app: PlayedApp, command: Command) -> None:
    """With `--json`, an API error is printed as the API's own document, and standard output has nothing else."""
    app.faults = [error(400, "InvalidRequest")]
    ended = command("clean-ups", "--json")
    assert [document["code"] for document in ended.documents] == ["InvalidRequest"]


@pytest.mark.parametrize("forced", [{}, {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TTY_COMPATIBLE": "1"}])
def test_without_a_terminal_there_are_no_control_characters(app: PlayedApp, forced: dict[str, str]) -> None:
    """Without a terminal the output has no control characters, whatever the environment says about colours."""
    app.routes["GET /dead-letters"] = {"value": [{"id": ID, "reason": "x" * 300}], "continuation": None}
    for arguments in (
        ["dead-letters"],
        ["delete", "j", "t", "--wait"],
        ["--help"],
        ["redrive", "--help"],
        ["nonsense"],
    ):
        ended = in_process(arguments, environment(app.url, TERM="xterm-256color", COLUMNS="20", **forced))
        assert CONTROL.search(ended.out + ended.err) is None, arguments


def test_without_a_terminal_ids_are_never_cut(app: PlayedApp) -> None:
    """Without a terminal, ids are printed whole, however narrow COLUMNS claims the terminal to be."""
    letter = {"id": ID, "jobId": "j" * 64, "taskId": "t" * 64, "error": {"code": "X", "message": {"value": "m" * 500}}}
    app.routes["GET /dead-letters"] = {"value": [letter], "continuation": None}
    line = in_process(["dead-letters"], environment(app.url, COLUMNS="20")).out.splitlines()[1]
    assert all(text in line for text in (ID, "j" * 64, "t" * 64, "m" * 500))


def test_on_a_narrow_terminal_ids_are_folded_and_not_cut(app: PlayedApp) -> None:
    """On a narrow terminal long values are wrapped, and no part of them is cut off."""
    app.routes["GET /dead-letters"] = {"value": [{"id": ID, "reason": "x" * 100}], "continuation": None}
    _, shown = on_terminal(["dead-letters"], app.url, COLUMNS="40")
    assert "…" not in shown
    assert shown.count("x") == 100


def test_on_a_usual_terminal_an_id_stands_in_one_piece(app: PlayedApp) -> None:
    """Ids are not folded on a usual terminal, so they can be copied; empty columns are left out to make room."""
    letter = {"id": ID, "jobId": "j" * 30, "reason": "word " * 40, "settledAt": None}
    app.routes["GET /dead-letters"] = {"value": [letter], "continuation": None}
    _, shown = on_terminal(["dead-letters"], app.url, COLUMNS="100")
    assert ID in shown
    assert "settledAt" not in shown


def test_no_color_holds_on_a_terminal(app: PlayedApp) -> None:
    """With NO_COLOR set, the command uses no colours on a terminal."""
    app.routes["GET /dead-letters"] = {"value": [{"id": ID}], "continuation": None}
    colour = re.compile(r"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|9[0-9]|[34]8;)[0-9;]*m")
    for arguments in (["dead-letters"], ["delete", "j", *(f"t{n}" for n in range(50)), "--wait"]):
        _, shown = on_terminal(arguments, app.url, NO_COLOR="1")
        assert colour.search(shown) is None


def test_a_terminal_shows_a_bar(app: PlayedApp) -> None:
    """On a terminal, `watch` shows how many of how many are done while it waits."""
    path = f"GET /task-deletions/{ID}"
    app.routes[path] = lambda _: answer(200, {"state": "done" if len(app.calls) > 4 else "running"})
    _, shown = on_terminal(["watch", ID], app.url)
    assert "0/1" in shown
    assert "request running" in shown


def test_without_a_terminal_progress_is_a_line_in_thirty_seconds(app: PlayedApp, command: Command) -> None:
    """Without a terminal, waiting prints one progress line per thirty seconds on standard error."""
    app.outcome = never
    ended = command("delete", "j", "a", "b", "--wait", "--timeout", "PT10M")
    lines = [line for line in ended.err.splitlines() if line.startswith("waiting: ")]
    assert 15 <= len(lines) <= 20
    assert lines[0] == "waiting: 0 of 2"
    assert "waiting" not in ended.out


def test_a_reader_that_goes_away_ends_it_quietly(app: PlayedApp) -> None:
    """The command says nothing about a broken pipe when its reader stops, as in `| head`."""
    page = {"value": [{"id": ID, "reason": "x" * 1000}] * 200, "continuation": None}
    app.routes["GET /dead-letters"] = page
    for arguments in (["dead-letters", "--json"], ["dead-letters"]):
        with subprocess.Popen(
            program(*arguments), env=environment(app.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""


def test_the_help_tells_the_exit_codes(command: Command) -> None:
    """A script can be written from the help alone."""
    words = " ".join(command("--help").out.split())
    assert all(re.search(rf"[:;] {code.value} ", words) for code in Exit)


def test_help_to_a_reader_that_goes_away_is_quiet_too() -> None:
    """`--help` says nothing about a broken pipe when its reader stops."""
    with subprocess.Popen(
        program("--help"), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


def interrupted(app: PlayedApp, arguments: list[str], when: threading.Event, stdin: bytes = b"") -> tuple[int, str]:
    """Runs the command and interrupts it as Ctrl-C does; returns exit code and standard error."""
    with subprocess.Popen(
        program(*arguments),
        env=environment(app.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        process.stdin.write(stdin)
        process.stdin.close()
        assert process.stderr
        assert when.wait(60)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        return process.wait(60), said


def test_ctrl_c_says_what_was_sent_and_what_goes_on(app: PlayedApp, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a file ends with 130, and tells what was sent and which call was under way."""
    path = tmp_path / "tasks file.txt"
    path.write_text("".join(f"t{n}\n" for n in range(3000)))
    reached = threading.Event()

    def second_hangs(call: Call) -> Answer:
        if len(app.calls) == 2:
            reached.set()
            time.sleep(5)
        del app.routes["POST /task-deletions"]
        came = app._bulk(call.body)
        app.routes["POST /task-deletions"] = second_hangs
        return came

    app.routes["POST /task-deletions"] = second_hangs
    code, said = interrupted(app, ["delete", "--file", str(path), "--job", "j"], reached)
    assert code == 130
    assert "sent: 1,000 of 3,000 requests, up to line 1,000; 1,000 more may have arrived" in said
    assert f"batch-task-deletion delete --file '{path}' --job j" in said


def test_ctrl_c_in_standard_input_names_no_command(app: PlayedApp) -> None:
    """After Ctrl-C, a run that read standard input names no command to continue, because the input is gone."""
    app.outcome = never
    reached = threading.Event()
    app.routes["GET /never"] = {}
    threading.Thread(target=_when_called, args=(app, "GET", reached), daemon=True).start()
    code, said = interrupted(app, ["delete", "--file", "-", "--job", "j", "--wait"], reached, b"a\nb\n")
    assert code == 130
    assert "sent: 2 of 2 requests" in said
    assert "batch-task-deletion" not in said


def test_ctrl_c_while_waiting_names_the_command_that_waits(app: PlayedApp) -> None:
    """Ctrl-C while waiting prints a `watch` command with the ids of the accepted requests."""
    app.outcome = never
    reached = threading.Event()
    threading.Thread(target=_when_called, args=(app, "GET", reached), daemon=True).start()
    code, said = interrupted(app, ["delete", "j", "a", "b", "--wait"], reached)
    assert code == 130
    assert f"watch {' '.join(app.effects)}" in said


def _when_called(app: PlayedApp, method: str, reached: threading.Event) -> None:
    """Sets the event once a call with that method has arrived."""
    while not app.lines(method):
        time.sleep(0.05)
    reached.set()

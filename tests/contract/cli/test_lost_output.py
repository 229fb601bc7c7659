"""What the command does when its output cannot be written: the reader closed the pipe, or the disk is full."""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path

import pytest

from devstack.http1 import Answer
from tests.contract.cli.command import environment, program
from tests.contract.cli.played_app import Call, PlayedApp, answer
from tests.contract.cli.terminal import on_terminal

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
FULL = Path("/dev/full")


def unread(app: PlayedApp, *arguments: str) -> tuple[int, str]:
    """Runs the command with a reader that has closed the pipe; returns exit code and standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return written_to(writing, app, *arguments)
    finally:
        os.close(writing)


def on_full_disk(app: PlayedApp, *arguments: str) -> tuple[int, str]:
    """Runs the command with a full disk as standard output; returns exit code and standard error."""
    with FULL.open("wb") as full:
        return written_to(full.fileno(), app, *arguments)


def written_to(output: int, app: PlayedApp, *arguments: str) -> tuple[int, str]:
    """Runs the command with this standard output; returns exit code and standard error."""
    ended = subprocess.run(
        program(*arguments),
        env=environment(app.url),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    return ended.returncode, ended.stderr.decode()


def pages(app: PlayedApp) -> None:
    """A list of dead letters, and a bulk redrive of three of them in three calls."""
    app.routes["GET /dead-letters"] = {"value": [{"id": ID, "reason": "x"}], "continuation": None}
    app.routes[f"GET /dead-letters/{ID}"] = {"id": ID, "reason": "x"}

    def bulk(call: Call) -> Answer:
        if call.body.get("dryRun"):
            return answer(200, {"matched": 3, "before": "2026-11-24T08:00:00Z", "continuation": None})
        at = int(call.body.get("continuation") or 0) + 1
        following = str(at) if at < 3 else None
        return answer(202, {"matched": 1, "redriven": 1, "before": "2026-11-24T08:00:00Z", "continuation": following})

    app.routes["POST /dead-letters/redrive"] = bulk
    for one in (ID, OTHER):
        app.routes[f"POST /dead-letters/{one}/redrive"] = lambda _: answer(202, {"redriven": True})


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A file with more lines than one call takes."""
    path = tmp_path / "tasks.txt"
    path.write_text("".join(f"t{n}\n" for n in range(2500)))
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["dead-letters", "--json"],
        ["dead-letters"],
        ["dead-letters", ID],
        ["--help"],
        ["redrive", "--help"],
        ["--version"],
    ],
)
def test_a_reader_that_went_away_ends_what_only_reads_with_141(app: PlayedApp, arguments: list[str]) -> None:
    """A command that only reads ends silently with 141, SIGPIPE's code, when its reader closes the pipe."""
    pages(app)
    assert unread(app, *arguments) == (141, "")


def test_a_file_whose_reader_went_away_says_what_was_sent(app: PlayedApp, tasks: Path) -> None:
    """When its reader closes the pipe, `delete --file` says how many requests it sent and how to continue."""
    code, said = unread(app, "delete", "--file", str(tasks), "--job", "j", "--json")
    assert code == 141
    assert said.splitlines() == [
        "sent: 1,000 of 2,500 requests, up to line 1,000",
        "to continue, run the same command; nothing is deleted twice:",
        f"  batch-task-deletion delete --file {tasks} --job j --json",
    ]
    assert len(app.effects) == 1000


def test_what_was_sent_in_full_needs_no_command_to_continue(app: PlayedApp, tmp_path: Path) -> None:
    """If everything was sent before the reader closed the pipe, no command to continue is printed."""
    path = tmp_path / "tasks.txt"
    path.write_text("a\nb\n")
    for arguments in (["delete", "--file", str(path), "--job", "j"], ["delete", "j", "a", "b"]):
        code, said = unread(app, *arguments)
        assert code == 141
        assert said.startswith("sent: 2 of 2 requests")
        assert "batch-task-deletion" not in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["redrive", "--all", "--yes", "--json"], ["redriven: 1 of 3 letters", "to continue with the rest, run:"]),
        (["redrive", "--all", "--yes"], ["redriven: 3 of 3 letters"]),
        (["redrive", ID, OTHER, "--json"], ["redriven: 1 of 2 letters", "to continue with the rest:"]),
        (["redrive", ID, OTHER], ["redriven: 2 of 2 letters"]),
    ],
)
def test_a_redrive_whose_reader_went_away_says_what_was_redriven(
    app: PlayedApp, arguments: list[str], expected: list[str]
) -> None:
    """When its reader closes the pipe, `redrive` counts every letter that the app redrove, printed or not."""
    pages(app)
    code, said = unread(app, *arguments)
    assert code == 141
    lines = said.splitlines()
    assert lines[: len(expected)] == expected
    assert (f"batch-task-deletion redrive {OTHER}" in said) == (arguments[1:] == [ID, OTHER, "--json"])
    assert "may have" not in said
    assert len(lines) == (3 if len(expected) > 1 else 1)


def test_a_clean_up_whose_reader_went_away_was_accepted(app: PlayedApp) -> None:
    """When its reader closes the pipe, `clean-up` tells on standard error that it was accepted, with its id."""
    app.routes["POST /job-completions"] = lambda call: answer(202, {"eventId": call.body["clientRequestId"]})
    code, said = unread(app, "clean-up", "j", "--json")
    assert code == 141
    assert said.startswith("the clean-up was accepted\n")
    assert f"watch {app.calls[0].body['clientRequestId']}" in said


def test_a_cancellation_whose_reader_went_away_is_told(app: PlayedApp) -> None:
    """When its reader closes the pipe, `cancel` says on standard error what it cancelled."""
    wanted = str(uuid.uuid4())
    app.routes[f"GET /task-deletions/{wanted}"] = {"state": "scheduled"}
    app.routes[f"DELETE /task-deletions/{wanted}"] = {"state": "done"}
    assert unread(app, "cancel", wanted) == (141, f"request {wanted}: cancelled\n")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments", [["dead-letters", "--json"], ["dead-letters"], ["dead-letters", ID], ["--help"], ["--version"]]
)
def test_output_that_cannot_be_written_is_one_line_and_5(app: PlayedApp, arguments: list[str]) -> None:
    """If the disk is full, the command ends with code 5 and one line with the system's error, no traceback."""
    pages(app)
    code, said = on_full_disk(app, *arguments)
    assert code == 5
    assert said == "Error: the output cannot be written: No space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_what_acts_says_what_was_sent_when_its_output_cannot_be_written(app: PlayedApp, tasks: Path) -> None:
    """If the disk is full, `delete --file` says what it sent and how to continue, and ends with code 5."""
    code, said = on_full_disk(app, "delete", "--file", str(tasks), "--job", "j", "--json")
    assert code == 5
    assert said.splitlines()[1] == "sent: 1,000 of 2,500 requests, up to line 1,000"
    assert f"  batch-task-deletion delete --file {tasks} --job j --json" in said.splitlines()


@pytest.mark.parametrize(("closed", "code"), [("1>&-", 5), ("2>&-", 0), ("2>/dev/full", 1)])
def test_a_closed_stream_is_no_traceback(app: PlayedApp, closed: str, code: int) -> None:
    """A closed standard output ends the command with 5; a closed standard error does not change its result."""
    refusing = ["redrive", ID, "--json"] if code == 1 else ["dead-letters", "--json"]
    pages(app)
    app.routes[f"POST /dead-letters/{ID}/redrive"] = lambda _: answer(
        409, {"code": "AlreadyRedriven", "message": "No."}
    )
    ended = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *program(*refusing)],
        env=environment(app.url),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == code
    assert b"Traceback" not in ended.stderr


def test_a_bar_whose_reader_is_there_stays_as_it_was(app: PlayedApp) -> None:
    """On a terminal that is read, the command shows its table and ends with code 0."""
    pages(app)
    code, shown = on_terminal(["dead-letters"], app.url)
    assert code == 0
    assert ID in shown

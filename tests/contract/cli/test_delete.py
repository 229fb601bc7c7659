"""`delete`: what it sends, how it derives ids, and what its exit code says."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from tests.contract.cli.command import Command
from tests.contract.cli.played_app import CUT, LOST, PlayedApp, answer, error, never, wishes


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A file with three tasks of one job."""
    path = tmp_path / "tasks.txt"
    path.write_text("a\nb\nc\n")
    return path


def test_tasks_that_are_named_are_asked_for_in_one_call(app: PlayedApp, command: Command) -> None:
    """`delete JOB TASK...` names all tasks in one call with the options once, and prints how many were accepted."""
    ended = command("delete", "job-1", "a", "b", "--delete-after", "PT1H", "--dry-run")
    assert ended.code == 0
    [call] = app.calls
    sent = {name: value for name, value in call.body.items() if name != "clientRequestId"}
    assert sent == {"jobId": "job-1", "taskIds": ["a", "b"], "deleteAfter": "PT1H", "dryRun": True}
    assert "2 deletions requested: 2 accepted" in ended.out


def test_ids_of_named_tasks_are_new_each_time(app: PlayedApp, command: Command) -> None:
    """The same `delete JOB TASK` twice makes two requests with different ids: whoever types it again means it."""
    for _ in range(2):
        assert command("delete", "job-1", "a").code == 0
    assert len(app.effects) == len(set(app.effects)) == 2


def test_the_same_file_twice_deletes_once_and_says_so(app: PlayedApp, command: Command, tasks: Path) -> None:
    """Sending the same file twice makes each request once; the second run says how many were accepted earlier."""
    first = command("delete", "--file", str(tasks), "--job", "job-1")
    second = command("delete", "--file", str(tasks), "--job", "job-1")
    assert (first.code, second.code) == (0, 0)
    assert len(app.effects) == 3
    assert "3 accepted earlier" in second.out


def test_again_asks_again(app: PlayedApp, command: Command, tasks: Path) -> None:
    """With `--again`, every line of a file that was sent before becomes a new request."""
    command("delete", "--file", str(tasks), "--job", "job-1")
    command("delete", "--file", str(tasks), "--job", "job-1", "--again")
    assert len(set(app.effects)) == 6


def test_an_interrupted_again_is_gone_on_with_by_its_id(app: PlayedApp, command: Command, tasks: Path) -> None:
    """An `--again` run repeated with the same `--client-request-id` derives the same ids, so nothing is doubled."""
    run = ["delete", "--file", str(tasks), "--job", "job-1", "--again", "--client-request-id", str(uuid.uuid4())]
    command(*run)
    assert "3 accepted earlier" in command(*run).out


def test_standard_input_is_a_file_too(app: PlayedApp, command: Command) -> None:
    """`--file -` reads requests from standard input."""
    assert command("delete", "--file", "-", stdin=b"job-1/a\r\njob-2/b\r\n").code == 0
    assert [(wish["jobId"], wish["taskId"]) for wish in app.calls[0].body["requests"]] == [
        ("job-1", "a"),
        ("job-2", "b"),
    ]


@pytest.mark.parametrize("content", [b"", b"\n\r\n  \n", b"\xef\xbb\xbf"])
def test_a_file_without_a_line_asks_for_nothing(app: PlayedApp, command: Command, content: bytes) -> None:
    """A file without any lines sends nothing and ends with code 0."""
    assert command("delete", "--file", "-", "--wait", stdin=content).code == 0
    assert app.calls == []


def test_a_csv_without_rows_asks_for_nothing(app: PlayedApp, command: Command) -> None:
    """A CSV file with only a header sends nothing and ends with code 0."""
    assert command("delete", "--file", "-", stdin=b"jobId,taskId\n").code == 0
    assert app.calls == []


def test_a_bad_line_ends_it_before_anything_is_sent(app: PlayedApp, command: Command) -> None:
    """One invalid line ends the command with code 2 and the line's number before anything is sent."""
    content = b"a\n" * 1500 + b"not a task\n" + b"a\n"
    ended = command("delete", "--file", "-", "--job", "job-1", stdin=content)
    assert ended.code == 2
    assert "line 1501" in ended.err
    assert app.calls == []


def test_thousands_of_lines_go_in_calls_of_a_thousand(app: PlayedApp, command: Command) -> None:
    """A long file is sent in calls of 1,000 requests, the most that the API takes."""
    content = "".join(f"t{n}\n" for n in range(2500)).encode()
    assert command("delete", "--file", "-", "--job", "job-1", stdin=content).code == 0
    assert [len(call.body["requests"]) for call in app.calls] == [1000, 1000, 500]
    assert len(set(app.effects)) == 2500


def test_large_lines_go_in_calls_below_four_mebibytes(app: PlayedApp, command: Command) -> None:
    """Large requests are spread over several calls, each below the 4 MiB that the API reads."""
    text = "x" * 900
    lines = [
        json.dumps({"jobId": "j", "taskId": f"t{n}", "metadata": {f"m{i}": text for i in range(8)}}) for n in range(900)
    ]
    assert command("delete", "--file", "-", stdin="\n".join(lines).encode()).code == 0
    assert len(app.calls) > 1
    assert max(len(call.incoming.body) for call in app.calls) < 4 * 1024 * 1024
    assert len(app.effects) == 900


def test_a_line_with_an_id_keeps_it(app: PlayedApp, command: Command) -> None:
    """A line that has its own `clientRequestId` keeps it, even with `--again`."""
    own = str(uuid.uuid4())
    line = json.dumps({"clientRequestId": own, "jobId": "j", "taskId": "t"}).encode()
    assert command("delete", "--file", "-", "--again", stdin=line).code == 0
    assert app.effects == [own]


def test_options_hold_for_lines_that_say_nothing_themselves(app: PlayedApp, command: Command) -> None:
    """A line's own delay overrides `--delete-after`, but `--dry-run` applies to every line."""
    lines = b'{"jobId":"j","taskId":"a","deleteAfter":"P1D"}\n{"jobId":"j","taskId":"b","dryRun":false}\n'
    assert command("delete", "--file", "-", "--delete-after", "PT1H", "--dry-run", stdin=lines).code == 0
    sent = app.calls[0].body["requests"]
    assert [wish["deleteAfter"] for wish in sent] == ["P1D", "PT1H"]
    assert [wish["dryRun"] for wish in sent] == [True, True]


@pytest.mark.parametrize(
    "trouble", [LOST, CUT, error(503, "StorageUnavailable"), answer(429), answer(502), answer(504)]
)
def test_a_call_without_an_answer_is_repeated_with_the_same_ids(
    app: PlayedApp, command: Command, trouble: object
) -> None:
    """A call without a usable answer is repeated with the same body, so each task is requested once."""
    app.faults = [trouble]
    assert command("delete", "job-1", "a", "b", "--wait").code == 0
    first, second = app.calls[:2]
    assert first.body == second.body
    assert app.effects == [wish["clientRequestId"] for wish in wishes(first.body)]


def test_an_item_that_is_refused_is_told_and_spoils_no_other(app: PlayedApp, command: Command) -> None:
    """A refused item gives code 1 and is shown with the API's message; the other items are carried out."""
    ended = command("delete", "job-1", "good", "invalid-1", "--wait")
    assert ended.code == 1
    assert "jobs/job-1/tasks/invalid-1" in ended.err
    assert "InvalidRequest: No. (/timeout 1)" in ended.err
    assert len(app.effects) == 1


def test_a_call_of_which_every_item_is_refused_is_an_answer_too(app: PlayedApp, command: Command) -> None:
    """A 400 because every item is invalid does not end the run; the next call is still sent."""
    content = "".join(f"invalid-{n}\n" for n in range(1000)).encode() + b"good\n"
    ended = command("delete", "--file", "-", "--job", "job-1", stdin=content)
    assert ended.code == 1
    assert "1,000 refused" in ended.out
    assert "980 more" in ended.err
    assert len(app.effects) == 1


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("deleted", 0), ("notFound", 0), ("preconditionFailed", 1), ("failed", 1), ("exhausted", 1), ("cancelled", 1)],
)
def test_the_exit_code_tells_how_they_ended(app: PlayedApp, command: Command, outcome: str, code: int) -> None:
    """With `--wait`, the exit code is 0 if all requests ended as asked, and 1 if any did not."""
    app.outcome = lambda wish: outcome if wish["taskId"] == "b" else "deleted"
    ended = command("delete", "job-1", "a", "b", "--wait")
    assert ended.code == code
    assert outcome in ended.out


def test_a_dry_run_is_waited_for_in_its_own_id_space(app: PlayedApp, command: Command) -> None:
    """Waiting for a dry run asks for its status with `dryRun=true` and counts `wouldDelete` as success."""
    ended = command("delete", "job-1", "a", "--dry-run", "--wait")
    assert ended.code == 0
    assert app.calls[-1].query == {"dryRun": "true"}
    assert "wouldDelete" in ended.out


def test_timeout_ends_the_waiting_and_says_what_goes_on(app: PlayedApp, command: Command) -> None:
    """When `--timeout` is up, the command ends with code 4 and prints a `watch` command for the same ids."""
    app.outcome = never
    begun = command.clock.time
    ended = command("delete", "job-1", "a", "b", "--wait", "--timeout", "PT10M")
    assert ended.code == 4
    assert command.clock.time - begun == pytest.approx(600)
    assert "sent: 2 of 2 requests" in ended.err
    assert f"batch-task-deletion watch {' '.join(app.effects)}" in ended.err


def test_timeout_of_a_file_names_the_same_command(app: PlayedApp, command: Command, tasks: Path) -> None:
    """When waiting for a file's requests times out, the command to continue is the same one: repeats are harmless."""
    app.outcome = never
    run = ["delete", "--file", str(tasks), "--job", "job-1", "--wait", "--timeout", "PT1M"]
    ended = command(*run)
    assert ended.code == 4
    assert f"batch-task-deletion {' '.join(run)}" in ended.err


def test_timeout_of_standard_input_names_no_command(app: PlayedApp, command: Command) -> None:
    """When waiting for requests from standard input times out, only their number is printed: the input is gone."""
    app.outcome = never
    ended = command("delete", "--file", "-", "--job", "j", "--wait", "--timeout", "PT1M", stdin=b"a\n")
    assert ended.code == 4
    assert "sent: 1 of 1 request" in ended.err
    assert "batch-task-deletion" not in ended.err


def test_ids_that_do_not_fit_a_command_line_are_not_typed_out(app: PlayedApp, command: Command) -> None:
    """After a time-out with 300 ids, too many for a command line, only the number of requests sent is printed."""
    app.outcome = never
    ended = command("delete", "job-1", *(f"t{n}" for n in range(300)), "--wait", "--timeout", "PT1M")
    assert ended.code == 4
    assert "sent: 300 of 300 requests" in ended.err
    assert "watch" not in ended.err


def test_with_json_the_documents_are_those_of_the_api(app: PlayedApp, command: Command) -> None:
    """With `--json`, standard output has only API documents: each call's answer, then each finished request."""
    ended = command("--json", "delete", "job-1", "a", "b", "--wait")
    bulk, *done = ended.documents
    assert bulk["counts"]["accepted"] == 2
    assert sorted(document["clientRequestId"] for document in done) == sorted(app.effects)
    assert "2 accepted" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["delete"],
        ["delete", "job-1"],
        ["delete", "job 1", "a"],
        ["delete", "job-1", "a/b"],
        ["delete", "job-1", "a", "--file", "x"],
        ["delete", "job-1", "a", "--again"],
        ["delete", "job-1", "a", "--timeout", "PT1M"],
        ["delete", "job-1", "a", "--wait", "--timeout", "10m"],
        ["delete", "job-1", "a", "--delete-after", "tomorrow"],
        ["delete", "--file", "/does/not/exist"],
        ["delete", "--file", ""],
        ["delete", "job-1", "a", "--unknown"],
    ],
)
def test_mistakes_of_usage_are_2_and_send_nothing(app: PlayedApp, command: Command, arguments: list[str]) -> None:
    """Arguments that make no sense end `delete` with code 2 and a message, before anything is sent."""
    ended = command(*arguments)
    assert ended.code == 2
    assert ended.err
    assert ended.out == ""
    assert app.calls == []


def test_an_open_request_is_looked_at_again_but_not_all_the_time(app: PlayedApp, command: Command) -> None:
    """The pauses between status calls grow, so 300 open requests cost under 5,000 calls in ten minutes."""
    app.outcome = never
    command("delete", "job-1", *(f"t{n}" for n in range(300)), "--wait", "--timeout", "PT10M")
    assert len(app.lines("GET")) < 5000


def test_a_repeat_of_its_own_is_not_taken_for_somebody_elses(app: PlayedApp, command: Command) -> None:
    """After a lost answer, the command says that requests accepted earlier may be its own."""
    app.faults = [LOST]
    assert "may be this command" in command("delete", "job-1", "a").err


def test_refused_items_without_a_code_of_their_own_are_told_too(app: PlayedApp, command: Command) -> None:
    """A 400 without an error of its own still shows the errors of its items, and ends with code 1."""
    item = {"clientRequestId": None, "jobId": "prod-1", "taskId": "a", "status": "invalid"}
    app.faults = [answer(400, {"items": [item | {"error": {"code": "ProtectedJob", "message": {"value": "No."}}}]})]
    ended = command("delete", "prod-1", "a")
    assert ended.code == 1
    assert "ProtectedJob: No." in ended.err

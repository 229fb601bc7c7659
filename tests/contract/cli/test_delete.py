"""`delete`: what is sent, which ids it has, and what the exit code says."""

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
    """The call names all tasks, carries the options once, and its answer is told in numbers."""
    ended = command("delete", "job-1", "a", "b", "--delete-after", "PT1H", "--dry-run")
    assert ended.code == 0
    [call] = app.calls
    sent = {name: value for name, value in call.body.items() if name != "clientRequestId"}
    assert sent == {"jobId": "job-1", "taskIds": ["a", "b"], "deleteAfter": "PT1H", "dryRun": True}
    assert "2 deletions requested: 2 accepted" in ended.out


def test_ids_of_named_tasks_are_new_each_time(app: PlayedApp, command: Command) -> None:
    """A person who types the same command twice means it twice."""
    for _ in range(2):
        assert command("delete", "job-1", "a").code == 0
    assert len(app.effects) == len(set(app.effects)) == 2


def test_the_same_file_twice_deletes_once_and_says_so(app: PlayedApp, command: Command, tasks: Path) -> None:
    """The second run tells how many were accepted earlier, and ends as the first."""
    first = command("delete", "--file", str(tasks), "--job", "job-1")
    second = command("delete", "--file", str(tasks), "--job", "job-1")
    assert (first.code, second.code) == (0, 0)
    assert len(app.effects) == 3
    assert "3 accepted earlier" in second.out


def test_again_asks_again(app: PlayedApp, command: Command, tasks: Path) -> None:
    """With `--again`, the lines of the file get new ids."""
    command("delete", "--file", str(tasks), "--job", "job-1")
    command("delete", "--file", str(tasks), "--job", "job-1", "--again")
    assert len(set(app.effects)) == 6


def test_an_interrupted_again_is_gone_on_with_by_its_id(app: PlayedApp, command: Command, tasks: Path) -> None:
    """The same `--client-request-id` makes the same new ids."""
    run = ["delete", "--file", str(tasks), "--job", "job-1", "--again", "--client-request-id", str(uuid.uuid4())]
    command(*run)
    assert "3 accepted earlier" in command(*run).out


def test_standard_input_is_a_file_too(app: PlayedApp, command: Command) -> None:
    """`--file -` reads what a pipe brings."""
    assert command("delete", "--file", "-", stdin=b"job-1/a\r\njob-2/b\r\n").code == 0
    assert [(wish["jobId"], wish["taskId"]) for wish in app.calls[0].body["requests"]] == [
        ("job-1", "a"),
        ("job-2", "b"),
    ]


@pytest.mark.parametrize("content", [b"", b"\n\r\n  \n", b"\xef\xbb\xbf"])
def test_a_file_without_a_line_asks_for_nothing(app: PlayedApp, command: Command, content: bytes) -> None:
    """Nothing is sent, and that is no fault."""
    assert command("delete", "--file", "-", "--wait", stdin=content).code == 0
    assert app.calls == []


def test_a_csv_without_rows_asks_for_nothing(app: PlayedApp, command: Command) -> None:
    """A header alone is no line."""
    assert command("delete", "--file", "-", stdin=b"jobId,taskId\n").code == 0
    assert app.calls == []


def test_a_bad_line_ends_it_before_anything_is_sent(app: PlayedApp, command: Command) -> None:
    """2, with the number of the line, although those before it are right."""
    content = b"a\n" * 1500 + b"not a task\n" + b"a\n"
    ended = command("delete", "--file", "-", "--job", "job-1", stdin=content)
    assert ended.code == 2
    assert "line 1501" in ended.err
    assert app.calls == []


def test_thousands_of_lines_go_in_calls_of_a_thousand(app: PlayedApp, command: Command) -> None:
    """The API takes at most 1,000 request objects in one call."""
    content = "".join(f"t{n}\n" for n in range(2500)).encode()
    assert command("delete", "--file", "-", "--job", "job-1", stdin=content).code == 0
    assert [len(call.body["requests"]) for call in app.calls] == [1000, 1000, 500]
    assert len(set(app.effects)) == 2500


def test_large_lines_go_in_calls_below_four_mebibytes(app: PlayedApp, command: Command) -> None:
    """What the API reads at once is bounded in bytes too."""
    text = "x" * 900
    lines = [
        json.dumps({"jobId": "j", "taskId": f"t{n}", "metadata": {f"m{i}": text for i in range(8)}}) for n in range(900)
    ]
    assert command("delete", "--file", "-", stdin="\n".join(lines).encode()).code == 0
    assert len(app.calls) > 1
    assert max(len(call.incoming.body) for call in app.calls) < 4 * 1024 * 1024
    assert len(app.effects) == 900


def test_a_line_with_an_id_keeps_it(app: PlayedApp, command: Command) -> None:
    """What the file says itself is not derived."""
    own = str(uuid.uuid4())
    line = json.dumps({"clientRequestId": own, "jobId": "j", "taskId": "t"}).encode()
    assert command("delete", "--file", "-", "--again", stdin=line).code == 0
    assert app.effects == [own]


def test_options_hold_for_lines_that_say_nothing_themselves(app: PlayedApp, command: Command) -> None:
    """A line's own delay wins; a dry run that the command line asks for holds for all."""
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
    """Whether the first try took effect or not, each task is asked for once."""
    app.faults = [trouble]
    assert command("delete", "job-1", "a", "b", "--wait").code == 0
    first, second = app.calls[:2]
    assert first.body == second.body
    assert app.effects == [wish["clientRequestId"] for wish in wishes(first.body)]


def test_an_item_that_is_refused_is_told_and_spoils_no_other(app: PlayedApp, command: Command) -> None:
    """1, with the API's words and where what is wrong; the other items are carried out."""
    ended = command("delete", "job-1", "good", "invalid-1", "--wait")
    assert ended.code == 1
    assert "jobs/job-1/tasks/invalid-1" in ended.err
    assert "InvalidRequest: No. (/timeout 1)" in ended.err
    assert len(app.effects) == 1


def test_a_call_of_which_every_item_is_refused_is_an_answer_too(app: PlayedApp, command: Command) -> None:
    """The 400 that has items does not end the run: the next thousand is sent."""
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
    """With `--wait`: 0 when all ended as asked, 1 when one did not."""
    app.outcome = lambda wish: outcome if wish["taskId"] == "b" else "deleted"
    ended = command("delete", "job-1", "a", "b", "--wait")
    assert ended.code == code
    assert outcome in ended.out


def test_a_dry_run_is_waited_for_in_its_own_id_space(app: PlayedApp, command: Command) -> None:
    """Its status is asked for with `dryRun=true`, and `wouldDelete` is as asked."""
    ended = command("delete", "job-1", "a", "--dry-run", "--wait")
    assert ended.code == 0
    assert app.calls[-1].query == {"dryRun": "true"}
    assert "wouldDelete" in ended.out


def test_timeout_ends_the_waiting_and_says_what_goes_on(app: PlayedApp, command: Command) -> None:
    """4, after the time that was given, with a command that waits for the same ids."""
    app.outcome = never
    begun = command.clock.time
    ended = command("delete", "job-1", "a", "b", "--wait", "--timeout", "PT10M")
    assert ended.code == 4
    assert command.clock.time - begun == pytest.approx(600)
    assert "sent: 2 of 2 requests" in ended.err
    assert f"batch-task-deletion watch {' '.join(app.effects)}" in ended.err


def test_timeout_of_a_file_names_the_same_command(app: PlayedApp, command: Command, tasks: Path) -> None:
    """A file goes on by being sent again, for that asks for nothing twice."""
    app.outcome = never
    run = ["delete", "--file", str(tasks), "--job", "job-1", "--wait", "--timeout", "PT1M"]
    ended = command(*run)
    assert ended.code == 4
    assert f"batch-task-deletion {' '.join(run)}" in ended.err


def test_timeout_of_standard_input_names_no_command(app: PlayedApp, command: Command) -> None:
    """What came through a pipe is gone; only what was sent is told."""
    app.outcome = never
    ended = command("delete", "--file", "-", "--job", "j", "--wait", "--timeout", "PT1M", stdin=b"a\n")
    assert ended.code == 4
    assert "sent: 1 of 1 request" in ended.err
    assert "batch-task-deletion" not in ended.err


def test_ids_that_do_not_fit_a_command_line_are_not_typed_out(app: PlayedApp, command: Command) -> None:
    """Three hundred ids are more than a shell takes; only what was sent is told."""
    app.outcome = never
    ended = command("delete", "job-1", *(f"t{n}" for n in range(300)), "--wait", "--timeout", "PT1M")
    assert ended.code == 4
    assert "sent: 300 of 300 requests" in ended.err
    assert "watch" not in ended.err


def test_with_json_the_documents_are_those_of_the_api(app: PlayedApp, command: Command) -> None:
    """The answer of each call, then each request as it is done; remarks are elsewhere."""
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
    """Whatever cannot be meant is said before anything is sent."""
    ended = command(*arguments)
    assert ended.code == 2
    assert ended.err
    assert ended.out == ""
    assert app.calls == []


def test_an_open_request_is_looked_at_again_but_not_all_the_time(app: PlayedApp, command: Command) -> None:
    """Three hundred requests that never end cost few looks: the pauses grow."""
    app.outcome = never
    command("delete", "job-1", *(f"t{n}" for n in range(300)), "--wait", "--timeout", "PT10M")
    assert len(app.lines("GET")) < 5000


def test_a_repeat_of_its_own_is_not_taken_for_somebody_elses(app: PlayedApp, command: Command) -> None:
    """After a lost answer the app counts as accepted earlier what this very command asked for."""
    app.faults = [LOST]
    assert "may be this command" in command("delete", "job-1", "a").err


def test_refused_items_without_a_code_of_their_own_are_told_too(app: PlayedApp, command: Command) -> None:
    """The items say what is wrong, whether or not the envelope does."""
    item = {"clientRequestId": None, "jobId": "prod-1", "taskId": "a", "status": "invalid"}
    app.faults = [answer(400, {"items": [item | {"error": {"code": "ProtectedJob", "message": {"value": "No."}}}]})]
    ended = command("delete", "prod-1", "a")
    assert ended.code == 1
    assert "ProtectedJob: No." in ended.err

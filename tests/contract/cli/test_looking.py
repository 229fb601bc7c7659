"""`status`, `watch` and `cancel` for any id, and `clean-up` and `sweep`, which start what has one."""

from __future__ import annotations

from typing import Any

import pytest

from devstack.http1 import Answer
from tests.contract.cli.command import Command
from tests.contract.cli.played_app import LOST, Call, PlayedApp, answer, error

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER = "1f8fad5b-d9cb-469f-a165-70867728950e"

REQUEST = f"/task-deletions/{ID}"
CLEAN_UP = f"/job-completions/{ID}"
SWEEP = f"/retention-sweeps/{ID}"


def request(state: str = "done", outcome: str = "deleted", **more: Any) -> dict[str, Any]:
    """The status document of a request."""
    result = {"result": {"data": {"outcome": outcome, "jobId": "j", "taskId": "t"}}} if state == "done" else {}
    return {"clientRequestId": ID, "jobId": "j", "taskId": "t", "state": state, **result, **more}


def progress(
    state: str = "listed", *, still: int = 0, done: dict[str, int] | None = None, **more: Any
) -> dict[str, Any]:
    """The progress of a clean-up, or of a sweep."""
    return {"eventId": ID, "jobId": "j", "state": state, "open": still, "done": done or {}, **more}


def only(app: PlayedApp, path: str, document: dict[str, Any], *, dry_run: bool = False) -> None:
    """Makes the app know one document alone, either as a real one or as a dry run."""

    def known(call: Call) -> Any:
        fits = (call.query.get("dryRun") == "true") is dry_run
        return answer(200, document) if fits else error(404, "NotFound")

    app.routes[f"GET {path}"] = known


def in_turn(app: PlayedApp, path: str, *documents: dict[str, Any]) -> None:
    """Shows one document per call, and the last one from then on."""
    left = list(documents)
    app.routes[f"GET {path}"] = lambda _: answer(200, left.pop(0) if len(left) > 1 else left[0])


@pytest.mark.parametrize("path", [REQUEST, CLEAN_UP, SWEEP])
def test_status_finds_whatever_has_the_id(app: PlayedApp, command: Command, path: str) -> None:
    """`status` finds a request, clean-up or sweep by its id, in any letter case."""
    only(app, path, progress(state="listing"))
    ended = command("status", ID.upper())
    assert ended.code == 0
    assert "listing" in ended.out


def test_status_shows_the_real_one_first(app: PlayedApp, command: Command) -> None:
    """If a real event and a dry run share an id, `status` shows the real one unless `--dry-run` is given."""
    app.routes[f"GET {CLEAN_UP}"] = lambda call: answer(200, progress(jobId=f"dry {call.query.get('dryRun')}"))
    assert "dry None" in command("status", ID).out
    assert "dry true" in command("status", ID, "--dry-run").out


@pytest.mark.parametrize("arguments", [["status", ID], ["status", ID, "--dry-run"]])
def test_a_dry_run_alone_is_found_either_way(app: PlayedApp, command: Command, arguments: list[str]) -> None:
    """If only a dry run has the id, `status` shows it with or without `--dry-run`."""
    only(app, REQUEST, request(outcome="wouldDelete", dryRun=True), dry_run=True)
    ended = command(*arguments)
    assert ended.code == 0
    assert "wouldDelete" in ended.out


def test_dry_run_does_not_find_a_real_one(app: PlayedApp, command: Command) -> None:
    """`status --dry-run` ends with code 1 if only a real request or sweep has the id."""
    only(app, REQUEST, request())
    only(app, SWEEP, {"sweepId": ID, "state": "done", "dryRun": False})
    assert command("status", ID, "--dry-run").code == 1


def test_a_dry_sweep_has_an_id_like_any_other(app: PlayedApp, command: Command) -> None:
    """`status --dry-run` finds a dry-run sweep without `dryRun` in the query: all sweeps share one id space."""
    only(app, SWEEP, {"sweepId": ID, "state": "done", "dryRun": True})
    assert command("status", ID, "--dry-run").code == 0
    assert app.calls[-1].query == {}


def test_an_id_that_nothing_has_is_1(app: PlayedApp, command: Command) -> None:
    """`status` of an unknown id ends with code 1 and names the id; with `--json` it prints the API's 404."""
    ended = command("status", ID, "--json")
    assert ended.code == 1
    assert ended.documents[0]["code"] == "NotFound"
    assert ID in ended.err


@pytest.mark.parametrize(
    "text", ["1", f"{{{ID}}}", ID.replace("-", ""), "00000000-0000-0000-0000-000000000000", ID + "\n"]
)
@pytest.mark.parametrize("name", ["status", "watch", "cancel", "dead-letters", "redrive", "settle"])
def test_an_id_that_is_no_guid_is_2(app: PlayedApp, command: Command, name: str, text: str) -> None:
    """An id that is not a GUID is a usage error, code 2, found before any call."""
    assert command(name, text).code == 2
    assert app.calls == []


def test_status_of_what_failed_is_0(app: PlayedApp, command: Command) -> None:
    """`status` ends with code 0 even if the request failed, since it found what it was asked for."""
    only(app, REQUEST, request(outcome="failed"))
    assert command("status", ID).code == 0


@pytest.mark.parametrize(
    ("path", "document", "code"),
    [
        (REQUEST, request(outcome="deleted"), 0),
        (REQUEST, request(outcome="notFound"), 0),
        (REQUEST, request(outcome="preconditionFailed"), 1),
        (REQUEST, request(outcome="cancelled"), 1),
        (CLEAN_UP, progress(done={"deleted": 3, "preconditionFailed": 1, "notFound": 1}), 0),
        (CLEAN_UP, progress(done={"deleted": 3, "failed": 1}), 1),
        (CLEAN_UP, progress(state="failed"), 1),
        (CLEAN_UP, progress(state="cancelled"), 1),
        (SWEEP, progress(state="done", done={"deleted": 3, "preconditionFailed": 2}, error=None), 0),
        (SWEEP, progress(state="done", done={"deleted": 3}, error={"code": "JobsPassedOver", "message": {}}), 1),
        (SWEEP, progress(state="done", done={"cancelled": 1}), 1),
        (SWEEP, progress(state="failed"), 1),
        (SWEEP, progress(state="cancelled"), 1),
    ],
)
def test_watch_judges_how_it_ended(
    app: PlayedApp, command: Command, path: str, document: dict[str, Any], code: int
) -> None:
    """The exit code of `watch` is 0 only if everything ended as asked; a sweep that skipped jobs gives 1."""
    only(app, path, document)
    assert command("watch", ID).code == code


def test_watch_waits_for_what_is_open(app: PlayedApp, command: Command) -> None:
    """`watch` waits for a clean-up until its requests are done, not only until its job is listed."""
    in_turn(app, CLEAN_UP, progress("listing"), progress(still=2), progress(done={"deleted": 2}))
    ended = command("watch", ID, "--json")
    assert ended.code == 0
    assert [(one["state"], one["open"]) for one in ended.documents] == [("listed", 2), ("listed", 0)]


def test_watch_of_several_goes_on_where_one_is_unknown(app: PlayedApp, command: Command) -> None:
    """`watch` with an unknown id among several waits for the others and then ends with code 1."""
    in_turn(app, REQUEST, request("running"), request("running"), request())
    ended = command("watch", OTHER, ID)
    assert ended.code == 1
    assert OTHER in ended.err
    assert "1 deleted" in ended.out


def test_watch_of_a_request_that_is_forgotten_ends(app: PlayedApp, command: Command) -> None:
    """`watch` ends with code 1 when the request it waits for is purged and answers 404."""
    looks = [answer(200, request("running")), error(404, "NotFound")]
    app.routes[f"GET {REQUEST}"] = lambda _: looks.pop(0) if len(looks) > 1 else looks[0]
    assert command("watch", ID).code == 1


def test_a_404_that_is_not_the_apps_is_no_end_of_a_request(app: PlayedApp, command: Command) -> None:
    """A host that has not loaded the app answers every call so, without a body: 3, and how to continue."""
    looks = [answer(200, request("running")), Answer(404)]
    app.routes[f"GET {REQUEST}"] = lambda _: looks.pop(0) if len(looks) > 1 else looks[0]
    ended = command("watch", ID)
    assert ended.code == 3
    assert f"watch {ID}" in ended.err


def test_cancel_stops_whatever_has_the_id(app: PlayedApp, command: Command) -> None:
    """`cancel` cancels a sweep by its id, and says how many of its requests are still open."""
    only(app, SWEEP, progress("running"))
    app.routes[f"DELETE {SWEEP}"] = answer(202, progress("cancelled", still=3))
    ended = command("cancel", ID)
    assert ended.code == 0
    assert "3 requests open" in ended.out


def test_cancel_of_a_dry_run_says_so(app: PlayedApp, command: Command) -> None:
    """`cancel --dry-run` cancels the dry run alone: its DELETE call has `dryRun=true`."""
    app.routes[f"GET {REQUEST}"] = lambda call: answer(
        200, request("scheduled", dryRun=call.query == {"dryRun": "true"})
    )
    app.routes[f"DELETE {REQUEST}"] = answer(200, request("done", "cancelled"))
    assert command("cancel", ID, "--dry-run").code == 0
    assert app.calls[-1].query == {"dryRun": "true"}


def test_cancel_that_comes_too_late_is_1(app: PlayedApp, command: Command) -> None:
    """A cancellation that the API refuses ends with code 1 and the API's message."""
    only(app, REQUEST, request())
    app.routes[f"DELETE {REQUEST}"] = error(409, "RequestBegun", "The request is done: deleted.")
    ended = command("cancel", ID)
    assert ended.code == 1
    assert "RequestBegun: The request is done: deleted." in ended.err


def test_a_clean_up_is_asked_for_with_all_that_was_said(app: PlayedApp, command: Command) -> None:
    """`clean-up` sends each option that was given as its field, and nothing else."""
    app.routes["POST /job-completions"] = answer(202, progress("waiting"))
    options = "--select failed --delete-after-succeeded P3D --delete-after-failed P7D --no-require-job-completed"
    ended = command("clean-up", "nightly:job-7", *options.split(), "--batch-url", "https://a.b", "--dry-run")
    assert ended.code == 0
    body = app.calls[0].body
    assert len(body.pop("clientRequestId")) == 36
    assert body == {
        "jobId": "nightly:job-7",
        "select": "failed",
        "deleteAfter": {"succeeded": "P3D", "failed": "P7D"},
        "requireJobCompleted": False,
        "batchUrl": "https://a.b",
        "dryRun": True,
    }


def test_a_clean_up_whose_answer_is_lost_has_one_id(app: PlayedApp, command: Command) -> None:
    """`clean-up` repeats a call whose answer was lost with the same id, so it stays one event."""
    app.routes["POST /job-completions"] = answer(202, progress("waiting"))
    app.faults = [LOST]
    assert command("clean-up", "j", "--delete-after", "P1D").code == 0
    first, second = app.calls
    assert first.body == second.body
    assert first.body["deleteAfter"] == "P1D"


@pytest.mark.parametrize(
    "options",
    [
        "--delete-after P1D --delete-after-failed P2D",
        "--select all",
        "--delete-after P1Y",
        "--timeout PT1M",
        "--policy x",
    ],
)
def test_a_clean_up_that_cannot_be_meant_is_2(app: PlayedApp, command: Command, options: str) -> None:
    """Contradictory or invalid options end `clean-up` with code 2 before any call."""
    assert command("clean-up", "j", *options.split()).code == 2
    assert app.calls == []


def test_a_clean_up_is_waited_for(app: PlayedApp, command: Command) -> None:
    """`clean-up --wait` ends when all its requests are done, and prints their outcomes."""

    def start(call: Call) -> Any:
        path = f"/job-completions/{call.body['clientRequestId']}"
        in_turn(app, path, progress("waiting"), progress(still=1), progress(done={"deleted": 1}, requested=1))
        return answer(202, progress("waiting"))

    app.routes["POST /job-completions"] = start
    ended = command("clean-up", "j", "--wait")
    assert ended.code == 0
    assert "done: 1 deleted" in ended.out


def test_a_sweep_asks_for_everything_in_so_many_words(app: PlayedApp, command: Command) -> None:
    """`sweep` without options sends the body `{}`, which asks for everything, rather than no body."""
    app.routes["POST /retention-sweeps"] = answer(202, {"sweepId": ID, "state": "running"})
    assert command("sweep").code == 0
    assert app.calls[0].incoming.body == b"{}"


def test_a_sweep_is_waited_for_by_the_id_that_the_app_gave(app: PlayedApp, command: Command) -> None:
    """`sweep --wait` watches the id from the app's answer, and names the `watch` command when its time is up."""
    app.routes["POST /retention-sweeps"] = answer(202, {"sweepId": ID, "state": "running"})
    only(app, SWEEP, progress("running"))
    ended = command(
        "sweep", "--policy", "old", "--batch-url", "https://a.b", "--dry-run", "--wait", "--timeout", "PT1M"
    )
    assert ended.code == 4
    assert app.calls[0].body == {"policy": "old", "batchUrl": "https://a.b", "dryRun": True}
    assert f"batch-task-deletion watch {ID} --dry-run" in ended.err


@pytest.mark.parametrize(("status", "code"), [(409, "SweepRunning"), (404, "PolicyNotFound")])
def test_a_sweep_that_is_refused_is_1(app: PlayedApp, command: Command, status: int, code: str) -> None:
    """`sweep` ends with code 1 if a sweep is already running or the policy does not exist."""
    app.routes["POST /retention-sweeps"] = error(status, code)
    ended = command("sweep")
    assert ended.code == 1
    assert code in ended.err


def test_a_409_after_a_lost_answer_says_whose_sweep_it_may_be(app: PlayedApp, command: Command) -> None:
    """If `sweep` gets a 409 after a lost answer, it says that the running sweep may be its own."""
    app.routes["POST /retention-sweeps"] = lambda _: (
        answer(202, {"sweepId": ID}) if len(app.calls) < 2 else error(409, "SweepRunning")
    )
    app.faults = [LOST]
    ended = command("sweep")
    assert ended.code == 1
    assert "may be the one that this command started" in ended.err


def test_an_answer_that_only_says_where_to_look_is_enough(app: PlayedApp, command: Command) -> None:
    """`sweep` and `clean-up` accept a 202 with only a `Location`; the sweep's id is taken from it."""
    app.routes["POST /retention-sweeps"] = answer_with_location(f"/api/retention-sweeps/{ID}")
    only(app, SWEEP, progress("done", done={"deleted": 1}))
    ended = command("sweep", "--wait")
    assert ended.code == 0
    assert f"sweep {ID}: accepted" in ended.out
    app.routes["POST /job-completions"] = answer_with_location(f"/api/job-completions/{ID}")
    assert command("clean-up", "j").code == 0


@pytest.mark.parametrize("document", [{}, {"sweepId": "none"}, {"sweepId": "../../task-deletions"}])
def test_a_sweep_without_an_id_is_not_the_apps(app: PlayedApp, command: Command, document: dict[str, Any]) -> None:
    """An answer without a GUID as sweep id ends the command with code 3, and is never used in an address."""
    app.routes["POST /retention-sweeps"] = answer(202, document)
    assert command("sweep", "--wait").code == 3
    assert len(app.calls) == 1


def answer_with_location(location: str) -> Answer:
    """Accepted, without a body."""
    return Answer(202, {"Location": location})

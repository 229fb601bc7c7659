"""Retention policies in the whole app: from the timer or a call to the deletion, its result and the closing event."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.api.answer import Answer
from shared.ledger.record import Key, Outcome
from shared.request.model import derived_id
from tests.fakes.app import ACCOUNT, World
from tests.fakes.batch import refused
from tests.fakes.calls import ask, call
from tests.fakes.clock import FakeClock

OLD = {"name": "old", "jobs": "*", "deleteAfter": "PT0S"}


def world_of(*policies: dict[str, Any], **settings: str) -> World:
    """An app with these policies."""
    return World(RETENTION_POLICIES=json.dumps(policies or [OLD]), **settings)


def with_settings(world: World, *policies: dict[str, Any], **settings: str) -> None:
    """Changes the settings of an app that keeps its storage and its account."""
    other = world_of(*policies, **settings)
    world.settings = other.settings
    world.app = world.worker()


def sweep_id(answer: Answer) -> str:
    """The id of a sweep that was started."""
    assert answer.status == 202, answer.content
    return str(answer.content["sweepId"])


def status(world: World, which: str) -> dict[str, Any]:
    """The document of `GET /api/retention-sweeps/{id}`."""
    answer = world.sweep(which)
    assert answer.status == 200
    return dict(answer.content)


def told(world: World) -> list[dict[str, Any]]:
    """The closing events so far."""
    return [event for event in world.results() if event["type"] == "batch.retention-sweep.done"]


def outcomes(world: World) -> list[str]:
    """The outcomes of the deletions."""
    return [event["data"]["outcome"] for event in world.results() if event["type"] == "batch.task-deletion.done"]


class PassingClock(FakeClock):
    """A clock that moves on by a millisecond each time it is read."""

    def now(self) -> datetime:
        """The instant, one millisecond later than at the last reading."""
        self.advance(0.001)
        return super().now()


def test_deletions_of_one_step_share_their_messages() -> None:
    """The deletions of one step share one message per bucket, even if the clock moves while they are written."""
    world = world_of()
    world.batch.seed("job-1", 200)
    world.app = world.worker(PassingClock(world.clock.now()))
    sweep_id(world.begin_sweep())
    assert world.deliver("job-completions")
    assert sum(len(json.loads(m.text)["work"]["rows"]) for m in world.messages()) == 200
    assert len(world.messages()) <= 16


def test_finished_work_goes_by_itself() -> None:
    """The timer alone sweeps an account after the first interval, and each deletion has its result."""
    world = world_of()
    world.batch.seed("job-1", 3)
    world.app.sweeps.tick()
    world.clock.advance(6 * 3_600)
    world.app.sweeps.tick()
    world.settle()
    assert world.batch.tasks == set()
    (closing,) = told(world)
    which = closing["data"]["sweepId"]
    results = [event for event in world.results() if event["type"] == "batch.task-deletion.done"]
    assert {(r["data"]["outcome"], r["data"]["origin"], r["data"]["parentId"]) for r in results} == {
        ("deleted", "retention", which)
    }
    assert {r["data"]["clientRequestId"] for r in results} == {
        derived_id(which, "job-1", f"t-{n:04d}") for n in range(3)
    }
    assert {json.dumps(r["data"]["metadata"]) for r in results} == {'{"policy": "old"}'}
    assert closing["data"]["policies"] == [{"name": "old", "dryRun": False, "jobs": 1, "requested": 3, "kept": 0}]
    assert (status(world, which)["open"], status(world, which)["done"]) == (0, {"deleted": 3})


def test_each_deletion_is_for_the_version_that_was_listed() -> None:
    """A sweep's message carries the listed ETag, and a task that runs again is kept."""
    world = world_of()
    world.batch.seed("job-1", 1)
    world.begin_sweep()
    world.deliver("job-completions")
    (message,) = world.messages()
    row = json.loads(message.text)["work"]
    assert (row["origin"], row["policy"], len(row["rows"])) == (
        "retention",
        world.settings.retention_policies[0].digest,
        1,
    )
    assert row["rows"][0]["request"]["ifMatch"] == "0x8D0"
    assert "etag" not in row["rows"][0]
    world.batch.completed[0] = world.batch.completed[0].__class__("t-0000", 0, None, "2026-11-24T07:29:00Z", "0x9")
    world.settle()
    assert outcomes(world) == ["preconditionFailed"]
    assert world.batch.tasks == {("job-1", "t-0000")}


def test_a_dry_run_asks_for_nothing_and_is_told() -> None:
    """A dry-run sweep requests nothing; it has a status with a sample, and a closing event."""
    world = world_of()
    world.batch.seed("job-1", 2)
    which = sweep_id(world.begin_sweep({"dryRun": True}))
    world.settle()
    assert (outcomes(world), len(told(world))) == ([], 1)
    found = status(world, which)
    assert (found["state"], found["dryRun"], found["open"], found["policies"][0]["requested"]) == ("done", True, 0, 2)
    assert found["policies"][0]["sample"] == ["jobs/job-1/tasks/t-0000", "jobs/job-1/tasks/t-0001"]


def swept_but_not_deleted(world: World) -> str:
    """A sweep whose requests wait in the queue."""
    which = sweep_id(world.begin_sweep())
    while world.deliver("job-completions"):
        pass
    assert world.messages()
    return which


@pytest.mark.parametrize(
    "policies",
    [
        [{**OLD, "deleteAfter": "PT1M"}],
        [{"name": "keep", "jobs": "job-*", "deleteAfter": "never"}, OLD],
        [{**OLD, "dryRun": True}],
        [{"name": "other", "jobs": "x", "deleteAfter": "PT0S"}],
    ],
    ids=["changed", "another first", "only counts", "gone"],
)
def test_a_request_whose_policy_is_no_longer_in_force_ends_as_cancelled(policies: list[dict[str, Any]]) -> None:
    """A request whose policy is no longer in force ends as cancelled, without a dead letter."""
    world = world_of()
    world.batch.seed("job-1", 1)
    which = swept_but_not_deleted(world)
    with_settings(world, *policies)
    world.settle()
    assert outcomes(world) == ["cancelled"]
    assert (world.batch.calls, world.letters.rows) == ([], {})
    assert (status(world, which)["open"], status(world, which)["done"]) == (0, {"cancelled": 1})


def test_a_request_whose_policy_is_unchanged_goes_on_though_others_changed() -> None:
    """A request whose policy is still its job's first match is carried out although others changed."""
    world = world_of()
    world.batch.seed("job-1", 1)
    swept_but_not_deleted(world)
    with_settings(world, OLD, {"name": "later", "jobs": "*", "deleteAfter": "never"})
    world.settle()
    assert outcomes(world) == ["deleted"]


def test_a_request_of_a_job_that_was_protected_meanwhile_ends_as_cancelled() -> None:
    """A sweep's request for a job protected since then is cancelled, even after a refused try."""
    world = world_of()
    world.batch.seed("job-1", 1)
    world.batch.script = [refused(429, "TooManyRequests", 30)]
    swept_but_not_deleted(world)
    world.deliver()
    with_settings(world, OLD, PROTECTED_JOBS="JOB-*")
    world.settle()
    assert outcomes(world) == ["cancelled"]
    assert (len(world.batch.calls), world.letters.rows) == (1, {})


def test_a_request_whose_account_was_taken_off_the_list_ends_as_cancelled() -> None:
    """A sweep's request whose account left the allow list ends as cancelled, without a dead letter."""
    accounts = "https://other.region.batch.azure.com"
    world = world_of(BATCH_ACCOUNT_URLS=f"{accounts},{ACCOUNT}")
    world.batch.seed("job-1", 1)
    sweep_id(world.begin_sweep({"batchUrl": ACCOUNT}))
    while world.deliver("job-completions"):
        pass
    with_settings(world, OLD, BATCH_ACCOUNT_URLS=accounts)
    world.settle()
    assert outcomes(world) == ["cancelled"]
    assert (world.batch.calls, world.letters.rows) == ([], {})


@pytest.mark.parametrize("queue", ["requests", "requests-poison"])
def test_a_request_that_comes_again_for_another_version_is_no_conflict(queue: str) -> None:
    """A second message with the same id for another task version is dropped, not a conflict."""
    world = world_of()
    world.batch.seed("job-1", 1)
    swept_but_not_deleted(world)
    (message,) = world.messages()
    again = json.loads(message.text)
    again["work"]["rows"][0]["request"]["ifMatch"] = "0x9"
    world.settle()
    world.put(again, queue)
    world.settle()
    assert outcomes(world) == ["deleted"]
    assert world.letters.rows == {}


def test_a_stopped_sweep_s_requests_end_as_cancelled() -> None:
    """Stopping a sweep ends its open requests as cancelled; with nothing open, it is refused with 409."""
    world = world_of()
    world.batch.seed("job-1", 2)
    which = swept_but_not_deleted(world)
    first = world.stop_sweep(which)
    assert (first.status, first.content["state"], first.content["open"]) == (202, "done", 2)
    assert world.stop_sweep(which).status == 200
    world.settle()
    assert outcomes(world) == ["cancelled", "cancelled"]
    later = sweep_id(world.begin_sweep())
    world.settle()
    assert world.stop_sweep(later).status == 409


def test_a_request_has_no_row_before_its_first_claim() -> None:
    """A sweep's request has no row before its first claim, and its status answers 404 until then."""
    world = world_of()
    world.batch.seed("job-1", 1)
    which = swept_but_not_deleted(world)
    request_id = derived_id(which, "job-1", "t-0000")
    assert (Key(request_id).bucket, request_id) not in world.records.rows
    assert world.get(request_id).status == 404
    assert status(world, which)["open"] == 1
    world.settle()
    assert world.get(request_id).content["result"]["data"]["outcome"] == Outcome.DELETED


def test_a_job_that_its_owner_has_marked_is_left_alone() -> None:
    """A job whose owner marked it with `task-retention: keep` is skipped, without any setting."""
    world = world_of()
    world.batch.seed("job-1", 1)
    world.batch.metadata["job-1"] = (("task-retention", "keep"),)
    which = sweep_id(world.begin_sweep())
    world.settle()
    assert status(world, which)["leftAlone"] == {"protected": 0, "marked": 1, "dependencies": 0, "unlisted": 0}
    assert world.batch.tasks == {("job-1", "t-0000")}


def test_a_forged_step_is_refused_as_any_message_that_nobody_can_read() -> None:
    """A forged sweep step is rejected; a request with a forged policy ends as cancelled."""
    world = world_of()
    world.put({"sweep": {"v": 1, "id": "x", "step": 0, "repeat": False}}, "job-completions")
    world.settle()
    assert [event["data"]["outcome"] for event in world.results()] == ["rejected"]
    world.batch.seed("job-1", 1)
    which = swept_but_not_deleted(world)
    (message,) = world.messages()
    forged = json.loads(message.text)
    forged["work"]["policy"] = "0" * 32
    message.text = json.dumps(forged)
    world.settle()
    assert status(world, which)["done"] == {"cancelled": 1}


def test_a_step_that_never_succeeds_ends_the_sweep_without_a_dead_letter() -> None:
    """A poison step fails its sweep without a dead letter, and the account can be swept again."""
    world = world_of()
    which = sweep_id(world.begin_sweep())
    (message,) = world.messages("job-completions")
    world.queues["job-completions"].clear()
    world.put(message.text, "job-completions-poison")
    world.settle()
    assert (status(world, which)["state"], status(world, which)["error"]["code"]) == ("failed", "GivenUp")
    assert world.letters.rows == {}
    assert world.begin_sweep().status == 202


def test_a_sweep_is_forgotten_after_retention() -> None:
    """A sweep is purged after its retention, and an account's agenda never."""
    world = world_of()
    world.batch.seed("job-1", 1)
    which = sweep_id(world.begin_sweep())
    world.settle()
    world.clock.advance(timedelta(days=15).total_seconds())
    world.app.housekeeping.round(600)
    assert status(world, which)["state"] == "done"
    world.clock.advance(timedelta(days=2).total_seconds())
    world.app.housekeeping.round(600)
    assert world.sweep(which).status == 404
    assert world.policies()["accounts"][0]["lastSweep"]["sweepId"] == which


def test_a_sweep_that_runs_is_not_forgotten() -> None:
    """A running sweep is not purged, however old it is."""
    world = world_of()
    world.batch.seed("job-1", 1)
    world.batch.job_script = [refused(429, "TooManyRequests", 60)]
    which = sweep_id(world.begin_sweep())
    world.deliver("job-completions")
    world.clock.advance(timedelta(days=16).total_seconds())
    world.app.housekeeping.round(600)
    assert status(world, which)["state"] == "running"
    world.settle()
    assert [event["data"]["state"] for event in told(world)] == ["done"]
    world.clock.advance(timedelta(days=17).total_seconds())
    world.app.housekeeping.round(600)
    assert world.sweep(which).status == 404


def test_a_sweep_that_was_never_begun_is_forgotten() -> None:
    """A sweep's row that its account never named is purged after its retention."""
    world = world_of()
    which = sweep_id(world.begin_sweep())
    for (_, row), entity in world.records.rows.items():
        if row.startswith("agenda:"):
            entity["running"] = ""
    world.clock.advance(timedelta(days=16).total_seconds())
    world.app.housekeeping.round(600)
    assert world.sweep(which).status == 404


def test_a_sweep_is_remembered_with_how_its_requests_ended() -> None:
    """A sweep's counts are kept as long as the sweep, so its requests never look open again."""
    world = world_of()
    world.batch.seed("job-1", 3)
    which = sweep_id(world.begin_sweep())
    world.settle()
    seen = []
    for _ in range(18):
        world.clock.advance(timedelta(days=1).total_seconds() + 1)
        world.app.housekeeping.round(600)
        answer = world.sweep(which)
        seen.append((answer.content["open"], answer.content["done"]) if answer.status == 200 else None)
        assert world.stop_sweep(which).status == (409 if answer.status == 200 else 404)
    assert seen[:15] == [(0, {"deleted": 3})] * 15
    assert seen[-2:] == [None, None]
    assert not [row for _, row in world.records.rows if row.startswith("tally:")]


def test_requests_that_were_lost_with_their_messages_are_not_open_for_ever() -> None:
    """Lost requests of a sweep stop counting as open after a day, and the sweep can still be stopped."""
    world = world_of()
    world.batch.seed("job-1", 64)
    which = swept_but_not_deleted(world)
    world.deliver()
    world.queues["requests"].clear()
    deleted = status(world, which)["done"]["deleted"]
    assert status(world, which)["open"] == 64 - deleted > 0
    world.clock.advance(timedelta(days=1, seconds=1).total_seconds())
    assert (status(world, which)["open"], status(world, which)["done"]) == (0, {"deleted": deleted})
    assert world.stop_sweep(which).status == 202


def test_a_sweep_is_remembered_until_its_last_request_is_past_retention() -> None:
    """A sweep is kept until its last request is past retention, even if it ended long before."""
    world = world_of(BATCH_RETRY_BASE_SECONDS="604800", BATCH_RETRY_MAX_SECONDS="604800")
    world.batch.seed("job-1", 1)
    world.batch.script = [refused(429, "TooManyRequests", 604_800)]
    which = sweep_id(world.begin_sweep())
    world.settle()
    assert outcomes(world) == ["deleted"]
    world.clock.advance(timedelta(days=14).total_seconds())
    world.app.housekeeping.round(600)
    assert status(world, which)["done"] == {"deleted": 1}


def failed(world: World) -> dict[str, Any]:
    """Runs a sweep whose one request Batch refuses for good; returns the one dead letter."""
    world.clock.advance(60)
    world.batch.script = [refused(409, "TaskCompleted")]
    world.begin_sweep()
    world.settle()
    (letter,) = world.dead_letters()
    return letter


def test_a_task_that_cannot_be_deleted_has_one_dead_letter() -> None:
    """Repeated sweeps update one dead letter to the newest request, and it can be redriven."""
    world = world_of()
    world.batch.seed("job-1", 1)
    first, second = failed(world), failed(world)
    assert (first["id"], first["firstSeenAt"]) == (second["id"], second["firstSeenAt"])
    assert first["clientRequestId"] != second["clientRequestId"]
    assert second["lastSeenAt"] > first["lastSeenAt"]
    assert len({event["id"] for event in world.results() if "outcome" in event["data"]}) == 2

    world.batch.script = [refused(409, "TaskCompleted")]
    assert world.redrive(second["id"]).status == 202
    world.settle()
    (again,) = world.dead_letters()
    assert (again["clientRequestId"], again["redrivenAt"]) == (second["clientRequestId"], None)
    assert world.redrive(second["id"]).status == 202
    world.settle()
    assert world.batch.tasks == set()


def test_a_redrive_after_the_request_was_forgotten_keeps_the_one_dead_letter() -> None:
    """Redriven after its request was purged, a task's one dead letter tells of the new end."""
    world = world_of()
    world.batch.seed("job-1", 1)
    letter = failed(world)
    world.clock.advance(timedelta(days=20).total_seconds())
    world.app.housekeeping.round(600)
    assert world.get(letter["clientRequestId"]).status == 404
    world.batch.script = [refused(409, "TaskCompleted")]
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    (again,) = world.dead_letters()
    assert (again["id"], again["redrivenAt"]) == (letter["id"], None)


def test_a_late_copy_of_an_older_request_does_not_take_the_letter_back() -> None:
    """A late copy of an older request does not take a task's dead letter back from the newest one."""
    world = world_of()
    world.batch.seed("job-1", 1)
    world.batch.script = [refused(409, "TaskCompleted")]
    swept_but_not_deleted(world)
    older = world.messages()[0].text
    world.settle()
    newest = failed(world)
    world.clock.advance(60)
    world.put(older)
    world.settle()
    (letter,) = world.dead_letters()
    assert letter["clientRequestId"] == newest["clientRequestId"]
    assert letter["lastSeenAt"] > newest["lastSeenAt"]


def test_a_redrive_counts_no_policy_any_more_but_protection() -> None:
    """A redriven request ignores policies, but still fails if its job is protected."""
    world = world_of()
    world.batch.seed("job-1", 1)
    letter = failed(world)
    with_settings(world, {**OLD, "deleteAfter": "never"}, PROTECTED_JOBS="job-1")
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert outcomes(world)[-1] == "failed"
    assert world.dead_letters()[0]["reason"] == "ProtectedJob"


def test_a_redrive_after_the_account_left_the_list_moves_the_one_letter() -> None:
    """Redriven after its account left the list, a request fails, and its one dead letter says why."""
    other = "https://other.region.batch.azure.com"
    world = world_of(BATCH_ACCOUNT_URLS=f"{ACCOUNT},{other}")
    world.batch.seed("job-1", 1)
    letter = failed(world)
    with_settings(world, OLD, BATCH_ACCOUNT_URLS=other)
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    (again,) = world.dead_letters()
    assert (again["id"], again["reason"], again["redrivenAt"]) == (letter["id"], "AccountNotAllowed", None)
    results = [event for event in world.results() if event["type"] == "batch.task-deletion.done"]
    assert {event["source"] for event in results} == {ACCOUNT}


# The calls


def test_the_policies_are_shown_as_understood() -> None:
    """Policies are shown in their normal form, with each account's last and next sweep."""
    world = world_of(
        {**OLD, "deleteAfter": {"succeeded": "P3D"}}, {"name": "keep", "jobs": "x", "deleteAfter": "never"}
    )
    content = world.policies()
    assert content["policies"][0] == {
        "name": "old",
        "jobs": ["*"],
        "batchUrl": None,
        "deleteAfter": {"succeeded": "P3D"},
        "deleteAfterSeconds": {"succeeded": 259_200, "failed": None},
        "jobState": None,
        "most": None,
        "dryRun": False,
    }
    assert content["policies"][1]["deleteAfter"] == "never"
    assert content["accounts"] == [{"batchUrl": ACCOUNT, "lastSweep": None, "nextSweepAt": None}]
    world.app.sweeps.tick()
    assert world.policies()["accounts"][0]["nextSweepAt"] == "2026-11-24T13:30:00.000Z"
    which = sweep_id(world.begin_sweep())
    world.settle()
    last = world.policies()["accounts"][0]["lastSweep"]
    assert last == {
        "sweepId": which,
        "state": "done",
        "startedAt": "2026-11-24T07:30:00.000Z",
        "endedAt": "2026-11-24T07:30:00.000Z",
    }


@pytest.mark.parametrize("settings", [{}, {"RETENTION_POLICIES": "[]"}])
def test_without_policies_there_is_nothing_to_sweep(settings: dict[str, str]) -> None:
    """Without policies, a sweep on demand answers 404, and the timer writes nothing."""
    world = World(**settings)
    assert world.policies() == {"policies": [], "accounts": []}
    assert world.begin_sweep().status == 404
    world.app.sweeps.tick()
    assert world.records.rows == {}


def test_a_sweep_that_begins_has_a_place_to_look() -> None:
    """A sweep on demand answers 202 with its location; while it runs, another is refused with 409 and its id."""
    world = world_of()
    answer = world.begin_sweep()
    assert answer.headers["location"] == f"/api/retention-sweeps/{sweep_id(answer)}"
    assert (answer.content["state"], answer.content["batchUrl"], answer.content["endedAt"]) == (
        "running",
        ACCOUNT,
        None,
    )
    again = world.begin_sweep()
    assert (again.status, again.content["values"]) == (409, [{"key": "sweepId", "value": sweep_id(answer)}])
    world.settle()
    assert world.begin_sweep().status == 202


@pytest.mark.parametrize("body", [b"", b" ", b"null", b"[]", b'""', b"{"])
def test_a_lost_body_is_not_everything(body: bytes) -> None:
    """A sweep with an empty or invalid body is refused with 400: only `{}` means everything."""
    world = world_of()
    assert world.begin_sweep(body).status == 400
    assert world.messages("job-completions") == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"policy": None}, "/policy"),
        ({"policy": ""}, "/policy"),
        ({"batchUrl": ""}, "/batchUrl"),
        ({"batchUrl": None}, "/batchUrl"),
        ({"batchUrl": "https://other.region.batch.azure.com"}, "/batchUrl"),
        ({"dryRun": None}, "/dryRun"),
        ({"dryRun": "true"}, "/dryRun"),
        ({"dryrun": True}, "/dryrun"),
        ({"policies": ["old"]}, "/policies"),
    ],
)
def test_a_wish_that_cannot_be_read_begins_nothing(body: dict[str, Any], pointer: str) -> None:
    """A sweep with an invalid field is refused with 400 and a pointer."""
    world = world_of()
    answer = world.begin_sweep(body)
    assert (answer.status, answer.content["values"][0]["key"]) == (400, pointer)


SOUTH = "https://south.region.batch.azure.com"


@pytest.mark.parametrize(
    ("body", "account"),
    [
        ({}, ACCOUNT),
        ({"policy": "south"}, SOUTH),
        ({"policy": "all"}, ACCOUNT),
        ({"policy": "all", "batchUrl": f"{SOUTH}/"}, SOUTH),
        ({"policy": "south", "batchUrl": ACCOUNT}, None),
        ({"policy": "nope"}, None),
    ],
)
def test_the_account_is_the_named_one_the_policy_s_or_the_default(body: dict[str, Any], account: str | None) -> None:
    """A sweep on demand is for the account it names, else its policy's, else the default one."""
    world = world_of(
        {"name": "all", "jobs": "*", "deleteAfter": "P1D"},
        {"name": "south", "jobs": "*", "batchUrl": SOUTH, "deleteAfter": "P1D"},
        BATCH_ACCOUNT_URLS=f"{ACCOUNT},{SOUTH}",
    )
    answer = world.begin_sweep(body)
    assert answer.status == (202 if account else 404)
    if account:
        assert answer.content["batchUrl"] == account


@pytest.mark.parametrize("name", ["status", "stop"])
def test_a_sweep_that_nobody_knows(name: str) -> None:
    """Reading or stopping a sweep answers 404 for an unknown id, and 400 for an invalid one or a query."""
    api = world_of().app.retention
    unknown = call(route={"id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"})
    assert ask(getattr(api, name), unknown).status == 404
    assert ask(getattr(api, name), call(route={"id": "x"})).status == 400
    assert ask(getattr(api, name), call(route={"id": "x"}, query={"dryRun": "true"})).status == 400

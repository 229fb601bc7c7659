"""Dead letters over HTTP: what they show, and how they are redriven."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import from_text
from shared.deletion.delivery import Delivery
from shared.errors import StorageUnavailable
from tests.chaos.faults import Fault, at, contended, disturbed, everywhere
from tests.chaos.recovery import call_until_answered
from tests.fakes.app import ACCOUNT, World
from tests.fakes.batch import LOST, refused


def fail(world: World, task: str = "task-1", code: str = "InvalidHeaderValue", **fields: Any) -> dict[str, Any]:
    """Makes a request fail for good at Batch; returns its dead letter."""
    world.batch.script = [refused(400, code)]
    world.put_request(taskId=task, **fields)
    world.settle()
    world.clock.advance(3_601)
    return world.dead_letters()[0]


def test_a_dead_letter_says_why(world: World) -> None:
    """A dead letter shows reason, last status, Batch's request id, attempts, and the body as received."""
    letter = fail(world, metadata={"team": "fx"})
    assert (letter["reason"], letter["outcome"], letter["queue"]) == ("InvalidHeaderValue", "failed", "requests")
    assert (letter["statusCode"], letter["batchRequestId"], letter["attempts"]) == (400, "batch-3", 1)
    assert letter["firstSeenAt"] == letter["lastSeenAt"]
    one = world.dead_letter(letter["id"]).content
    assert one["bodyEncoding"] == "utf-8"
    assert json.loads(one["body"])["metadata"] == {"team": "fx"}


def test_a_body_that_is_no_text_is_shown_in_base64(world: World) -> None:
    """A body that is not UTF-8 is shown in base64, byte for byte."""
    raw = b"\xff\xfe{}"
    now = world.clock.now()
    delivery = Delivery("requests", "m-1", 1, now, now + timedelta(minutes=10), raw)
    world.app.worker.deliver(delivery)
    one = world.dead_letter(world.dead_letters()[0]["id"]).content
    assert (base64.b64decode(one["body"]), one["bodyEncoding"]) == (raw, "base64")


def test_a_redriven_request_is_tried_again_with_a_result_of_its_own(world: World) -> None:
    """The new generation has a new result id and the origin `redrive`."""
    letter = fail(world)
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    first, second = world.results()
    assert (second["data"]["outcome"], second["data"]["origin"]) == ("deleted", "redrive")
    assert first["id"] != second["id"]
    assert world.dead_letters()[0]["redrivenAt"] is not None


def test_redriving_twice_is_harmless(world: World) -> None:
    """Redriving a letter a second time is refused with 409 and sends nothing."""
    letter = fail(world)
    assert [world.redrive(letter["id"]).status for _ in range(2)] == [202, 409]
    world.settle()
    assert world.outcomes() == ["failed", "deleted"]


def test_a_request_that_fails_again_has_another_dead_letter(world: World) -> None:
    """A redriven request that fails again has a second dead letter, which can be redriven too."""
    first = fail(world)
    world.batch.script = [refused(400, "InvalidHeaderValue")]
    world.redrive(first["id"])
    world.settle()
    second, older = world.dead_letters()
    assert older["id"] == first["id"] != second["id"]
    assert world.redrive(second["id"]).status == 202
    world.settle()
    assert world.outcomes()[-1] == "deleted"


@pytest.mark.parametrize("body", ["no request", None])
def test_what_can_never_succeed_is_not_put_back(world: World, body: str | None) -> None:
    """Letters of rejected and conflicting requests cannot be redriven: 422."""
    if body is None:
        request = world.put_request()
        world.put(request | {"taskId": "other"})
    else:
        world.put(body)
    world.settle()
    assert world.redrive(world.dead_letters()[0]["id"]).status == 422


@pytest.mark.parametrize("letter_id", [str(uuid.UUID(int=1)), "x", "", "a'b", "../x"])
def test_an_unknown_dead_letter(world: World, letter_id: str) -> None:
    """Reading or redriving an unknown dead letter answers 404."""
    assert world.dead_letter(letter_id).status == 404
    assert world.redrive(letter_id).status == 404


@pytest.mark.parametrize("fault", [Fault.FAILS, Fault.LOSES_ITS_ANSWER])
@pytest.mark.parametrize("number", range(8))
def test_a_redrive_that_dies_on_the_way_is_repeated(world: World, fault: Fault, number: int) -> None:
    """Whichever operation of a redrive fails, a repeat of the call brings the request to one second outcome."""
    letter = fail(world)
    with disturbed(world, at(number, fault)):
        call_until_answered(world, lambda: world.redrive(letter["id"]))
    world.settle()
    ends = {(result["id"], result["data"]["outcome"]) for result in world.results()}
    assert sorted(outcome for _, outcome in ends) == ["deleted", "failed"]
    assert len(world.batch.calls) == 2


def test_the_marks_of_earlier_generations_stay(world: World) -> None:
    """A redriven request whose task is gone is `deleted / inferred` if its earlier generation may have deleted it."""
    world = World(BATCH_MAX_ATTEMPTS="1")
    body = world.request()
    world.batch.script = [LOST]
    world.put(body)
    world.settle()
    assert world.results()[0]["data"]["certainty"] == "unknown"
    world.batch.tasks.clear()
    world.redrive(world.dead_letters()[0]["id"])
    world.settle()
    end = world.results()[-1]["data"]
    assert (end["outcome"], end["certainty"]) == ("deleted", "inferred")


def test_a_request_whose_row_was_purged_is_made_anew(world: World) -> None:
    """A request whose row was purged can be redriven from its dead letter."""
    letter = fail(world)
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    assert world.get(letter["clientRequestId"]).status == 404
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert world.outcomes() == ["failed", "deleted"]


def test_a_request_is_made_anew_for_the_account_that_it_meant() -> None:
    """A request redriven after its row was purged keeps its account, even if the default has changed."""
    other = "https://other.region.batch.azure.com"
    world = World(BATCH_ACCOUNT_URLS=f"{ACCOUNT},{other}")
    letter = fail(world)
    world.records.rows.clear()
    world.settings = replace(world.settings, batch_accounts=(other, ACCOUNT))
    world.app = world.worker()
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert [request.batch_url for request in world.batch.calls] == [ACCOUNT, ACCOUNT]
    assert [result["source"] for result in world.results()] == [ACCOUNT, ACCOUNT]


def test_a_request_made_anew_knows_of_all_generations_before() -> None:
    """A request redriven after its row was purged remembers that any earlier generation may have worked."""
    world = World(BATCH_MAX_ATTEMPTS="1")
    world.batch.script = [LOST]
    world.put_request()
    world.settle()
    world.clock.advance(3_601)
    world.settings, kept = replace(world.settings, protected_jobs=("job-1",)), world.settings
    world.app = world.worker()
    world.redrive(world.dead_letters()[0]["id"])
    world.settle()
    world.records.rows.clear()
    world.batch.tasks.clear()
    world.settings = kept
    world.app = world.worker()
    world.redrive(world.dead_letters()[0]["id"])
    world.settle()
    end = world.results()[-1]["data"]
    assert world.outcomes() == ["exhausted", "failed", "deleted"]
    assert end["certainty"] == "inferred"


def test_a_dead_letter_whose_request_is_at_work_again_is_left_alone(world: World) -> None:
    """A redrive is refused with 409 if the request was sent again after the purge and is in progress."""
    letter = fail(world)
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    body = {name: letter[name] for name in ("clientRequestId", "jobId", "taskId")}
    world.batch.script = [refused(429, "TooManyRequests")]
    world.put(body)
    world.deliver()
    assert world.redrive(letter["id"]).status == 409
    world.settle()
    assert world.outcomes() == ["failed", "deleted"]


def test_a_letter_that_put_nothing_back_is_not_marked(world: World) -> None:
    """A refused redrive does not mark its letter, which can be redriven later."""
    letter = fail(world)
    world.records.rows.clear()
    world.records.etags.clear()
    body = {name: letter[name] for name in ("clientRequestId", "jobId", "taskId")}
    world.batch.script = [refused(429, "TooManyRequests"), refused(409, "TaskCompleted")]
    world.put(body)
    world.deliver()
    assert world.redrive(letter["id"]).status == 409
    assert world.dead_letters()[0]["redrivenAt"] is None
    world.settle()
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert world.outcomes()[-1] == "deleted"


def test_a_redrive_looks_again_when_the_row_changed(world: World) -> None:
    """A redrive raises StorageUnavailable if the row keeps changing, and succeeds when repeated."""
    letter = fail(world)
    with disturbed(world, contended(world.records)), pytest.raises(StorageUnavailable, match="changed under"):
        world.redrive(letter["id"])
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert world.outcomes() == ["failed", "deleted"]


def fail_by_protection(world: World, body: dict[str, Any]) -> None:
    """The request ends before its time, for its job was protected then."""
    strict = World(PROTECTED_JOBS="job-*")
    world.settings, kept = strict.settings, world.settings
    world.put(body)
    world.deliver(app=world.worker())
    world.settings = kept
    assert world.outcomes() == ["failed"]


def test_a_redrive_waits_for_the_time_that_the_request_names(world: World) -> None:
    """A redriven request is not deleted before its original due time."""
    body = world.request(deleteAfter="P20D")
    accepted_at = world.clock.now()
    fail_by_protection(world, body)
    assert world.redrive(world.dead_letters()[0]["id"]).status == 202
    world.settle()
    assert world.outcomes()[-1] == "deleted"
    assert world.clock.now() - accepted_at >= timedelta(days=20)


def test_a_purged_request_waits_too(world: World) -> None:
    """A request redriven after its row was purged still waits for its delay, counted from when it ended."""
    body = world.request(deleteAfter="P20D")
    fail_by_protection(world, body)
    letter, ended_at = world.dead_letters()[0], world.clock.now()
    world.clock.advance(3 * 86_400)
    world.records.rows.clear()
    world.records.etags.clear()
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert world.outcomes()[-1] == "deleted"
    assert world.clock.now() - ended_at >= timedelta(days=20)


@pytest.mark.parametrize("task", ["task-1", "task-2"])
def test_a_dead_letter_whose_id_was_used_anew_reopens_nothing(world: World, task: str) -> None:
    """A redrive is refused with 409 if the request's id has been used again since."""
    letter = fail(world)
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    world.put_request(clientRequestId=letter["clientRequestId"], taskId=task)
    world.settle()
    world.request(taskId=task)
    assert world.redrive(letter["id"]).status == 409
    world.settle()
    assert world.outcomes() == ["failed", "deleted"]
    assert ("job-1", task) in world.batch.tasks


def test_what_a_late_copy_left_behind_stands_in_no_redrives_way(world: World) -> None:
    """An `expired` end that a late copy left under the same id does not prevent a redrive."""
    letter = fail(world)
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    text = world.dead_letter(letter["id"]).content["body"]
    world.put(text)
    world.clock.advance(16 * 86_400)
    world.settle()
    assert world.outcomes() == ["failed", "expired"]
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert world.outcomes()[-1] == "deleted"


def test_a_redrive_sends_the_result_that_is_still_owed(world: World) -> None:
    """A redrive sends the earlier generation's result if that is still owed."""
    world.batch.script = [refused(400, "InvalidHeaderValue")]
    world.put_request()
    with disturbed(world, everywhere(Fault.FAILS, "send results")), pytest.raises(StorageUnavailable):
        world.deliver()
    assert world.redrive(world.dead_letters()[0]["id"]).status == 202
    world.clock.advance(601)
    world.settle()
    assert set(world.outcomes()) == {"failed", "deleted"}


def test_a_request_of_an_account_that_is_no_longer_listed_is_never_put_back() -> None:
    """A request whose account left the allow list is not redriven; a bulk redrive goes on to the next."""
    two = World(BATCH_ACCOUNT_URLS="https://acct.region.batch.azure.com,https://former.region.batch.azure.com")
    fail(two, "old", batchUrl="https://former.region.batch.azure.com")
    fail(two)
    world = World()
    world.letters = two.letters
    world.clock.advance((two.clock.now() - world.clock.now()).total_seconds())
    world.app = world.worker()
    world.request()
    answer = world.redrive_many({"all": True})
    assert (answer.status, answer.content["matched"], answer.content["redriven"]) == (202, 2, 1)
    former = next(letter for letter in world.dead_letters() if letter["taskId"] == "old")
    assert world.redrive(former["id"]).status == 422


def test_a_row_that_cannot_be_read_stops_no_pass(world: World) -> None:
    """In a bulk redrive, an unreadable row ends as exhausted with a new letter; the others are redriven."""
    broken = fail(world, "task-1")
    fail(world, "task-2")
    (key,) = [key for key in world.records.rows if key[1] == broken["clientRequestId"]]
    world.records.rows[key]["state"] = "?"
    answer = world.redrive_many({"all": True})
    assert (answer.status, answer.content["matched"], answer.content["redriven"]) == (202, 2, 1)
    world.clock.advance(1)
    again = world.redrive_many({"reason": "CorruptRecord"})
    assert (again.content["matched"], again.content["redriven"]) == (1, 1)
    world.settle()
    assert ("job-1", "task-1") not in world.batch.tasks
    assert ("job-1", "task-2") not in world.batch.tasks


def test_the_daily_round_hurries_no_pass(world: World) -> None:
    """A redriven request that is delayed by the rate is not requeued by the daily round, and waits for its time."""
    letter = fail(world)
    world.app.dead_letters.redriving.redrive(letter["id"], delay_seconds=3 * 3_600)
    world.clock.advance(2 * 3_600)
    assert world.app.housekeeping.round(1_000)["put_back"] == 0
    assert world.get(letter["clientRequestId"]).content["state"] == "scheduled"
    world.put({name: letter[name] for name in ("clientRequestId", "jobId", "taskId")})
    world.deliver()
    assert world.outcomes() == ["failed"]
    world.settle()
    assert world.outcomes()[:2] == ["failed", "deleted"]
    assert world.clock.now() - from_text(letter["firstSeenAt"]) >= timedelta(hours=3)


def test_pages_are_newest_first(world: World) -> None:
    """Dead letters are listed newest first; `top` limits a page and `continuation` leads to the next."""
    for n in range(5):
        fail(world, f"task-{n}")
    answer = world.list_letters(top="2").content
    assert [letter["taskId"] for letter in answer["value"]] == ["task-4", "task-3"]
    rest = world.dead_letters(continuation=answer["continuation"])
    assert [letter["taskId"] for letter in rest] == ["task-2", "task-1", "task-0"]


@pytest.mark.parametrize("query", [{"top": "0"}, {"top": "x"}, {"top": "201"}, {"top": "٣"}, {"continuation": "x"}])
def test_a_wrong_page_is_refused(world: World, query: dict[str, str]) -> None:
    """An invalid `top` or `continuation` is refused with 400, naming the parameter."""
    answer = world.list_letters(**query)
    assert answer.status == 400
    assert answer.content["values"][0]["key"].removeprefix("query:") in query


def test_many_are_put_back_by_filter_and_rate(world: World) -> None:
    """A bulk redrive selects letters by filter and spreads their messages by `perSecond`."""
    for n in range(4):
        fail(world, f"a-{n}", code="InvalidHeaderValue")
    fail(world, "b", code="InvalidUri")
    looked = world.redrive_many({"reason": "InvalidHeaderValue", "dryRun": True})
    assert (looked.status, looked.content["matched"], looked.content["redriven"]) == (200, 4, 0)
    assert world.messages() == []
    answer = world.redrive_many({"reason": "InvalidHeaderValue", "perSecond": 1})
    assert (answer.status, answer.content["redriven"]) == (202, 4)
    waits = sorted((m.visible_at - world.clock.now()).total_seconds() for m in world.messages())
    assert waits == [0, 1, 2, 3]
    assert world.redrive_many({"reason": "InvalidHeaderValue"}).content["matched"] == 0
    world.settle()
    assert world.outcomes().count("deleted") == 4


def test_at_most_so_many_are_put_back(world: World) -> None:
    """`most` limits the number of letters that one bulk call redrives."""
    for n in range(3):
        fail(world, f"a-{n}")
    assert world.redrive_many({"all": True, "most": 2}).content["redriven"] == 2
    assert world.redrive_many({"jobId": "JOB-1", "outcome": "failed", "queue": "requests"}).content["redriven"] == 1


@pytest.mark.parametrize(
    "selection",
    [
        {"most": 0},
        {"most": 1_001},
        {"perSecond": "10"},
        {"reasn": "x"},
        {"most": True},
        {"outcome": "deleted"},
        {"queue": "job-completion"},
    ],
)
def test_a_wrong_selection_puts_nothing_back(world: World, selection: dict[str, Any]) -> None:
    """A bulk redrive with a misspelled or invalid filter is refused with 400 and redrives nothing."""
    fail(world)
    answer = world.redrive_many({"outcome": "failed"} | selection)
    assert answer.status == 400
    (value,) = answer.content["values"]
    assert value["key"] == f"/{next(iter(selection))}"
    assert value["value"] != "is not valid"
    assert world.messages() == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"most": 5}', b'{"all": false, "dryRun": true}'])
def test_everything_is_put_back_only_on_demand(world: World, body: bytes) -> None:
    """A bulk redrive without a filter is refused with 400 unless it says `"all": true`."""
    fail(world)
    answer = world.redrive_many(body)
    assert answer.status == 400
    assert ("all" if body else "empty") in answer.content["values"][0]["value"]
    assert world.messages() == []

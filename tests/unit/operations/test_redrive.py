"""Dead letters over HTTP: what they tell, and how they are put back."""

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
from tests.fakes.passage import Operation, T, undisturbed


def fail(world: World, task: str = "task-1", code: str = "InvalidHeaderValue", **fields: Any) -> dict[str, Any]:
    """A request that Batch refuses for good; its dead letter."""
    world.batch.script = [refused(400, code)]
    world.put_request(taskId=task, **fields)
    world.settle()
    world.clock.advance(3_601)
    return world.dead_letters()[0]


def test_a_dead_letter_says_why(world: World) -> None:
    """The reason, the last status, Batch's own id of the call, the attempts, and the body as received."""
    letter = fail(world, metadata={"team": "fx"})
    assert (letter["reason"], letter["outcome"], letter["queue"]) == ("InvalidHeaderValue", "failed", "requests")
    assert (letter["statusCode"], letter["batchRequestId"], letter["attempts"]) == (400, "batch-3", 1)
    assert letter["firstSeenAt"] == letter["lastSeenAt"]
    one = world.dead_letter(letter["id"]).content
    assert one["bodyEncoding"] == "utf-8"
    assert json.loads(one["body"])["metadata"] == {"team": "fx"}


def test_a_body_that_is_no_text_is_shown_in_base64(world: World) -> None:
    """Byte for byte as it was received."""
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
    """The second call is told so, and sends nothing."""
    letter = fail(world)
    assert [world.redrive(letter["id"]).status for _ in range(2)] == [202, 409]
    world.settle()
    assert world.outcomes() == ["failed", "deleted"]


def test_of_two_calls_at_once_the_one_that_redrives_says_so(world: World) -> None:
    """Whoever redrives it answers 202, even if the request is at work, and another call marks the letter, before that."""
    letter, answers = fail(world), []

    def meanwhile(operation: Operation[T]) -> T:
        answer = operation.effect()
        if operation.name == "send requests":
            world.passage = undisturbed
            world.deliver()
            answers.append(world.redrive(letter["id"]).status)
        return answer

    world.passage = meanwhile
    answers.append(world.redrive(letter["id"]).status)
    assert answers == [409, 202]
    assert world.outcomes() == ["failed", "deleted"]


def test_a_request_that_fails_again_has_another_dead_letter(world: World) -> None:
    """Each generation is a record of its own, and each can be put back."""
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
    """`rejected` and `conflict` wait for a corrected request: 422."""
    if body is None:
        request = world.put_request()
        world.put(request | {"taskId": "other"})
    else:
        world.put(body)
    world.settle()
    assert world.redrive(world.dead_letters()[0]["id"]).status == 422


@pytest.mark.parametrize("letter_id", [str(uuid.UUID(int=1)), "x", "", "a'b", "../x"])
def test_an_unknown_dead_letter(world: World, letter_id: str) -> None:
    """404 for looking and for putting back."""
    assert world.dead_letter(letter_id).status == 404
    assert world.redrive(letter_id).status == 404


@pytest.mark.parametrize("fault", [Fault.FAILS, Fault.LOSES_ITS_ANSWER])
@pytest.mark.parametrize("number", range(8))
def test_a_redrive_that_dies_on_the_way_is_repeated(world: World, fault: Fault, number: int) -> None:
    """Whichever operation dies: the repeat of the call, or housekeeping, brings the request to its second end."""
    letter = fail(world)
    with disturbed(world, at(number, fault)):
        call_until_answered(world, lambda: world.redrive(letter["id"]))
    world.settle()
    ends = {(result["id"], result["data"]["outcome"]) for result in world.results()}
    assert sorted(outcome for _, outcome in ends) == ["deleted", "failed"]
    assert len(world.batch.calls) == 2


def test_the_marks_of_earlier_generations_stay(world: World) -> None:
    """A task that an earlier generation may have deleted is `deleted / inferred` when it is gone."""
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
    """The dead letter holds the request, and outlives the row."""
    letter = fail(world)
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    assert world.get(letter["clientRequestId"]).status == 404
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert world.outcomes() == ["failed", "deleted"]


def test_a_request_is_made_anew_for_the_account_that_it_meant() -> None:
    """Its row was purged, it named no account, and the default is another one by now: no other account is asked."""
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
    """The first may have deleted the task, the second sent nothing; the third finds no task: deleted, as far as known."""
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
    """Its row was purged and the request sent anew: 409, and one more result."""
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
    """Its request is at work again and may end in the same way: then it can be redriven."""
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
    """A redrive retries if the row changes, and raises StorageUnavailable if it keeps changing."""
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
    """It ended before it was due, its job being protected; put back, it is still not deleted early."""
    body = world.request(deleteAfter="P20D")
    accepted_at = world.clock.now()
    fail_by_protection(world, body)
    assert world.redrive(world.dead_letters()[0]["id"]).status == 202
    world.settle()
    assert world.outcomes()[-1] == "deleted"
    assert world.clock.now() - accepted_at >= timedelta(days=20)


def test_a_purged_request_waits_too(world: World) -> None:
    """Its dead letter knows when it ended, which is no earlier than when it was accepted."""
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
    """The row says what became of the id since: a task's id may be in use again, or the request be another one."""
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
    """The row was purged; then a copy came far too late and ended `expired` under the same id."""
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
    """The result queue was down when the request ended: the reopened row would otherwise have forgotten that end."""
    world.batch.script = [refused(400, "InvalidHeaderValue")]
    world.put_request()
    with disturbed(world, everywhere(Fault.FAILS, "send results")), pytest.raises(StorageUnavailable):
        world.deliver()
    assert world.redrive(world.dead_letters()[0]["id"]).status == 202
    world.clock.advance(601)
    world.settle()
    assert set(world.outcomes()) == {"failed", "deleted"}


def test_a_request_of_an_account_that_is_no_longer_listed_is_never_put_back() -> None:
    """Its row was purged, and today's settings do not take it: 422, and a bulk redrive goes on to the next."""
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
    """Its request ends as `exhausted`, with a dead letter that can be redriven; the others are put back."""
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
    """What a slow pass put back for later is not stuck: it waits for its time, and a second copy does so too."""
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
    """`top` limits a page, and the continuation leads to the next."""
    for n in range(5):
        fail(world, f"task-{n}")
    answer = world.list_letters(top="2").content
    assert [letter["taskId"] for letter in answer["value"]] == ["task-4", "task-3"]
    rest = world.dead_letters(continuation=answer["continuation"])
    assert [letter["taskId"] for letter in rest] == ["task-2", "task-1", "task-0"]


@pytest.mark.parametrize("query", [{"top": "0"}, {"top": "x"}, {"top": "201"}, {"top": "٣"}, {"continuation": "x"}])
def test_a_wrong_page_is_refused(world: World, query: dict[str, str]) -> None:
    """400 that names the parameter."""
    answer = world.list_letters(**query)
    assert answer.status == 400
    assert answer.content["values"][0]["key"].removeprefix("query:") in query


def test_many_are_put_back_by_filter_and_rate(world: World) -> None:
    """A filter takes some, the rate spreads their messages, and a second call finds none left."""
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
    """`most` bounds one call."""
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
    """A mistyped filter must not become one that takes everything."""
    fail(world)
    answer = world.redrive_many({"outcome": "failed"} | selection)
    assert answer.status == 400
    (value,) = answer.content["values"]
    assert value["key"] == f"/{next(iter(selection))}"
    assert value["value"] != "is not valid"
    assert world.messages() == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"most": 5}', b'{"all": false, "dryRun": true}'])
def test_everything_is_put_back_only_on_demand(world: World, body: bytes) -> None:
    """A call whose filter got lost must not redrive all that there is."""
    fail(world)
    answer = world.redrive_many(body)
    assert answer.status == 400
    assert ("all" if body else "empty") in answer.content["values"][0]["value"]
    assert world.messages() == []

"""The worker: what messages on the request queue lead to, on a host that delivers them as the real one does."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.batch.reply import ErrorBody, Reply, Sent
from shared.errors import StaleDelivery, StorageUnavailable
from shared.ledger.record import Key
from shared.ledger.tally import totals
from shared.request.model import derived_id
from shared.settings import Settings
from shared.wiring.services import App
from tests.chaos.faults import Fault, after, at, before, disturbed, either, everywhere
from tests.chaos.interleaving import Interleaving
from tests.fakes.app import ACCOUNT, ENVIRONMENT, World
from tests.fakes.batch import DELETED, LOST, NOT_FOUND, refused

NO_TOKEN = Reply(Sent.FAILED, error=ErrorBody("TokenUnavailable", "No token."))


def replace_settings(world: World, **settings: str) -> App:
    """Another process of the app, after its settings have changed."""
    world.settings = Settings.from_env({**ENVIRONMENT, **settings})
    return world.worker()


def result_of(world: World) -> dict[str, Any]:
    """The data of the only result message."""
    (result,) = world.results()
    return result["data"]  # type: ignore[no-any-return]


def column(world: World, body: dict[str, Any], name: str) -> object:
    """A column of a request's row."""
    key = Key(body["clientRequestId"], body.get("dryRun", False))
    return world.records.rows[key.bucket, key.row][name]


# One request


@pytest.mark.parametrize("encode", [json.dumps, lambda body: base64.b64encode(json.dumps(body).encode()).decode()])
def test_a_request_is_carried_out_once(world: World, encode: Any) -> None:
    """A request in JSON or base64 makes one DELETE and one result, and its message is deleted."""
    body = world.request(metadata={"frame": "7"}, ifMatch='"0x1"')
    world.put(encode(body))

    world.deliver()

    assert [(c.job_id, c.task_id, c.if_match) for c in world.batch.calls] == [("job-1", "task-1", '"0x1"')]
    data = result_of(world)
    assert (data["outcome"], data["certainty"], data["attempts"], data["origin"]) == (
        "deleted",
        "confirmed",
        1,
        "queue",
    )
    assert (data["metadata"], data["replayed"]) == ({"frame": "7"}, False)
    assert world.messages() == []
    assert world.stored_letters() == []


def test_the_happy_path_costs_two_writes_and_no_read(world: World) -> None:
    """A request that succeeds at once costs two table writes and no read."""
    world.put_request()
    world.deliver()
    assert world.records.operations == 2


def test_a_duplicate_of_a_finished_request_is_answered_without_a_delete(world: World) -> None:
    """A duplicate of a finished request publishes the stored result again, marked as replayed, without a DELETE."""
    body = world.put_request()
    world.put(body | {"metadata": {"other": "text"}})
    world.settle()

    first, second = world.results()
    assert len(world.batch.calls) == 1
    assert first["id"] == second["id"]
    assert (first["data"]["replayed"], second["data"]["replayed"]) == (False, True)
    assert first["data"] | {"replayed": True} == second["data"]


def test_a_duplicate_of_a_request_under_way_is_dropped(world: World) -> None:
    """A duplicate that arrives while another delivery holds the claim is dropped."""
    body = world.put_request()
    world.put(body)

    def meanwhile() -> Reply:
        world.deliver()
        return DELETED

    world.batch.script = [meanwhile]
    world.deliver()

    assert world.messages() == []
    assert world.outcomes() == ["deleted"]
    assert len(world.batch.calls) == 1


def test_a_duplicate_before_a_retry_waits_with_it(world: World) -> None:
    """A duplicate of a request that waits for its retry is put off to that time, and then finds it done."""
    body = world.request()
    world.batch.script = [refused(503, "ServerBusy", 300)]
    world.put(body)
    world.put(body)
    world.deliver()
    world.deliver()

    assert len(world.batch.calls) == 1
    assert {m.visible_at for m in world.messages()} == {world.clock.now() + timedelta(seconds=300)}
    world.settle()
    assert world.outcomes() == ["deleted", "deleted"]
    assert len(world.batch.calls) == 2


def test_another_payload_under_a_known_id_is_a_conflict(world: World) -> None:
    """A known id with another payload is a conflict: its task stays, and the message becomes a dead letter."""
    body = world.put_request()
    world.put_request(clientRequestId=body["clientRequestId"], taskId="task-2")
    world.settle()

    assert world.outcomes() == ["deleted", "conflict"]
    assert world.results()[1]["data"]["taskId"] == "task-2"
    assert world.batch.tasks == {("job-1", "task-2")}
    (letter,) = world.stored_letters()
    assert (letter["reason"], letter["outcome"]) == ("ClientRequestIdConflict", "conflict")
    assert json.loads(bytes(letter["body"]))["taskId"] == "task-2"


def test_a_redelivery_whose_result_was_not_sent_sends_it(world: World) -> None:
    """If a result could not be sent, the redelivery of the message sends it without another DELETE."""
    world.put_request()
    with disturbed(world, at(0, Fault.FAILS, "send results")), pytest.raises(StorageUnavailable):
        world.deliver()
    world.settle()

    assert len(world.batch.calls) == 1
    assert result_of(world)["replayed"] is False


# What is no request


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("no JSON", ""),
        ("{}", "/clientRequestId"),
        ('{"clientRequestId": 1}', "/clientRequestId"),
        ('{"requests": []}', "/requests"),
        ('{"work": {}}', "/work"),
    ],
)
def test_what_is_no_request_is_rejected_at_once(world: World, text: str, pointer: str) -> None:
    """An invalid message is rejected at once, with pointers in its result and its text in a dead letter."""
    world.put(text)
    world.deliver()

    data = result_of(world)
    assert (data["outcome"], data["attempts"]) == ("rejected", 0)
    assert pointer in {value["key"] for value in data["error"]["values"]}
    (letter,) = world.stored_letters()
    assert letter["body"] == text.encode()
    assert world.messages() == []
    assert world.batch.calls == []


def test_what_could_be_read_of_a_rejected_request_is_told(world: World) -> None:
    """A rejected result carries the request's valid fields, by which its sender recognises it."""
    body = world.put_request(unknown=1)
    world.deliver()

    data = result_of(world)
    assert (data["clientRequestId"], data["taskId"], data["batchUrl"]) == (body["clientRequestId"], "task-1", None)


def test_the_same_rejected_text_has_the_same_result(world: World) -> None:
    """The same invalid text has the same result id each time."""
    world.put("no JSON")
    world.put("no JSON")
    world.settle()
    assert len({result["id"] for result in world.results()}) == 1


# Retries


def test_a_throttled_request_comes_back_no_sooner_than_asked(world: World) -> None:
    """After a 429 the request is released and requeued for the time of `Retry-After`."""
    body = world.request()
    world.batch.script = [refused(429, "TooManyRequests", 120)]
    world.put(body)
    world.deliver()

    assert [m.visible_at for m in world.messages()] == [world.clock.now() + timedelta(seconds=120)]
    assert column(world, body, "next_attempt_at") == "2026-11-24T07:32:00.000Z"
    assert world.results() == []
    world.settle()
    assert result_of(world)["attempts"] == 2


def test_a_retry_without_its_row_still_knows_of_its_earlier_try(world: World) -> None:
    """A retry whose row was lost knows from its message that an earlier try may have worked."""

    def lost() -> Reply:
        world.batch.take(world.batch.calls[-1])
        return LOST

    world.batch.script = [lost]
    world.put(world.request())
    world.deliver()
    world.records.rows.clear()
    world.records.etags.clear()
    world.settle()
    assert (result_of(world)["outcome"], result_of(world)["certainty"]) == ("deleted", "inferred")


def test_retry_after_is_capped(world: World) -> None:
    """A `Retry-After` above BATCH_RETRY_MAX_SECONDS is cut to that."""
    world.batch.script = [refused(429, "TooManyRequests", 99_999)]
    world.put_request()
    world.deliver()
    assert [m.visible_at for m in world.messages()] == [world.clock.now() + timedelta(seconds=900)]


def test_attempts_come_to_an_end() -> None:
    """After the last attempt a request is exhausted, with the last error, and kept as a dead letter."""
    world = World(BATCH_MAX_ATTEMPTS="3")
    world.batch.script = [refused(503, "ServerBusy")] * 9
    body = world.put_request()
    world.settle()

    data = result_of(world)
    assert (data["outcome"], data["certainty"], data["attempts"]) == ("exhausted", "unknown", 3)
    assert (data["statusCode"], data["error"]["code"]) == (503, "ServerBusy")
    assert len(world.batch.calls) == 3
    (letter,) = world.stored_letters()
    assert json.loads(bytes(letter["body"]))["clientRequestId"] == body["clientRequestId"]


def test_giving_up_is_certain_when_nothing_can_have_happened() -> None:
    """An exhausted request is `confirmed` if all its tries certainly had no effect."""
    world = World(BATCH_MAX_ATTEMPTS="2")
    world.batch.script = [NO_TOKEN, refused(429, "TooManyRequests")]
    world.put_request()
    world.settle()
    assert (world.outcomes(), result_of(world)["certainty"]) == (["exhausted"], "confirmed")


@pytest.mark.parametrize(
    ("first", "outcome", "certainty"),
    [
        pytest.param(LOST, "deleted", "inferred", id="lost"),
        pytest.param(refused(500, "InternalError"), "deleted", "inferred", id="500"),
        pytest.param(NO_TOKEN, "notFound", "confirmed", id="no token"),
    ],
)
def test_what_an_absent_task_means_after_a_first_try(world: World, first: Reply, outcome: str, certainty: str) -> None:
    """A 404 is `deleted / inferred` after a try that may have worked, and `notFound` after one that was not sent."""
    world.batch.script = [first, NOT_FOUND]
    world.put_request()
    world.settle()
    assert (world.outcomes(), result_of(world)["certainty"]) == ([outcome], certainty)


def test_a_refused_identity_waits_a_minute(world: World) -> None:
    """After refused access, a request waits at least a minute before its next attempt."""
    world.batch.script = [refused(403, "Forbidden")]
    world.put_request()
    world.deliver()
    (message,) = world.messages()
    assert message.visible_at >= world.clock.now() + timedelta(seconds=60)


def test_a_permanent_answer_ends_the_request(world: World) -> None:
    """A permanent refusal fails the request with Batch's error, and leaves a dead letter."""
    world.batch.script = [refused(409, "TaskCompleted")]
    world.put_request()
    world.settle()
    assert (result_of(world)["outcome"], result_of(world)["error"]["code"]) == ("failed", "TaskCompleted")
    assert [letter["status_code"] for letter in world.stored_letters()] == [409]


# Not now, and not at all


def test_a_delayed_request_hops_over_the_longest_delay_of_a_queue(world: World) -> None:
    """A request delayed by ten days is carried out then, over several messages and with one attempt."""
    began = world.clock.now()
    sent_at = []
    world.batch.on_delete = lambda _: sent_at.append(world.clock.now())
    body = world.put_request(deleteAfter="P10D")
    world.deliver()
    assert column(world, body, "state") == "accepted"

    world.settle()

    (sent,) = sent_at
    assert timedelta(0) <= sent - began - timedelta(days=10) < timedelta(seconds=2)
    assert result_of(world)["attempts"] == 1


def test_a_past_instant_means_at_once(world: World) -> None:
    """A request whose `deleteAfter` is in the past is carried out at once."""
    world.put_request(deleteAfter="2020-01-01T00:00:00Z")
    world.deliver()
    assert world.outcomes() == ["deleted"]


def test_a_protected_job_is_left_alone() -> None:
    """A request for a protected job fails as `ProtectedJob`, without a DELETE."""
    world = World(PROTECTED_JOBS="job-*")
    world.put_request()
    world.settle()
    assert (result_of(world)["outcome"], result_of(world)["error"]["code"]) == ("failed", "ProtectedJob")
    assert world.batch.calls == []


@pytest.mark.parametrize("known", [False, True], ids=["never seen", "begun before"])
def test_a_message_that_comes_too_late_is_not_carried_out(world: World, known: bool) -> None:
    """A message that is processed more than 14 days late expires without a DELETE."""
    world.put_request()
    if known:
        world.batch.script = [refused(503, "ServerBusy")]
        world.deliver()
    world.clock.advance(timedelta(days=14, seconds=1).total_seconds())
    world.settle()

    assert world.outcomes() == ["expired"]
    assert len(world.batch.calls) == known


def test_a_dry_run_neither_uses_up_nor_replays_the_real_id(world: World) -> None:
    """A dry run and a real request may share an id; each has its own outcome and result id."""
    body = world.request()
    for dry_run in (True, False, True):
        world.put(body | {"dryRun": dry_run})
        world.settle()

    assert world.outcomes() == ["wouldDelete", "deleted", "wouldDelete"]
    assert len(world.batch.calls) == 1
    assert [r["data"]["replayed"] for r in world.results()] == [False, False, True]
    assert world.results()[0]["id"] == world.results()[2]["id"]


# Many in one message


def many(world: World, count: int) -> list[dict[str, Any]]:
    """Requests for different tasks."""
    return [world.request(taskId=f"task-{n}") for n in range(count)]


def test_many_requests_in_one_message_are_each_answered(world: World) -> None:
    """Each request of a message gets its own result, also if others are invalid, repeated or in conflict."""
    good = many(world, 20)
    world.put({"requests": [*good, good[0], good[1] | {"taskId": "other"}, {"jobId": "!"}]})
    world.settle()

    assert sorted(world.outcomes()) == ["conflict", *["deleted"] * 21, "rejected"]
    assert len({r["id"] for r in world.results()}) == 22
    assert len(world.batch.calls) == 20
    assert world.batch.tasks == set()
    rejected = next(r["data"] for r in world.results() if r["data"]["outcome"] == "rejected")
    assert "/requests/22/jobId" in {v["key"] for v in rejected["error"]["values"]}


def test_one_wish_for_many_tasks_derives_their_ids(world: World) -> None:
    """A `taskIds` message derives each task's request id from its own, and a repeat of it only replays."""
    parent = str(uuid.uuid4())
    many(world, 3)
    for _ in range(2):
        world.put({"clientRequestId": parent, "jobId": "Job-1", "taskIds": ["task-0", "task-1", "Task-2"]})
        world.settle()

    data = [r["data"] for r in world.results()]
    assert {d["clientRequestId"] for d in data} == {derived_id(parent, "job-1", f"task-{n}") for n in range(3)}
    assert {d["parentId"] for d in data} == {parent}
    assert [d["replayed"] for d in data] == [False] * 3 + [True] * 3
    assert len(world.batch.calls) == 3


def group(world: World, count: int) -> list[dict[str, Any]]:
    """Accepted requests that share one work message."""
    bodies: list[dict[str, Any]] = []
    while len(bodies) < count:
        guid = str(uuid.uuid4())
        if Key(guid).bucket == "a":
            bodies.append(world.request(clientRequestId=guid, taskId=f"task-{len(bodies)}"))
    world.put({"requests": bodies})
    world.deliver()
    return bodies


def test_rows_of_one_message_share_their_transactions(world: World) -> None:
    """Eight requests of one message cost two table operations, as one request would."""
    group(world, 8)
    before = world.records.operations

    world.deliver()

    assert world.outcomes() == ["deleted"] * 8
    assert world.records.operations - before == 2


@pytest.mark.parametrize("taken", [1, 3, 5])
def test_rows_that_others_took_leave_the_group(world: World, taken: int) -> None:
    """If other deliveries have taken some requests of a message, the rest is deleted and nothing twice."""
    bodies = group(world, 6)
    held = world.messages()[0]
    held.visible_at += timedelta(seconds=5)
    for body in bodies[:taken]:
        world.put(body)
        world.deliver()

    world.settle()

    assert len(world.batch.calls) == 6
    replayed = [r["data"]["clientRequestId"] for r in world.results() if r["data"]["replayed"]]
    assert sorted(replayed) == sorted(b["clientRequestId"] for b in bodies[:taken])
    assert len(world.results()) == 6 + taken


def test_rows_that_are_tried_again_travel_together(world: World) -> None:
    """Requests of a message that wait about as long for their retry share a message."""
    group(world, 6)
    world.batch.script = [refused(429, "TooManyRequests", seconds) for seconds in (20, 25, 30, 200, 210, 17)]
    world.deliver()

    waits = sorted((m.visible_at - world.clock.now()).total_seconds() for m in world.messages())
    assert waits == [30, 210]
    world.settle()
    assert world.outcomes() == ["deleted"] * 6


# Who may work


def test_a_delivery_that_waited_too_long_for_a_worker_claims_nothing(world: World) -> None:
    """A delivery that the host may soon repeat raises StaleDelivery before it claims anything."""
    world.put_request()
    (message,) = world.messages()
    message.dequeue_count = 1
    message.visible_at = world.clock.now() + timedelta(seconds=200)

    with pytest.raises(StaleDelivery):
        world.run("requests", message)

    assert world.records.rows == {}
    assert world.batch.calls == []


def test_a_delivery_that_was_superseded_raises(world: World) -> None:
    """A delivery whose message was delivered again raises, so that the host does not delete the live message."""
    world.put_request()
    (message,) = world.messages()

    def meanwhile() -> Reply:
        with pytest.raises(StaleDelivery):
            world.run("requests", replace(message, dequeue_count=1, visible_at=world.clock.now() + timedelta(hours=1)))
        return DELETED

    message.dequeue_count = 1
    world.batch.script = [meanwhile]
    world.deliver()
    assert world.outcomes() == ["deleted"]


def test_the_next_delivery_takes_over_at_once(world: World) -> None:
    """A redelivery of the message that holds the claim takes over without waiting for the lease."""
    world.put_request()

    def crash() -> Reply:
        raise RuntimeError("the process died")

    world.batch.script = [crash]
    with pytest.raises(RuntimeError):
        world.deliver()
    world.clock.advance(60)
    world.deliver()

    assert result_of(world)["attempts"] == 2


def test_no_delete_is_sent_after_the_time_for_it(world: World) -> None:
    """A worker that stalls for over 60 seconds after its claim sends no DELETE and releases the claim."""
    body = world.put_request()
    with disturbed(world, everywhere(after(lambda: world.clock.advance(61)), "row")):
        world.deliver()

    assert world.batch.calls == []
    assert column(world, body, "maybe_effect") is False
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_an_end_is_written_although_the_version_changed(world: World) -> None:
    """An outcome is recorded although the row's version has changed, as long as the claim is still the same."""
    world.clock.advance(0.000_321)
    world.put_request()
    with disturbed(world, at(1, before(world.records.touch), "row write")):
        world.deliver()
    assert world.outcomes() == ["deleted"]


def test_a_release_whose_answer_was_lost_is_known_again(world: World) -> None:
    """A release that the storage client wrote twice is recognised, and the request is requeued once."""
    world.put_request()
    world.batch.script = [refused(429, "TooManyRequests", 60)]
    with disturbed(world, at(1, Fault.IS_REPEATED, "row write")):
        world.deliver()

    assert len(world.messages()) == 1
    world.settle()
    assert (world.outcomes(), len(world.batch.calls)) == (["deleted"], 2)


def test_every_emission_tells_the_same_of_the_acceptance(world: World) -> None:
    """All results of a request state the same time of acceptance and origin."""
    body = world.request()
    world.post(body)
    world.queues["requests"].clear()
    world.clock.advance(60)
    world.post(body)
    world.put(body)
    world.settle()

    accepted_at = world.get(body["clientRequestId"]).content["acceptedAt"]
    assert {(r["data"]["acceptedAt"], r["data"]["origin"]) for r in world.results()} == {(accepted_at, "http")}


def test_a_redriven_request_remembers_what_was_sent_before(world: World) -> None:
    """A redriven request that finds no task is `deleted / inferred` if its earlier generation may have deleted it."""
    body = world.request()

    def refused_after_effect() -> Reply:
        world.batch.tasks.clear()
        return refused(501, "NotImplemented")

    world.batch.script = [refused_after_effect]
    world.put(body)
    world.settle()
    (letter,) = world.stored_letters()
    world.redrive(str(letter["id"]))
    world.queues["requests"].clear()
    world.post(body)
    world.settle()

    last = world.results()[-1]["data"]
    assert (last["outcome"], last["certainty"]) == ("deleted", "inferred")


def test_a_worker_whose_clock_is_behind_drops_no_retry() -> None:
    """A worker whose clock is two minutes behind carries out another worker's retry instead of dropping it."""
    order = Interleaving((0, -119, 0))
    order.world.put(order.world.request())
    order.world.batch.script = [refused(429, "TooManyRequests", 5)]
    order.deliver(worker=0)
    order.world.clock.advance(6)
    for _ in range(40):
        if order.world.results():
            break
        order.deliver(worker=1)
        order.world.clock.advance(5)
    assert order.world.outcomes() == ["deleted"]


@pytest.mark.parametrize("end", ["protected", "expired"])
def test_an_end_after_a_lost_answer_is_not_certain(end: str) -> None:
    """A request that expires or is protected after a lost reply is `unknown`: its task may be gone."""
    world = World()
    world.batch.script = [LOST]
    world.put_request()
    world.deliver()
    if end == "protected":
        world.app = replace_settings(world, PROTECTED_JOBS="job-*")
    else:
        world.clock.advance(20 * 86_400)
    world.settle()
    (result,) = world.results()
    assert (result["data"]["outcome"], result["data"]["certainty"]) == (
        "failed" if end == "protected" else "expired",
        "unknown",
    )


def test_an_account_that_is_no_longer_listed_ends_its_own_requests_alone() -> None:
    """Requests for an account that left the allow list fail; others in the same message are carried out."""
    former = "https://former.region.batch.azure.com"
    world = World(BATCH_ACCOUNT_URLS=f"{ACCOUNT},{former}")
    for n in range(6):
        account = {"batchUrl": former} if n == 0 else {}
        world.post(world.request(taskId=f"t-{n}", **account))
    world.app = replace_settings(world, BATCH_ACCOUNT_URLS=ACCOUNT)
    world.settle()
    ends = {r["data"]["taskId"]: r["data"] for r in world.results()}
    assert [ends[f"t-{n}"]["outcome"] for n in range(6)] == ["failed", *["deleted"] * 5]
    assert ends["t-0"]["error"]["code"] == "AccountNotAllowed"
    assert {c.task_id for c in world.batch.calls} == {f"t-{n}" for n in range(1, 6)}


def test_tries_that_this_app_had_no_time_for_use_up_no_attempts() -> None:
    """Tries that the app could not start in time use up no attempts."""
    world = World(BATCH_MAX_ATTEMPTS="2")
    own = Reply(Sent.HELD, error=ErrorBody("TooManyInFlight", "No time."))
    world.batch.script = [own] * 10
    world.put_request()
    world.settle()
    assert result_of(world)["outcome"] == "deleted"
    assert result_of(world)["attempts"] == 1


def test_an_account_beside_the_default() -> None:
    """A request for another listed account is carried out there, and its result names that account as source."""
    other = "https://other.region.batch.azure.com"
    world = World(BATCH_ACCOUNT_URLS=f"{ACCOUNT},{other}")
    world.put_request(batchUrl=other.upper().replace("HTTPS", "https") + "/")
    world.settle()
    assert [r["source"] for r in world.results()] == [other]
    assert [c.batch_url for c in world.batch.calls] == [other]


# One mark, and what each end is sure of


def test_a_refusal_before_an_absence_leaves_it_a_fact(world: World) -> None:
    """A 404 after a 429 is `notFound / confirmed`, because the refused try had no effect."""
    world.batch.script = [refused(429, "TooManyRequests"), NOT_FOUND]
    world.put_request()
    world.settle()
    assert (world.outcomes(), result_of(world)["certainty"]) == (["notFound"], "confirmed")


@pytest.mark.parametrize("last", [refused(400, "InvalidHeaderValue"), refused(412, "ConditionNotMet")])
def test_an_end_after_a_lost_reply_is_uncertain(world: World, last: Reply) -> None:
    """A refusal after a lost reply is `unknown`, because the earlier try may have deleted the task."""
    world.batch.script = [LOST, last]
    world.put_request()
    world.settle()
    assert result_of(world)["certainty"] == "unknown"


def test_a_redriven_request_that_is_cancelled_is_uncertain_after_a_possible_effect() -> None:
    """A redriven request that is cancelled is `unknown` if its earlier generation's reply was lost."""
    world = World(BATCH_MAX_ATTEMPTS="1")
    body = world.request()
    world.batch.script = [LOST]
    world.put(body)
    world.settle()
    (letter,) = world.stored_letters()
    world.redrive(str(letter["id"]))
    answer = world.cancel(body["clientRequestId"])
    data = answer.content["result"]["data"]
    assert (data["outcome"], data["certainty"]) == ("cancelled", "unknown")


def test_a_redriven_request_that_had_certainly_no_effect_is_not_there_for_certain(world: World) -> None:
    """A redriven request that finds no task is `notFound` if its first generation had no effect."""
    world.batch.script = [refused(409, "TaskCompleted"), NOT_FOUND]
    world.put_request()
    world.settle()
    (letter,) = world.stored_letters()
    world.redrive(str(letter["id"]))
    world.settle()
    last = world.results()[-1]["data"]
    assert (last["outcome"], last["certainty"]) == ("notFound", "confirmed")


# What is told


def test_the_result_of_a_request_that_ended_without_a_claim_is_no_replay_when_it_is_sent_late() -> None:
    """The late result of a vetoed request, sent by its own redelivery, is not marked as replayed."""
    world = World(PROTECTED_JOBS="job-*")
    world.put_request()
    with disturbed(world, at(0, Fault.FAILS, "send results")), pytest.raises(StorageUnavailable):
        world.deliver()
    world.settle()
    assert (result_of(world)["outcome"], result_of(world)["replayed"]) == ("failed", False)


def test_no_message_of_the_apps_own_form_makes_a_stranger_the_source_of_its_refusal(world: World) -> None:
    """A forged own message for an unlisted account fails, with a listed account as its result's source."""
    strange = world.request(batchUrl="https://strange.region.batch.azure.com")
    header = {"v": 1, "origin": "http", "parentId": None, "acceptedAt": "2026-11-24T07:00:00Z"}
    world.put({"work": {**header, "rows": [{"request": strange}]}})
    world.settle()
    (result,) = world.results()
    assert (result["source"], result["data"]["error"]["code"]) == (ACCOUNT, "AccountNotAllowed")
    assert result["data"]["batchUrl"] == strange["batchUrl"]
    assert world.batch.calls == []


# Rows beside each other


def in_bucket(count: int) -> list[str]:
    """Ids whose rows share a bucket."""
    return [guid for guid in (str(uuid.UUID(int=n)) for n in range(40 * count)) if Key(guid).bucket == "a"][:count]


def test_a_row_that_cannot_be_read_ends_its_request_alone(world: World) -> None:
    """A row that cannot be read ends its request as exhausted; the others of the message are deleted once."""
    ids = in_bucket(5)
    bodies = [world.request(clientRequestId=guid, taskId=f"t-{n}") for n, guid in enumerate(ids)]
    world.put({"requests": bodies})
    world.deliver()
    world.records.rows["a", ids[2]]["state"] = "?"
    world.records.touch()
    world.settle()

    ends = {r["data"]["clientRequestId"]: r["data"]["outcome"] for r in world.results()}
    assert ends == {guid: "exhausted" if guid == ids[2] else "deleted" for guid in ids}
    assert len(world.results()) == 5
    assert len(world.batch.calls) == 4
    result = world.get(ids[2]).content["result"]["data"]
    assert (result["error"]["code"], result["certainty"]) == ("CorruptRecord", "unknown")


def retried_group(world: World, count: int = 96) -> list[str]:
    """A message of so many requests that were each refused once and wait for their retry."""
    ids = in_bucket(count)
    bodies = [world.request(clientRequestId=guid, taskId=f"t-{n}") for n, guid in enumerate(ids)]
    world.put({"requests": bodies})
    world.deliver()
    world.batch.script = [refused(429, "TooManyRequests", 60)] * count
    world.deliver()
    assert len(world.messages()) == 1
    world.clock.advance(60)
    world.batch.calls.clear()
    return ids


def test_a_group_that_is_tried_again_is_claimed_without_a_read(world: World) -> None:
    """96 requests retried together cost one write to claim and one to record, without a read."""
    retried_group(world)
    before = world.records.operations
    world.deliver()
    assert world.records.operations - before == 2
    assert world.outcomes() == ["deleted"] * 96
    assert {result["data"]["attempts"] for result in world.results()} == {2}


def test_a_group_makes_progress_on_slow_storage(world: World) -> None:
    """On slow storage, a large group claims rows for half of its time, and deletes what it has claimed."""
    ids = retried_group(world)
    world.records.touch()
    with disturbed(world, everywhere(before(lambda: world.clock.advance(0.35)), "row")):
        world.deliver()
    assert len(world.batch.calls) >= 60
    world.settle()
    assert sorted(call.client_request_id for call in world.batch.calls) == sorted(ids)
    assert world.outcomes() == ["deleted"] * 96
    assert {result["data"]["attempts"] for result in world.results()} == {2}


def test_what_is_claimed_is_sent_although_storage_fails_at_the_rest(world: World) -> None:
    """If storage fails while a group is claimed, what is already claimed is carried out."""
    retried_group(world, 5)
    world.records.touch()
    # Refused as a group, then looked at; the group of those that held still is refused once more.
    ids = in_bucket(5)

    def touch(*numbers: int) -> None:
        for number in numbers:
            world.records.etags["a", ids[number]] += "x"

    plan = either(
        at(3, after(lambda: touch(0)), "row read"),
        at(4, after(lambda: touch(1, 2)), "row read"),
        at(7, Fault.FAILS, "row read"),
    )
    with disturbed(world, plan), pytest.raises(StorageUnavailable):
        world.deliver()
    sent = len(world.batch.calls)
    assert 0 < sent < 5
    world.settle()
    assert len(world.batch.calls) == 5
    assert world.outcomes() == ["deleted"] * 5


# Rows that are not there yet


def own_message(parent: str, *bodies: dict[str, Any], origin: str = "job-completion") -> dict[str, Any]:
    """A message of the app's own for requests that have no rows."""
    header = {"v": 1, "origin": origin, "parentId": parent, "acceptedAt": "2026-11-24T07:00:00Z"}
    return {"work": {**header, "rows": [{"request": body} for body in bodies]}}


def test_a_message_may_bring_requests_that_have_no_row_yet(world: World) -> None:
    """A clean-up's message may bring requests without rows: the claim inserts them, and their parent counts them."""
    parent = str(uuid.uuid4())
    bodies = [world.request(clientRequestId=guid, taskId=f"t-{n}") for n, guid in enumerate(in_bucket(3))]
    world.put(own_message(parent, *bodies))
    assert world.get(bodies[0]["clientRequestId"]).status == 404
    world.deliver()

    writes = 2  # transactions; the row of counts is remembered, or new
    asked = 1  # whether the clean-up was cancelled, once for the message
    assert world.records.operations - 1 == writes + asked
    assert {(r["data"]["origin"], r["data"]["parentId"]) for r in world.results()} == {("job-completion", parent)}
    assert {r["data"]["acceptedAt"] for r in world.results()} == {"2026-11-24T07:00:00.000Z"}
    counts = totals(world.records, parent, dry_run=False)
    assert (counts.requested, counts.done) == (3, {"deleted": 3})


def test_a_request_without_a_row_waits_for_its_time(world: World) -> None:
    """A request without a row whose message arrives early waits for its due time."""
    parent = str(uuid.uuid4())
    body = world.request(deleteAfter="P10D")
    began = world.clock.now()
    world.put(own_message(parent, body))
    world.settle()
    assert world.outcomes() == ["deleted"]
    assert world.clock.now() - began >= timedelta(days=9, hours=23)
    assert totals(world.records, parent, dry_run=False).requested == 1

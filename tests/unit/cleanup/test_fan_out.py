"""Cleaning up whole jobs: everything that a job-completion event leads to."""

from __future__ import annotations

import base64
import json
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import StaleDelivery, StorageUnavailable
from tests.chaos.faults import Fault, ProcessDied, at, before, disturbed, nothing
from tests.fakes.app import World
from tests.fakes.batch import LOST, refused
from tests.fakes.jobs import JOB, job_event

LISTED, DONE = "batch.job-cleanup.listed", "batch.job-cleanup.done"


def progress(world: World, event_id: str) -> dict[str, Any]:
    """The document of `GET /api/job-completions/{id}`."""
    answer = world.progress(event_id)
    assert answer.status == 200
    return answer.content  # type: ignore[no-any-return]


def test_one_event_deletes_every_completed_task_once(world: World) -> None:
    """One event lists all pages of its job, deletes each completed task once, and closes with their counts."""
    body = world.put_event()
    world.settle()

    assert sorted(c.task_id for c in world.batch.calls) == [f"t-{n:04d}" for n in range(25)]
    (closing,) = world.closings()
    assert closing["type"] == LISTED
    assert closing["id"] == str(uuid.uuid5(uuid.UUID(body["clientRequestId"]), "listed"))
    assert closing["subject"] == f"jobs/{JOB}"
    counts = {name: closing["data"][name] for name in ("jobState", "listed", "requested", "skipped")}
    assert counts == {"jobState": "completed", "listed": 25, "requested": 25, "skipped": 0}
    deletions = [r["data"] for r in world.results() if r["type"] not in {LISTED, DONE}]
    assert {(d["origin"], d["parentId"], d["outcome"]) for d in deletions} == {
        ("job-completion", body["clientRequestId"], "deleted")
    }
    assert len({d["taskId"] for d in deletions}) == len(deletions) == 25


def test_tasks_that_are_not_completed_are_never_asked_for(world: World) -> None:
    """A running task of the job is neither listed nor deleted."""
    world.batch.tasks.add((JOB, "running"))
    world.put_event()
    world.settle()
    assert (JOB, "running") in world.batch.tasks
    assert "running" not in {c.task_id for c in world.batch.calls}


def test_one_identity_in_three_envelopes_has_one_effect(world: World) -> None:
    """The same CloudEvent in JSON, base64 and a list has one effect: 25 DELETEs and one closing id."""
    cloud = {"specversion": "1.0", "id": "e-1", "source": "/batch/acct", "type": "Contoso.JobCompleted"}
    envelope = json.dumps(cloud | {"data": {"jobId": JOB}})
    encoded = base64.b64encode(envelope.encode()).decode()
    for text in (envelope, encoded, f"[{envelope}]", envelope, encoded):
        world.put(text, "job-completions")
    world.settle()
    assert len(world.batch.calls) == 25
    assert len({closing["id"] for closing in world.closings()}) == 1


def test_an_event_grid_event_has_its_topic_as_source(world: World) -> None:
    """An Event Grid event's id derives from its topic and id, as a CloudEvent's from source and id."""
    grid = {
        "id": "e-1",
        "topic": "/batch/acct",
        "subject": "s",
        "eventType": "Contoso.JobCompleted",
        "dataVersion": "1",
        "data": {"jobId": JOB},
    }
    world.put(grid, "job-completions")
    world.settle()
    assert world.closings()[0]["data"]["eventId"] == str(uuid.uuid5(uuid.NAMESPACE_URL, "/batch/acct|e-1"))


def test_the_same_id_with_another_wish_is_refused(world: World) -> None:
    """A second event with the id of the first and another selection is rejected, and nothing more is deleted."""
    body = world.put_event(select="failed")
    world.settle()
    world.put(body | {"select": "completed"}, "job-completions")
    world.settle()
    assert world.batch.calls == []
    assert world.closings()[-1]["data"]["error"]["code"] == "ClientRequestIdConflict"


def test_a_job_that_is_not_completed_is_waited_for(world: World) -> None:
    """While its job is not completed, an event polls at growing intervals; then it does its work."""
    world.batch.states[JOB] = "active"
    body = world.put_event()
    waits = []
    for _ in range(9):
        world.deliver("job-completions")
        (message,) = world.messages("job-completions")
        wait = message.visible_at - world.clock.now()
        waits.append(wait.total_seconds())
        world.clock.advance(wait.total_seconds())
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900, 900]
    assert progress(world, body["clientRequestId"])["state"] == "waiting"
    world.batch.states[JOB] = "completed"
    world.settle()
    assert len(world.batch.calls) == 25


def test_a_job_that_is_made_again_while_it_is_listed_is_waited_for(world: World) -> None:
    """The old job's next page would show tasks of the new one, which still works: it is listed when it is completed."""
    world.put_event()
    world.deliver("job-completions")
    world.batch.states[JOB] = "active"
    world.batch.completed = [replace(task, etag=f"{task.etag}F") for task in world.batch.completed]
    world.deliver_all("job-completions")
    world.deliver_all()
    assert (world.batch.effects, world.closings()) == (set(), [])

    world.batch.states[JOB] = "completed"
    world.settle()
    deletions = [r["data"] for r in world.results() if r["type"] not in {LISTED, DONE}]
    assert Counter(d["outcome"] for d in deletions) == {"preconditionFailed": 10, "deleted": 15}
    assert (world.closings()[0]["data"]["listed"], world.closings()[0]["data"]["requested"]) == (25, 25)


def test_a_job_that_goes_while_it_is_listed_ends_the_listing(world: World) -> None:
    """What was asked for before counts, whether or not its requests have rows by then."""
    world.put_event()
    world.deliver("job-completions")
    world.batch.states[JOB] = "deleting"
    world.deliver("job-completions")
    del world.batch.states[JOB]
    world.batch.tasks.clear()
    world.clock.advance(901)
    world.deliver_all("job-completions")
    closing = world.closings()[0]["data"]
    assert (closing["jobState"], closing["requested"]) == ("notFound", 10)


def test_a_job_that_is_never_completed_ends_the_event(world: World) -> None:
    """An event whose job is not completed after seven days ends as exhausted, with a dead letter."""
    world.batch.states[JOB] = "active"
    world.put_event()
    began = world.clock.now()
    world.settle(2_000)
    assert world.clock.now() - began == timedelta(days=7)
    (closing,) = world.closings()
    assert (closing["type"], closing["data"]["outcome"]) == (DONE, "exhausted")
    assert closing["data"]["error"]["code"] == "JobNotCompleted"
    (letter,) = world.dead_letters()
    assert (letter["reason"], letter["queue"]) == ("JobNotCompleted", "job-completions")
    assert world.batch.calls == []


def test_a_job_need_not_be_completed_when_the_event_says_so(world: World) -> None:
    """With `requireJobCompleted: false`, the completed tasks of an active job are deleted at once."""
    world.batch.states[JOB] = "active"
    world.put_event(requireJobCompleted=False)
    world.settle()
    assert len(world.batch.calls) == 25


def test_a_job_that_is_gone_closes_with_zeros(world: World) -> None:
    """The event of a deleted job closes as listed with zero tasks."""
    world.put_event(jobId="gone")
    world.settle()
    (closing,) = world.closings()
    assert closing["type"] == LISTED
    assert (closing["data"]["jobState"], closing["data"]["listed"]) == ("notFound", 0)


def test_a_link_that_leads_back_ends_the_event(world: World) -> None:
    """It would be followed for ever: the event fails, and a redrive lists the job from its beginning."""
    world.batch.next_link = "t-0009"
    world.put_event()
    world.settle()
    (closing,) = world.closings()
    assert (closing["data"]["outcome"], closing["data"]["error"]["code"]) == ("failed", "ContinuationLeadsBack")
    world.batch.next_link = None
    (letter,) = world.dead_letters()
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert (world.closings()[-1]["type"], world.batch.tasks) == (LISTED, set())


@pytest.mark.parametrize("reply", [LOST, refused(429, "TooManyRequests"), refused(503, "ServerBusy")])
def test_a_look_that_failed_is_tried_again(world: World, reply: Any) -> None:
    """If reading the job fails temporarily, the event retries, and each task is counted once."""
    world.batch.job_script = [reply, reply]
    world.put_event()
    world.settle()
    assert len(world.batch.calls) == 25
    assert world.closings()[0]["data"]["listed"] == 25


@pytest.mark.parametrize("reply", [LOST, refused(429, "TooManyRequests"), refused(503, "ServerBusy")])
def test_a_page_that_failed_is_listed_again(world: World, reply: Any) -> None:
    """If listing a page fails temporarily, it is listed again, and its tasks are counted once."""
    world.put_event()
    world.deliver("job-completions")
    world.batch.job_script = [reply, reply]
    world.settle()
    assert world.batch.job_script == []
    assert len(world.batch.calls) == 25
    assert world.closings()[0]["data"]["listed"] == 25


def lose_next_step(world: World) -> None:
    """The next delivery does its step, and dies before the message of the following step is sent."""
    with disturbed(world, at(0, Fault.FAILS, "send job-completions")), pytest.raises(StorageUnavailable):
        world.deliver("job-completions")
    world.clock.advance(61)


@pytest.mark.parametrize("reply", [None, refused(503, "ServerBusy")])
def test_a_first_look_whose_successor_was_lost_leaves_no_page_out(world: World, reply: Any) -> None:
    """If the message after an event's first look is lost, the redelivery still lists every page."""
    world.batch.states[JOB] = "completed" if reply else "active"
    world.batch.job_script = [reply] if reply else []
    world.put_event()
    lose_next_step(world)
    world.batch.states[JOB] = "completed"
    world.settle()
    assert len(world.batch.calls) == 25
    assert world.closings()[0]["data"]["listed"] == 25


@pytest.mark.parametrize("noted", [False, True])
@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_page_that_failed_and_lost_its_successor_is_counted_once(world: World, page: int, noted: bool) -> None:
    """A page is counted once, whether its step failed before the page was recorded or died afterwards."""
    world.batch.seed(JOB, 10, exit_code=1)
    world.put_event(select="failed")
    for _ in range(page):
        world.deliver("job-completions")
    if noted:
        lose_next_step(world)
    world.batch.job_script = [refused(503, "ServerBusy")]
    lose_next_step(world)
    world.settle()
    closing = world.closings()[-1]["data"]
    assert (closing["listed"], closing["requested"], closing["skipped"]) == (35, 10, 25)


@pytest.mark.parametrize(
    "reply", [refused(401, "InvalidAuthenticationInfo"), refused(400, "InvalidAuthenticationInfo"), refused(403, "X")]
)
def test_refused_access_is_told_and_tried_again(world: World, caplog: pytest.LogCaptureFixture, reply: Any) -> None:
    """Refused access while reading a job is logged as `batch_access_refused` and retried."""
    body = job_event()
    world.batch.job_script = [reply]
    world.put(body, "job-completions")
    world.settle()
    (line,) = (r.getMessage() for r in caplog.records if r.getMessage().startswith("batch_access_refused "))
    assert f"account=https://acct.region.batch.azure.com request_id={body['clientRequestId']} " in line
    assert len(world.batch.calls) == 25


def test_trouble_without_end_exhausts_the_event(world: World) -> None:
    """If Batch keeps failing, the event ends as exhausted with Batch's error."""
    world.batch.job_script = [refused(500, "InternalError")] * 12
    world.put_event()
    world.settle()
    (closing,) = world.closings()
    assert (closing["data"]["outcome"], closing["data"]["error"]["code"]) == ("exhausted", "InternalError")


def test_a_refusal_that_will_not_pass_fails_the_event(world: World) -> None:
    """A permanent refusal by Batch, such as a 400, fails the event at once."""
    world.batch.job_script = [refused(400, "InvalidQueryParameterValue")]
    world.put_event()
    world.settle()
    assert world.closings()[0]["data"]["outcome"] == "failed"


def test_a_protected_job_is_left_alone() -> None:
    """The event of a protected job fails as `ProtectedJob`, and nothing is listed or deleted."""
    world = World(PROTECTED_JOBS="render-*")
    world.batch.seed(JOB, 3)
    world.put_event()
    world.settle()
    assert world.closings()[0]["data"]["error"]["code"] == "ProtectedJob"
    assert world.batch.calls == []


def test_what_is_no_event_is_rejected_at_once(world: World) -> None:
    """An invalid event is rejected with pointers, and a dead letter keeps its text as received."""
    world.put({"jobId": "..", "selct": "failed"}, "job-completions")
    world.settle()
    (closing,) = world.closings()
    assert closing["data"]["outcome"] == "rejected"
    assert {v["key"] for v in closing["data"]["error"]["values"]} == {"/clientRequestId", "/jobId", "/selct"}
    (letter,) = world.dead_letters()
    body = world.dead_letter(letter["id"]).content["body"]
    assert json.loads(body) == {"jobId": "..", "selct": "failed"}


def test_a_diagnostic_record_deletes_its_one_task(world: World) -> None:
    """A diagnostic record about one task deletes that task alone, also when it comes twice."""
    record = {
        "time": "2026-11-24T08:00:01Z",
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.BATCH/BATCHACCOUNTS/ACCT",
        "operationName": "TaskCompleteEvent",
        "properties": {"jobId": JOB, "id": "t-0003"},
    }
    world.put(record, "job-completions")
    world.put(record, "job-completions")
    world.settle()
    assert [c.task_id for c in world.batch.calls] == ["t-0003"]


def test_a_record_whose_id_stands_for_another_request_is_a_conflict(world: World) -> None:
    """If a record's derived id belongs to another request, HTTP answers 422 without that request's document."""
    record = {
        "time": "2026-11-24T08:00:01Z",
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.BATCH/BATCHACCOUNTS/ACCT",
        "operationName": "TaskCompleteEvent",
        "properties": {"jobId": JOB, "id": "t-0003"},
    }
    first = world.post_event(record)
    body = world.request(jobId="other", taskId="t-1", clientRequestId=first.content["clientRequestId"])
    world.records.rows.clear()
    world.records.etags.clear()
    world.post(body)

    answer = world.post_event(record)

    assert (answer.status, answer.content["code"]) == (422, "ClientRequestIdConflict")


def test_a_record_of_an_unknown_account_deletes_nothing(world: World) -> None:
    """A diagnostic record of an account outside the allow list is rejected and deletes nothing."""
    record = {
        "time": "2026-11-24T08:00:01Z",
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.BATCH/BATCHACCOUNTS/OTHER",
        "operationName": "TaskCompleteEvent",
        "properties": {"jobId": JOB, "id": "t-0003"},
    }
    world.put(record, "job-completions")
    world.settle()
    assert world.batch.calls == []
    assert world.closings()[0]["data"]["outcome"] == "rejected"


@pytest.mark.parametrize("fault", [Fault.DIES_BEFORE, Fault.DIES_AFTER])
@pytest.mark.parametrize("number", [*range(9), 11, 15, 22, 33, 47])
def test_a_crash_at_any_point_changes_nothing(world: World, fault: Fault, number: int) -> None:
    """Whichever storage operation crashes a clean-up, each task ends deleted and all counts are exact."""
    body = world.put_event()
    with disturbed(world, at(number, fault, "row", "send")):
        world.settle(300, withstand=(ProcessDied,))
    deletions = [r for r in world.results() if r["type"] not in {LISTED, DONE}]
    assert {r["data"]["taskId"] for r in deletions} == {f"t-{n:04d}" for n in range(25)}
    assert {r["data"]["outcome"] for r in deletions} == {"deleted"}
    assert {(c["data"]["listed"], c["data"]["requested"]) for c in world.closings()} == {(25, 25)}
    assert progress(world, body["clientRequestId"])["done"] == {"deleted": 25}


def test_retention_holds_over_more_than_a_queues_seven_days(world: World) -> None:
    """A task due in twenty days is deleted then and not earlier, over messages hidden for at most seven days."""
    world.put_event(deleteAfter="P20D")
    began = world.clock.now()
    world.deliver("job-completions")
    hops = []
    while world.batch.calls == []:
        message = min(
            (m for q in ("requests", "job-completions") for m in world.messages(q)), key=lambda m: m.visible_at
        )
        hops.append((message.visible_at - world.clock.now()).total_seconds())
        world.clock.advance(max(0.0, hops[-1]))
        if not world.deliver("job-completions"):
            world.deliver()
    assert max(hops) <= 7 * 86_400
    # The tasks ended half an hour before the event.
    assert timedelta(days=20) - timedelta(hours=1) <= world.clock.now() - began <= timedelta(days=20)


@pytest.mark.parametrize("fields", [{}, {"deleteAfter": "P7D"}])
def test_a_task_that_was_reactivated_meanwhile_is_not_deleted(world: World, fields: dict[str, str]) -> None:
    """A task that runs again after it was listed is kept: its deletion ends as preconditionFailed."""
    world.put_event(**fields)
    while world.deliver("job-completions"):
        pass
    world.batch.completed[3] = replace(world.batch.completed[3], etag="0x8DFFFF")
    world.settle(500)
    deletions = [r["data"] for r in world.results() if r["type"] not in {LISTED, DONE}]
    assert [d["taskId"] for d in deletions if d["outcome"] == "preconditionFailed"] == ["t-0003"]
    assert sum(d["outcome"] == "deleted" for d in deletions) == 24
    assert (JOB, "t-0003") in world.batch.tasks


def test_a_task_listed_without_a_version_is_skipped(world: World) -> None:
    """A task listed without an ETag is skipped, since nothing would protect it if it ran again."""
    world.batch.completed[3] = replace(world.batch.completed[3], etag=None)
    world.put_event()
    world.settle()
    closing = world.closings()[0]["data"]
    assert (closing["listed"], closing["requested"], closing["skipped"]) == (25, 24, 1)
    assert (JOB, "t-0003") in world.batch.tasks


def test_tasks_that_end_one_after_another_share_messages(world: World) -> None:
    """The tasks of a page share one message per bucket and rounded due time."""
    world.batch.page_size = 1_000
    world.batch.completed = [
        replace(task, end_time=f"2026-11-24T07:00:{number:02d}Z")
        for number, task in enumerate(world.batch.completed, start=1)
    ]
    world.put_event(deleteAfter="PT1H")
    world.deliver("job-completions")
    assert len(world.messages()) <= 16
    assert {message.visible_at.isoformat() for message in world.messages()} == {"2026-11-24T08:01:00+00:00"}


def test_a_page_that_is_listed_again_conflicts_with_nothing(world: World) -> None:
    """A page that is listed again makes the same requests, also if their deletion has become due."""
    world.put_event(deleteAfter="PT31M")
    lose_next_step(world)
    lose_next_step(world)
    world.settle(500)
    deletions = [r["data"] for r in world.results() if r["type"] not in {LISTED, DONE}]
    assert {(d["taskId"], d["outcome"]) for d in deletions} == {(f"t-{n:04d}", "deleted") for n in range(25)}
    assert len(world.batch.calls) == 25


def test_a_clean_up_that_the_host_gave_up_is_ended(world: World) -> None:
    """A clean-up whose message is poison ends as exhausted, and a redrive lists its job from the start."""
    body = job_event()
    world.put(body, "job-completions-poison")
    world.settle()
    (closing,) = world.closings()
    assert (closing["data"]["outcome"], closing["data"]["error"]["code"]) == ("exhausted", "DeliveriesExhausted")
    (letter,) = world.dead_letters()
    assert world.redrive(letter["id"]).status == 202
    assert world.redrive(letter["id"]).status == 409
    world.settle()
    assert len(world.batch.calls) == 25
    assert len({c["id"] for c in world.closings()}) == 2


def test_a_late_copy_of_a_step_that_went_on_is_dropped(world: World) -> None:
    """A late copy of a step that another message has done is dropped."""
    body = world.put_event()
    world.deliver("job-completions")
    world.put(body, "job-completions")
    world.settle()
    assert world.closings()[0]["data"]["listed"] == 25
    assert len(world.closings()) == 1


def test_two_events_at_once_do_not_disturb_each_other(world: World) -> None:
    """Of two simultaneous deliveries of one event, one is dropped without an error and the job is listed once."""
    body = world.put_event()
    world.put(body, "job-completions")
    other = world.messages("job-completions")[1]
    with disturbed(world, at(0, before(lambda: world.deliver("job-completions", message=other)), "batch job")):
        assert world.deliver("job-completions")
    world.settle()
    assert world.closings()[0]["data"]["listed"] == 25
    assert len(world.batch.calls) == 25


def test_two_deliveries_of_one_step_do_not_both_count(world: World) -> None:
    """A delivery overtaken by a redelivery of its message raises, and the job is still counted once."""
    world.put_event()
    (message,) = world.messages("job-completions")

    def again() -> None:
        message.dequeue_count += 1
        world.run("job-completions", message)

    with disturbed(world, at(0, before(again), "batch job")), pytest.raises(StaleDelivery):
        world.deliver("job-completions")
    world.settle()
    assert world.closings()[0]["data"]["listed"] == 25


# Over HTTP


def test_an_event_over_http_is_accepted_and_shows_its_progress(world: World) -> None:
    """An event over HTTP is answered with 202 and its location, whose document shows the growing counts."""
    body = job_event()
    answer = world.post_event(body)
    assert (answer.status, answer.headers["location"]) == (202, f"/api/job-completions/{body['clientRequestId']}")
    assert progress(world, body["clientRequestId"])["state"] == "waiting"
    world.settle()
    assert progress(world, body["clientRequestId"]) == {
        "eventId": body["clientRequestId"],
        "jobId": JOB,
        "batchUrl": "https://acct.region.batch.azure.com",
        "state": "listed",
        "listed": 25,
        "requested": 25,
        "skipped": 0,
        "done": {"deleted": 25},
        "open": 0,
        "jobState": "completed",
    }


def test_progress_costs_the_same_however_many_tasks_there_are(world: World) -> None:
    """Reading a clean-up's progress costs 17 table operations, however many tasks it has."""
    body = job_event()
    world.post_event(body)
    world.settle()
    before = world.records.operations
    progress(world, body["clientRequestId"])
    assert world.records.operations - before == 17


def test_a_large_job_costs_at_most_half_a_table_and_half_a_queue_operation_per_task() -> None:
    """A clean-up of 2,000 tasks costs at most half a table and half an input-queue operation per task."""
    world = World()
    world.batch.seed(JOB, 2_000)
    world.put_event()
    with disturbed(world, nothing) as injector:
        world.settle(1_000)
    assert len(world.batch.calls) == 2_000
    done = Counter(injector.names)
    on_input = done["send requests"] + done["send job-completions"] + 2 * done["host removes"]  # it was got before
    assert 0 < on_input <= 1_000
    assert 0 < world.records.operations <= 1_000


def test_http_tells_at_once_what_the_queue_would_tell_later(world: World) -> None:
    """HTTP answers 400 for an invalid event, 415 for another type, 422 for a conflict and 404 for an unknown id."""
    body = job_event()
    assert world.post_event({"jobId": ".."}).status == 400
    assert world.post_event(body, **{"content-type": "text/plain"}).status == 415
    assert world.post_event(body).status == 202
    assert world.post_event(body).status == 202
    assert world.post_event(body | {"select": "failed"}).status == 422
    assert world.progress(str(uuid.uuid4())).status == 404
    assert world.progress("x").status == 400


def test_a_protected_job_is_refused_over_http() -> None:
    """An event for a protected job is refused over HTTP with 403, and nothing is stored."""
    world = World(PROTECTED_JOBS="render-7")
    assert world.post_event(job_event()).status == 403
    assert world.records.rows == {}


def test_event_grid_validates_its_subscription(world: World) -> None:
    """Event Grid's subscription validation is answered with its code."""
    body = [
        {
            "id": "1",
            "topic": "t",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": "512d38b6"},
        }
    ]
    answer = world.post_event(body)
    assert (answer.status, answer.content) == (200, {"validationResponse": "512d38b6"})


def test_a_dry_run_of_an_event_deletes_nothing_and_leaves_its_id_free(world: World) -> None:
    """A dry run of an event answers `wouldDelete` for each task, and the real event can use the same id."""
    body = job_event()
    world.put(body | {"dryRun": True}, "job-completions")
    world.settle()
    assert world.batch.calls == []
    assert {r["data"]["outcome"] for r in world.results() if r["type"] not in {LISTED, DONE}} == {"wouldDelete"}
    world.put(body, "job-completions")
    world.settle()
    assert len(world.batch.calls) == 25
    assert len({c["id"] for c in world.closings()}) == 2
    assert [c["data"].get("dryRun") for c in world.closings()] == [True, None]
    marks = [r["data"].get("dryRun") for r in world.results() if r["type"] not in {LISTED, DONE}]
    assert marks == [True] * 25 + [None] * 25

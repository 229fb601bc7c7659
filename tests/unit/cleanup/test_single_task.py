"""Diagnostic records about one task: the task is read first, and deleted only if completed and unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import StorageUnavailable
from tests.chaos.faults import Fault, ProcessDied, at, disturbed
from tests.fakes.app import World
from tests.fakes.batch import LOST, refused
from tests.fakes.jobs import JOB, RECORD

QUEUE, POISON = "job-completions", "job-completions-poison"


def test_a_completed_task_is_deleted_as_it_was_read(world: World) -> None:
    """A record's completed task is deleted with the ETag that was read as condition."""
    world.put(RECORD, QUEUE)
    world.settle()
    assert [(c.task_id, c.if_match) for c in world.batch.calls] == [("t-0003", "0x8D3")]
    assert world.outcomes() == ["deleted"]


def test_a_task_that_is_reactivated_after_the_look_is_kept(world: World) -> None:
    """A task that runs again after it was read is kept, and the request ends as preconditionFailed."""
    world.put(RECORD, QUEUE)
    world.deliver(QUEUE)
    world.batch.completed[3] = replace(world.batch.completed[3], etag="0x8DFFFF")
    world.settle()
    assert world.outcomes() == ["preconditionFailed"]
    assert (JOB, "t-0003") in world.batch.tasks


def test_a_task_that_runs_again_is_left_alone(world: World) -> None:
    """If the task is not completed when read, the request fails without a DELETE, with a dead letter."""
    del world.batch.completed[3]
    world.put(RECORD, QUEUE)
    world.settle()
    assert world.batch.calls == []
    (result,) = world.results()
    assert (result["data"]["outcome"], result["data"]["error"]["code"]) == ("failed", "TaskNotCompleted")
    assert (result["data"]["taskId"], result["data"]["certainty"]) == ("t-0003", "confirmed")
    (letter,) = world.dead_letters()
    assert (letter["reason"], letter["queue"]) == ("TaskNotCompleted", QUEUE)


def test_a_task_whose_version_is_not_told_is_left_alone(world: World) -> None:
    """If the task is read without an ETag, no DELETE is sent and the request fails as `TaskVersionUnknown`."""
    world.batch.completed[3] = replace(world.batch.completed[3], etag=None)
    world.put(RECORD, QUEUE)
    world.settle()
    assert world.batch.calls == []
    assert world.results()[0]["data"]["error"]["code"] == "TaskVersionUnknown"


def test_a_task_that_is_gone_is_not_asked_for(world: World) -> None:
    """If the task is gone when read, the request ends as notFound without a DELETE."""
    world.batch.tasks.discard((JOB, "t-0003"))
    world.put(RECORD, QUEUE)
    world.settle()
    assert world.batch.calls == []
    assert world.outcomes() == ["notFound"]


def test_a_redrive_reads_the_task_again(world: World) -> None:
    """A redrive reads the task again and deletes its current version, with a new result."""
    kept = world.batch.completed.pop(3)
    world.put(RECORD, QUEUE)
    world.settle()
    (letter,) = world.dead_letters()
    world.batch.completed.insert(3, replace(kept, etag="0x8DAAAA"))
    assert world.redrive(letter["id"]).status == 202
    assert world.redrive(letter["id"]).status == 409
    world.settle()
    assert [c.if_match for c in world.batch.calls] == ["0x8DAAAA"]
    assert world.outcomes() == ["failed", "deleted"]
    assert len({result["id"] for result in world.results()}) == 2


def test_a_redrive_of_a_task_that_still_runs_fails_again(world: World) -> None:
    """A redrive for a task that still runs fails again, with a dead letter of its own."""
    del world.batch.completed[3]
    world.put(RECORD, QUEUE)
    world.settle()
    assert world.redrive(world.dead_letters()[0]["id"]).status == 202
    world.settle()
    assert world.batch.calls == []
    assert world.outcomes() == ["failed", "failed"]
    assert len({result["id"] for result in world.results()}) == 2
    assert len(world.dead_letters()) == 2


@pytest.mark.parametrize(
    "reply", [LOST, refused(429, "TooManyRequests"), refused(503, "ServerBusy"), refused(403, "X")]
)
def test_a_look_that_failed_is_tried_again(world: World, reply: Any) -> None:
    """If reading the task fails temporarily, it is retried, and the task is deleted in the end."""
    world.batch.job_script = [reply, reply]
    world.put(RECORD, QUEUE)
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_trouble_without_end_exhausts_the_request(world: World) -> None:
    """If reading the task keeps failing, the request ends as exhausted with Batch's error."""
    world.batch.job_script = [refused(500, "InternalError")] * 12
    world.put(RECORD, QUEUE)
    world.settle()
    (result,) = world.results()
    assert (result["data"]["outcome"], result["data"]["certainty"]) == ("exhausted", "confirmed")
    assert result["data"]["error"]["code"] == "InternalError"


def test_a_refusal_that_will_not_pass_fails_the_request(world: World) -> None:
    """A permanent refusal to read the task, such as a 400, fails the request at once."""
    world.batch.job_script = [refused(400, "InvalidQueryParameterValue")]
    world.put(RECORD, QUEUE)
    world.settle()
    assert world.outcomes() == ["failed"]


def test_a_record_that_comes_twice_has_one_effect(world: World) -> None:
    """A record that comes twice deletes once, even if the task was created again in between."""
    world.put(RECORD, QUEUE)
    world.settle()
    world.batch.tasks.add((JOB, "t-0003"))
    world.batch.completed[3] = replace(world.batch.completed[3], etag="0x8DBBBB")
    world.put(RECORD, QUEUE)
    world.settle()
    assert len(world.batch.calls) == 1
    assert world.outcomes() == ["deleted"]


def test_an_id_that_is_another_requests_is_a_conflict(world: World) -> None:
    """If a record's derived id belongs to another request, HTTP answers 422 and the queue gets a conflict result."""
    answer = world.post_event(RECORD)
    request_id = answer.content["clientRequestId"]
    world.queues.clear()
    world.put_request(clientRequestId=request_id, jobId="other")
    world.settle()
    refusal = world.post_event(RECORD)
    assert (refusal.status, refusal.content["code"]) == (422, "ClientRequestIdConflict")
    world.put(RECORD, QUEUE)
    world.settle()
    assert world.outcomes() == ["deleted", "conflict"]


def test_a_record_that_the_host_gave_up_ends_its_request(world: World) -> None:
    """A record whose message is poison ends its request as exhausted, and a redrive deletes the task."""
    world.put(RECORD, POISON)
    world.settle()
    assert world.batch.calls == []
    assert world.outcomes() == ["exhausted"]
    assert world.redrive(world.dead_letters()[0]["id"]).status == 202
    world.settle()
    assert world.outcomes() == ["exhausted", "deleted"]


def test_a_copy_of_a_record_that_was_carried_out_ends_nothing(world: World) -> None:
    """A poison copy of a record that was carried out changes nothing."""
    world.put(RECORD, QUEUE)
    world.settle()
    world.put(RECORD, POISON)
    world.settle()
    assert world.outcomes() == ["deleted"]


@pytest.mark.parametrize("completed", [True, False])
@pytest.mark.parametrize("fault", [Fault.DIES_BEFORE, Fault.DIES_AFTER])
@pytest.mark.parametrize("number", range(8))
def test_a_crash_at_any_point_changes_nothing(world: World, completed: bool, fault: Fault, number: int) -> None:
    """Whichever storage operation crashes, a record's request has one outcome and one result id."""
    if not completed:
        del world.batch.completed[3]
    world.put(RECORD, QUEUE)
    with disturbed(world, at(number, fault)):
        world.settle(300, withstand=(ProcessDied,))
    assert {result["data"]["outcome"] for result in world.results()} == {"deleted" if completed else "failed"}
    assert len({result["id"] for result in world.results()}) == 1


def test_a_record_over_http_is_a_request_for_its_task(world: World) -> None:
    """A record over HTTP is answered with 202 and the status document of the deletion, which then happens."""
    answer = world.post_event(RECORD)
    assert answer.status == 202
    assert (answer.content["taskId"], answer.content["state"]) == ("t-0003", "accepted")
    assert answer.headers["location"] == f"/api/task-deletions/{answer.content['clientRequestId']}"
    world.settle()
    assert [c.task_id for c in world.batch.calls] == ["t-0003"]
    again = world.post_event(RECORD)
    assert (again.status, again.content["state"]) == (202, "done")


def test_a_repeat_puts_what_is_open_again(world: World) -> None:
    """If the request's message was lost, a repeat of the record sends it again, over HTTP or the queue."""
    world.post_event(RECORD)
    world.deliver(QUEUE)
    world.queues["requests"].clear()
    assert world.post_event(RECORD).content["state"] == "accepted"
    assert len(world.messages()) == 1
    world.queues["requests"].clear()
    world.put(RECORD, QUEUE)
    world.settle()
    assert [c.task_id for c in world.batch.calls] == ["t-0003"]
    assert world.outcomes() == ["deleted"]


def test_a_record_about_a_protected_job_is_refused() -> None:
    """A record about a protected job is refused with 403; from the queue, its request fails without any read."""
    world = World(PROTECTED_JOBS=JOB)
    answer = world.post_event(RECORD)
    assert (answer.status, answer.content["code"]) == (403, "ProtectedJob")
    assert world.records.rows == {}
    world.batch.job_script = [refused(400, "MustNotBeAsked")]
    world.put(RECORD, QUEUE)
    world.settle()
    assert world.results()[0]["data"]["error"]["code"] == "ProtectedJob"
    assert len(world.batch.job_script) == 1


def test_a_record_that_fits_two_accounts_deletes_in_neither() -> None:
    """A record without a region is rejected if two accounts have its name; with a region it is carried out."""
    accounts = "https://acct.region.batch.azure.com,https://acct.other.batch.azure.com"
    world = World(BATCH_ACCOUNT_URLS=accounts)
    world.batch.seed(JOB, 5)
    world.put(RECORD, QUEUE)
    world.settle()
    assert world.batch.calls == []
    assert world.results()[0]["data"]["outcome"] == "rejected"
    world.put(RECORD | {"location": "Other"}, QUEUE)
    world.settle()
    assert [c.batch_url for c in world.batch.calls] == ["https://acct.other.batch.azure.com"]


def test_a_look_that_storage_cuts_off_is_redelivered(world: World) -> None:
    """If storage fails before the outcome is recorded, nothing is published and the message is delivered again."""
    del world.batch.completed[3]
    world.put(RECORD, QUEUE)
    with disturbed(world, at(1, Fault.FAILS, "row")), pytest.raises(StorageUnavailable):
        world.deliver(QUEUE)
    assert world.results() == []

"""How clean-ups end when the host gives up their message, and how they are redriven."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.cleanup.queue import CleanupQueue
from shared.cleanup.redrive import CleanupRedrive
from shared.cleanup.store import CleanupStore
from shared.clock import to_text
from shared.errors import InvalidInput, StorageUnavailable
from shared.ledger.pauses import Pauses
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_rows import partition_of
from tests.chaos.faults import Fault, ProcessDied, at, before, contended, disturbed
from tests.chaos.recovery import call_until_answered
from tests.fakes.app import ACCOUNT, World
from tests.fakes.batch import refused
from tests.fakes.jobs import JOB, RECORD, job_event

POISON = "job-completions-poison"
OTHER = "https://other.region.batch.azure.com"


def ends(world: World) -> list[str | None]:
    """The outcomes in the closing events, in order; `listed` for a complete listing."""
    closing = [r for r in world.results() if r["type"].startswith("batch.job-cleanup.")]
    return [r["data"].get("outcome", "listed") for r in closing]


def fail(world: World, body: dict[str, Any] | None = None) -> str:
    """Makes an event fail for good at Batch; returns the id of its dead letter."""
    world.batch.job_script = [refused(400, "InvalidQueryParameterValue")]
    world.put(body or job_event(), "job-completions")
    world.settle()
    (letter,) = world.dead_letters()
    return str(letter["id"])


def lose_return(world: World) -> None:
    """Lets the host die before it removes the message of its next finished delivery."""
    with disturbed(world, at(0, Fault.DIES_BEFORE, "host removes")), pytest.raises(ProcessDied):
        world.deliver("job-completions")
    world.clock.advance(601)


# Delivered again after the end


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        (refused(400, "InvalidQueryParameterValue"), None, "completed"),
        (None, refused(400, "InvalidQueryParameterValue"), "completed"),
        (None, None, "active"),
    ],
)
def test_the_message_that_ended_a_clean_up_only_closes_it_again(before: Any, after: Any, state: str) -> None:
    """If the message that ended a clean-up is delivered again, it repeats the closing event and lists nothing."""
    world = World(JOB_COMPLETION_MAX_WAIT_DAYS="0")
    world.batch.seed(JOB, 5, state=state)
    world.batch.job_script = [before] if before else []
    world.put_event()
    lose_return(world)
    world.batch.job_script = [after] if after else []
    world.batch.states[JOB] = "completed"
    world.settle()
    closing = [r for r in world.results() if r["type"].startswith("batch.job-cleanup.")]
    assert len(closing) == 2
    assert closing[0] == closing[1]
    assert len(world.batch.calls) == (5 if ends(world)[0] == "listed" else 0)


# Refused


def closing_ids(world: World) -> list[str]:
    """The ids of the closing events, in order."""
    return [r["id"] for r in world.results() if r["type"].startswith("batch.job-cleanup.")]


@pytest.mark.parametrize("fields", [{"slect": "failed"}, {"select": "failed"}])
@pytest.mark.parametrize("first", [True, False])
def test_a_refused_message_hides_no_failure_of_the_event_whose_id_it_has(
    world: World, fields: dict[str, str], first: bool
) -> None:
    """An invalid or conflicting message with a failed event's id has a result and dead letter apart from it."""
    body = job_event()
    if first and "slect" in fields:
        world.put(body | fields, "job-completions")
        world.settle()
    world.batch.job_script = [refused(400, "InvalidQueryParameterValue")]
    world.put(body, "job-completions")
    world.settle()
    world.put(body | fields, "job-completions")
    world.put(body | fields, POISON)
    world.settle()
    assert set(ends(world)) == {"failed", "rejected"}
    assert len(set(closing_ids(world))) == 2
    letters = {letter["outcome"]: letter for letter in world.dead_letters()}
    assert set(letters) == {"failed", "rejected"}
    assert {letter["clientRequestId"] for letter in letters.values()} == {body["clientRequestId"]}
    assert world.redrive(letters["rejected"]["id"]).status == 422
    assert world.redrive(letters["failed"]["id"]).status == 202


def test_two_messages_without_an_id_are_told_apart_by_their_text(world: World) -> None:
    """Invalid messages without ids differ by their bodies, while a copy has the same result id."""
    for text in ("1", "2", "1"):
        world.put(text, "job-completions")
        world.settle()
    assert len(closing_ids(world)) == 3
    assert len(set(closing_ids(world))) == 2


@pytest.mark.parametrize("queue", ["job-completions", POISON])
def test_a_clean_up_whose_account_was_taken_off_the_list_is_ended(queue: str) -> None:
    """The next step of a clean-up whose account left the allow list ends it without a call to that account."""
    world = World(BATCH_ACCOUNT_URLS=f"{ACCOUNT},{OTHER}")
    world.batch.seed(JOB, 5, state="active")
    body = world.put_event(batchUrl=OTHER)
    world.deliver("job-completions")
    world.queues[queue] = world.queues.pop("job-completions")
    world.settings = replace(world.settings, batch_accounts=(ACCOUNT,))
    world.app = world.worker()
    world.batch.states[JOB] = "completed"
    world.settle()
    (closing,) = (r for r in world.results())
    assert (closing["data"]["eventId"], closing["data"]["batchUrl"]) == (body["clientRequestId"], OTHER)
    codes = {"job-completions": "AccountNotAllowed", POISON: "DeliveriesExhausted"}
    assert closing["data"]["error"]["code"] == codes[queue]
    document = world.progress(body["clientRequestId"]).content
    assert (document["state"], document["requested"]) == ("failed", 0)
    (letter,) = world.dead_letters()
    assert world.redrive(letter["id"]).status == 422


def test_a_clean_up_made_anew_stays_with_its_account() -> None:
    """Redriven after its row was purged, a clean-up keeps its account even if the default has changed."""
    world = World(BATCH_ACCOUNT_URLS=f"{ACCOUNT},{OTHER}")
    world.batch.seed(JOB, 3)
    letter_id = fail(world)
    world.records.rows.clear()
    world.settings = replace(world.settings, batch_accounts=(OTHER, ACCOUNT))
    world.app = world.worker()
    assert world.redrive(letter_id).status == 202
    world.settle()
    assert [request.batch_url for request in world.batch.calls] == [ACCOUNT] * 3


def test_a_forged_step_for_a_strange_account_reaches_nothing(world: World) -> None:
    """A forged step for an account outside the allow list ends without a call to it."""
    page = {"v": 1, "event": job_event(batchUrl=OTHER), "acceptedAt": to_text(world.clock.now()), "step": 3}
    world.batch.job_script = [refused(400, "MustNotBeAsked")]
    for fields in ({"continuation": None}, {"continuation": f"{OTHER}/jobs/{JOB}/tasks?$skiptoken=x"}):
        world.put({"page": page | fields}, "job-completions")
        world.settle()
    assert {r["data"]["error"]["code"] for r in world.results()} == {"AccountNotAllowed"}
    assert len(world.batch.job_script) == 1


def test_a_clean_up_that_cannot_be_read_is_ended(world: World) -> None:
    """A clean-up whose row cannot be read ends as exhausted through the poison queue, and can be redriven."""
    world.batch.states[JOB] = "active"
    body = world.put_event()
    world.deliver("job-completions")
    (key,) = [key for key in world.records.rows if key[1] == f"cleanup:{body['clientRequestId']}"]
    world.records.rows[key]["event"] = "{"
    world.queues[POISON] = world.queues.pop("job-completions")
    world.settle()
    (closing,) = world.results()
    assert (closing["data"]["outcome"], closing["data"]["error"]["code"]) == ("exhausted", "CorruptRecord")
    document = world.progress(body["clientRequestId"]).content
    assert document["state"] == "failed"
    world.batch.states[JOB] = "completed"
    (letter,) = world.dead_letters()
    assert world.redrive(letter["id"]).status == 202
    world.settle()
    assert ends(world) == ["exhausted", "listed"]
    assert len(world.batch.effects) == 25


# Late copies


def purge(world: World) -> None:
    """Purges all rows and restores the deleted tasks, as if their ids were in use again."""
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    assert {row for _, row in world.records.rows} == {"cursor"}
    world.batch.tasks |= {(JOB, task.id) for task in world.batch.completed}


def put_late(world: World, body: object, queue: str = "job-completions") -> None:
    """Puts a message that has waited for longer than two weeks."""
    world.put(body, queue)
    world.messages(queue)[-1].inserted_at -= timedelta(days=14, seconds=1)


@pytest.mark.parametrize("queue", ["job-completions", POISON])
@pytest.mark.parametrize("as_step", [False, True])
def test_a_late_copy_of_a_forgotten_event_is_not_carried_out(world: World, queue: str, as_step: bool) -> None:
    """A late copy of a purged event expires without a dead letter, each time under the same result id."""
    world.put_event()
    body: Any = json.loads(world.messages("job-completions")[0].text)
    if as_step:
        page = {"v": 1, "event": body, "acceptedAt": to_text(world.clock.now()), "step": 0, "continuation": None}
        body = {"page": page}
    world.settle()
    purge(world)
    for _ in range(2):
        put_late(world, body, queue)
        world.settle()
    assert ends(world) == ["listed", "expired", "expired"]
    closing = [r for r in world.results() if r["type"] == "batch.job-cleanup.done"]
    assert closing[0] == closing[1]
    assert closing[0]["data"]["error"]["code"] == "RequestExpired"
    assert len(world.batch.calls) == 25
    assert world.dead_letters() == []


@pytest.mark.parametrize("queue", ["job-completions", POISON])
def test_a_late_copy_of_a_record_about_one_task_is_not_carried_out(world: World, queue: str) -> None:
    """A late copy of a purged record about one task expires and deletes nothing."""
    world.put(RECORD, "job-completions")
    world.settle()
    purge(world)
    put_late(world, RECORD, queue)
    world.settle()
    assert world.outcomes() == ["deleted", "expired"]
    assert len(world.batch.calls) == 1


def test_a_clean_up_that_is_remembered_goes_on_whatever_its_age() -> None:
    """A clean-up may wait for its job longer than finished rows are kept, and then does its work."""
    world = World(REQUEST_RETENTION_DAYS="2", JOB_COMPLETION_MAX_WAIT_DAYS="30")
    world.batch.seed(JOB, 5, state="active")
    world.put_event()
    began = world.clock.now()
    while world.clock.now() < began + timedelta(days=3):
        if not world.deliver("job-completions"):
            world.clock.advance(900)
    world.batch.states[JOB] = "completed"
    world.settle()
    assert ends(world) == ["listed"]
    deletions = [r["data"]["outcome"] for r in world.results() if r["type"] == "batch.task-deletion.done"]
    assert deletions == ["deleted"] * 5


# Given up by the host


def test_another_wish_under_a_used_id_is_a_conflict(world: World) -> None:
    """A poison message with a known event's id and another payload ends as rejected."""
    body = world.put_event()
    world.settle()
    world.put(body | {"select": "failed"}, POISON)
    world.settle()
    assert ends(world) == ["listed", "rejected"]


@pytest.mark.parametrize("fields", [{"select": "failed"}, {"select": "none"}])
def test_what_is_refused_of_a_dry_run_says_so(world: World, fields: dict[str, str]) -> None:
    """The closing event and dead letter of a refused dry run say that it was a dry run."""
    body = world.put_event(dryRun=True)
    world.settle()
    world.put(body | fields, "job-completions")
    world.settle()
    assert (ends(world)[-1], world.results()[-1]["data"]["dryRun"]) == ("rejected", True)
    (letter,) = world.dead_letters()
    assert letter["dryRun"] is True


def test_a_clean_up_that_has_ended_is_closed_again_under_its_id(world: World) -> None:
    """A poison copy of a finished clean-up publishes its closing event again, with the same id."""
    body = world.put_event()
    world.settle()
    world.put(body, POISON)
    world.settle()
    assert ends(world) == ["listed", "listed"]
    assert len({r["id"] for r in world.results() if r["type"] == "batch.job-cleanup.listed"}) == 1


def test_a_step_that_another_message_has_done_ends_nothing(world: World) -> None:
    """A poison copy of a step that was already done does not end the clean-up."""
    body = world.put_event()
    for _ in range(2):
        world.deliver("job-completions")
    world.put(body, POISON)
    assert world.deliver(POISON)
    world.settle()
    assert ends(world) == ["listed"]
    assert len(world.batch.calls) == 25


def test_a_row_that_never_holds_still_under_the_end_keeps_the_message(world: World) -> None:
    """If the row keeps changing, the poison message is kept, and ends the clean-up when delivered again."""
    body = job_event()
    world.batch.states[JOB] = "active"
    world.put(body, "job-completions")
    world.deliver("job-completions")
    (message,) = world.messages("job-completions")
    world.queues["job-completions"].clear()
    world.put(message.text, POISON)
    with disturbed(world, contended(world.records)), pytest.raises(StorageUnavailable, match="changed under"):
        world.deliver(POISON)
    world.clock.advance(601)
    world.settle()
    assert ends(world) == ["exhausted"]


# Put back


@pytest.mark.parametrize("fault", [Fault.FAILS, Fault.LOSES_ITS_ANSWER])
@pytest.mark.parametrize("number", range(7))
def test_a_redrive_that_dies_on_the_way_is_repeated(world: World, fault: Fault, number: int) -> None:
    """Whichever operation of a redrive fails, a repeat of the call leads to one clean-up and each task once."""
    letter = fail(world)
    with disturbed(world, at(number, fault)):
        call_until_answered(world, lambda: world.redrive(letter))
    world.settle()
    assert (ends(world)[0], set(ends(world)[1:])) == ("failed", {"listed"})
    assert len(world.batch.calls) == 25


def test_a_clean_up_whose_row_was_purged_is_made_anew(world: World) -> None:
    """A failed clean-up whose row was purged can be redriven from its dead letter."""
    body = job_event()
    letter = fail(world, body)
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    assert world.progress(body["clientRequestId"]).status == 404
    assert world.redrive(letter).status == 202
    world.settle()
    assert ends(world) == ["failed", "listed"]
    assert len(world.batch.calls) == 25


def test_a_dead_letter_whose_event_is_at_work_again_is_left_alone(world: World) -> None:
    """A redrive is refused with 409 while the same event, sent again after the purge, is in progress."""
    body = job_event()
    letter = fail(world, body)
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    world.batch.states[JOB] = "active"
    world.put(body, "job-completions")
    world.deliver("job-completions")
    assert world.redrive(letter).status == 409
    world.batch.states[JOB] = "completed"
    world.settle()
    assert ends(world) == ["failed", "listed"]


def steps(world: World) -> list[int]:
    """The numbers of the steps that are on the queue."""
    return [json.loads(message.text)["page"]["step"] for message in world.messages("job-completions")]


@pytest.mark.parametrize("queue", ["job-completions", POISON])
def test_a_step_left_of_the_last_generation_does_nothing_to_the_next(world: World, queue: str) -> None:
    """A step left over from an earlier generation does not affect the redriven listing."""
    body = world.put_event()
    world.deliver("job-completions")
    (left,) = world.messages("job-completions")
    world.queues["job-completions"].clear()
    world.put(body, POISON)
    world.deliver(POISON)
    (letter,) = world.dead_letters()
    assert world.redrive(letter["id"]).status == 202
    (first,) = steps(world)
    assert first > json.loads(left.text)["page"]["step"]
    world.queues[queue].insert(0, left)
    assert world.deliver(queue)
    world.settle()
    assert ends(world) == ["exhausted", "listed"]
    assert len(world.batch.calls) == 25


@pytest.mark.parametrize("again", ["listed", "exhausted"])
def test_a_dead_letter_whose_event_has_ended_otherwise_since_is_left_alone(world: World, again: str) -> None:
    """A redrive is refused with 409 if the event has since been listed or has failed in a newer generation."""
    body = job_event()
    letter = fail(world, body)
    world.clock.advance(16 * 86_400)
    world.app.housekeeping.round(1_000)
    if again == "listed":
        world.put(body, "job-completions")
        world.settle()
    else:
        assert world.redrive(letter).status == 202
        world.messages("job-completions")[0].dequeue_count = 10
        world.settle()
        world.letters.rows[(partition_of(letter), f"id:{letter}")]["redriven_at"] = ""
    assert world.redrive(letter).status == 409
    world.settle()
    assert ends(world) == ["failed", again]


@pytest.mark.parametrize("purged", [False, True])
def test_an_event_for_an_account_that_was_taken_off_the_list_is_not_redriven(purged: bool) -> None:
    """Redriving an event raises InvalidInput if its account is off the allow list, purged or not."""
    world = World(BATCH_ACCOUNT_URLS=f"{ACCOUNT},{OTHER}")
    world.batch.seed(JOB, 5)
    letter = fail(world, job_event(batchUrl=OTHER))
    if purged:
        world.clock.advance(16 * 86_400)
        world.app.housekeeping.round(1_000)
    kept = DeadLetterStore(world.letters).read(letter)
    assert kept is not None
    redrive = CleanupRedrive(
        (ACCOUNT,),
        world.clock,
        CleanupStore(world.records, Pauses(world.clock, lambda: 0.5)),
        CleanupQueue(world.sender, "job-completions"),
    )
    with pytest.raises(InvalidInput, match="batchUrl"):
        redrive.redrive(kept, 0)
    assert world.messages("job-completions") == []


def test_a_redrive_looks_again_when_the_row_changed(world: World) -> None:
    """A redrive reads the row again if it changed, and raises StorageUnavailable if it keeps changing."""
    letter = fail(world)
    with disturbed(world, contended(world.records)), pytest.raises(StorageUnavailable, match="changed under"):
        world.redrive(letter)
    with disturbed(world, at(0, before(world.records.touch), "row write")):
        assert world.redrive(letter).status == 202


# Over HTTP


def test_progress_says_why_a_clean_up_failed(world: World) -> None:
    """The progress of a failed clean-up shows the error that ended it."""
    body = job_event()
    fail(world, body)
    document = world.progress(body["clientRequestId"]).content
    assert (document["state"], document["error"]["code"]) == ("failed", "InvalidQueryParameterValue")


def test_an_event_whose_row_appeared_meanwhile_is_a_repeat(world: World) -> None:
    """Two simultaneous calls with one event are both answered with 202, and the job is listed once."""
    raw = json.dumps(job_event()).encode()
    statuses: list[int] = []

    def submit() -> None:
        statuses.append(world.post_event(raw).status)

    with disturbed(world, at(0, before(submit), "row write")):
        submit()
    assert statuses == [202, 202]
    world.settle()
    assert ends(world) == ["listed"]
    assert len(world.batch.calls) == 25

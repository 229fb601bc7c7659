"""The steps of a sweep as messages: repeats, stops, ends, and the row that a sweep keeps between them."""

from __future__ import annotations

import json
import zlib
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.clock import to_text
from shared.errors import CorruptRecord, InvalidInput
from shared.ledger.tally import Totals
from shared.retention.message import SweepStep, is_sweep_step, read_sweep_step, write_sweep_step
from shared.retention.record import sweep_of, to_entity
from shared.retention.report import closing_event, status_of
from shared.retention.step import Standing, given_up, requeued, standing_of
from shared.retention.stopping import Stop
from shared.retention.sweep import (
    MOST_HELD_BACK,
    MOST_MET,
    MOST_TASKS_MET,
    Asked,
    PendingJob,
    Phase,
    Place,
    Sweep,
    mark_of_id,
)
from shared.retention.sweeper import MOST_ASKED
from shared.storage.table import StoredRow
from tests.chaos.faults import Fault, disturbed, following
from tests.fakes.app import ACCOUNT
from tests.fakes.batch import refused
from tests.unit.retention.sweep_world import SweepWorld

ALL = {"name": "all", "jobs": "*", "deleteAfter": "P1D"}
OTHER = {"name": "other", "jobs": "x", "deleteAfter": "P1D"}
ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def running(world: SweepWorld) -> Sweep:
    """A sweep that has just begun."""
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    return begun


def world_of(jobs: int, *policies: Any) -> SweepWorld:
    """An account of jobs with one due task each."""
    world = SweepWorld(*(policies or (ALL,)))
    for number in range(jobs):
        world.job(f"j-{number}", world.ended("t"))
    return world


def dies_after_its_row(world: SweepWorld) -> None:
    """The process dies after it has written the row of the delivered step and before it sends the requests."""
    world.answers = [None, lambda: world.clock.advance(5)]
    with disturbed(world, following("row write", Fault.DIES_BEFORE)):
        world.deliver(world.messages[0])


# Messages


def test_a_step_s_message_says_which_step_is_due_and_nothing_else() -> None:
    """A step's message holds only the sweep's id, the step's number and whether it is a repeat."""
    step = SweepStep(ID, 3, repeats=True)
    value = json.loads(write_sweep_step(step))
    assert value == {"sweep": {"v": 1, "id": ID, "step": 3, "repeat": True}}
    assert is_sweep_step(value)
    assert read_sweep_step(value) == step


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (None, "/sweep"),
        ({"v": 2, "id": ID, "step": 0, "repeat": False}, "/sweep"),
        ({"v": 1, "id": ID, "step": 0}, "/sweep"),
        ({"v": 1, "id": ID, "step": 0, "repeat": False, "account": ACCOUNT}, "/sweep"),
        ({"v": 1, "id": "x", "step": 0, "repeat": False}, "/sweep/id"),
        ({"v": 1, "id": ID, "step": True, "repeat": False}, "/sweep/step"),
        ({"v": 1, "id": ID, "step": -1, "repeat": False}, "/sweep/step"),
        ({"v": 1, "id": ID, "step": 0, "repeat": 1}, "/sweep/repeat"),
    ],
)
def test_a_step_that_the_app_did_not_write_is_refused(body: object, pointer: str) -> None:
    """A malformed step message is refused with a pointer."""
    with pytest.raises(InvalidInput) as caught:
        read_sweep_step({"sweep": body})
    assert caught.value.problems[0].pointer == pointer


def test_a_message_is_the_next_step_a_repeat_or_a_duplicate() -> None:
    """A step's number and message decide whether it is the next step, a repeat, or already done."""
    world = world_of(3)
    sweep = running(world)
    first = world.messages[0]
    world.answers = [None, lambda: world.clock.advance(5)]
    world.deliver(first)
    row = world.row(sweep.sweep_id)
    assert (row.step, row.step_message) == (1, first.id)
    assert standing_of(row, SweepStep(sweep.sweep_id, 1), "m") is Standing.NEXT
    assert standing_of(row, SweepStep(sweep.sweep_id, 0), first.id) is Standing.AGAIN
    assert standing_of(row, SweepStep(sweep.sweep_id, 0), "m") is Standing.PASSED
    assert standing_of(row, SweepStep(sweep.sweep_id, 7), "m") is Standing.PASSED
    world.settle()
    assert standing_of(world.row(sweep.sweep_id), SweepStep(sweep.sweep_id, 1), "m") is Standing.ENDED


def test_a_repeat_asks_for_what_was_noted_and_not_for_what_is_listed_by_then() -> None:
    """A repeated step sends the requests recorded by the first try, even if a task has changed since."""
    world = world_of(1)
    sweep = running(world)
    dies_after_its_row(world)
    assert world.asked[sweep.sweep_id] == 0
    world.jobs["j-0"].tasks["t"].version = 2
    world.settle()
    (request,) = world.requests.values()
    assert request.request.if_match == "0x0001"
    assert world.row(sweep.sweep_id).requested == 1


def test_a_duplicate_of_a_step_that_another_message_did_is_dropped() -> None:
    """A message for a step that another message has done makes no call to Batch."""
    world = world_of(2)
    running(world)
    (message,) = world.messages
    world.send_step(SweepStep(world.agenda.running if world.agenda else "", 0))
    world.answers = [None, lambda: world.clock.advance(5)]
    world.deliver(message)
    calls = len(world.calls)
    world.deliver(world.messages[0])
    assert len(world.calls) == calls


# What ends it


def stop(world: SweepWorld, sweep: Sweep) -> None:
    """Somebody asks it to."""
    world.stop(sweep.sweep_id)


def test_a_change_of_policies_stops_a_sweep_at_its_next_step() -> None:
    """Any change of the account's policies ends a running sweep at its next step, as cancelled."""
    world = world_of(4)
    sweep = running(world)
    world.answers = [None, lambda: world.clock.advance(5)]
    world.deliver(world.messages[0])
    world.set_rules(ALL, OTHER)
    world.settle()
    row = world.row(sweep.sweep_id)
    assert (row.phase, row.error and row.error.code, row.requested) == (Phase.CANCELLED, "PoliciesChanged", 1)
    world.carry_out_all()
    assert list(world.done.values()) == ["deleted"], "its own policy is in force as it was"


def test_a_request_of_a_policy_that_changed_ends_as_cancelled() -> None:
    """A sweep's request ends as cancelled if its policy has changed since."""
    world = world_of(1)
    world.sweep()
    world.set_rules({**ALL, "deleteAfter": "P2D"})
    world.carry_out_all()
    assert list(world.done.values()) == ["cancelled"]


def test_an_account_that_was_taken_off_the_list_ends_its_sweep_as_failed() -> None:
    """A sweep fails at its next step if its account has left the allow list."""
    world = world_of(1)
    sweep = running(world)
    world.accounts = ()
    world.settle()
    row = world.row(sweep.sweep_id)
    assert (row.phase, row.error and row.error.code) == (Phase.FAILED, "AccountNotAllowed")


def test_a_sweep_is_stopped_at_its_next_step() -> None:
    """A cancelled sweep blocks another until its next step ends it; its unclaimed requests end as cancelled."""
    world = world_of(4)
    sweep = running(world)
    world.answers = [None, lambda: world.clock.advance(5)]
    world.deliver(world.messages[0])
    assert world.stop(sweep.sweep_id) is Stop.STOPPED
    assert world.row(sweep.sweep_id).phase is Phase.RUNNING
    assert world.stop(sweep.sweep_id) is Stop.AGAIN
    assert world.timer().begin(ACCOUNT) is None
    world.settle()
    row = world.row(sweep.sweep_id)
    assert (row.phase, row.error and row.error.code, world.asked[sweep.sweep_id]) == (Phase.CANCELLED, "Stopped", 1)
    world.carry_out_all()
    assert list(world.done.values()) == ["cancelled"]
    assert world.timer().begin(ACCOUNT) is not None


def test_a_sweep_that_waits_is_stopped_at_once() -> None:
    """A sweep that waits for its account to recover is stopped at once, and another can start."""
    world = world_of(1)
    sweep = running(world)
    world.answers = [refused(429, "TooManyRequests", 600)]
    world.deliver(world.messages[0])
    assert world.stop(sweep.sweep_id) is Stop.STOPPED
    assert world.row(sweep.sweep_id).phase is Phase.CANCELLED
    assert [event["data"]["state"] for event in world.results] == ["cancelled"]
    assert world.timer().begin(ACCOUNT) is not None


def test_a_sweep_whose_message_was_lost_is_stopped_at_once() -> None:
    """A stop ends a sweep at once if its message has been missing for an hour."""
    world = world_of(1)
    sweep = running(world)
    world.messages.clear()
    world.clock.advance(3_599)
    assert (world.stop(sweep.sweep_id), world.row(sweep.sweep_id).phase) == (Stop.STOPPED, Phase.RUNNING)
    world.clock.advance(1)
    assert (world.stop(sweep.sweep_id), world.row(sweep.sweep_id).phase) == (Stop.AGAIN, Phase.CANCELLED)
    assert [event["data"]["state"] for event in world.results] == ["cancelled"]
    assert world.timer().begin(ACCOUNT) is not None


def test_a_sweep_that_has_ended_can_be_stopped_while_requests_of_it_are_open() -> None:
    """An ended sweep with open requests can be stopped: they end as cancelled, and the sweep stays done."""
    world = world_of(2)
    sweep = world.sweep()
    world.carry_out(next(iter(world.requests)))
    assert world.stop(sweep.sweep_id) is Stop.STOPPED
    world.carry_out_all()
    assert list(world.done.values()) == ["deleted", "cancelled"]
    assert (world.row(sweep.sweep_id).phase, len(world.results)) == (Phase.DONE, 1)
    late = world.sweep()
    world.carry_out_all()
    assert world.stop(late.sweep_id) is Stop.TOO_LATE
    assert world.stop(ID) is Stop.UNKNOWN


def test_a_stop_while_a_step_is_at_work_wins() -> None:
    """If a sweep is stopped during a step, that step's write is refused and it requests nothing."""
    world = world_of(1)
    sweep = running(world)
    world.answers = [None, lambda: stop(world, sweep)]
    world.settle()
    assert (world.row(sweep.sweep_id).phase, world.requests) == (Phase.CANCELLED, {})


def test_a_step_on_the_poison_queue_ends_the_sweep_as_failed() -> None:
    """A poison step ends its sweep as failed, and the account can be swept again."""
    world = world_of(1)
    sweep = running(world)
    world.sweeper().give_up(SweepStep(sweep.sweep_id, 0))
    row = world.row(sweep.sweep_id)
    assert (row.phase, row.error and row.error.code) == (Phase.FAILED, "GivenUp")
    assert [event["data"]["state"] for event in world.results] == ["failed"]
    assert world.timer().begin(ACCOUNT) is not None


def test_a_poison_copy_of_a_step_of_a_sweep_that_has_ended_closes_it_again() -> None:
    """A poison step of an ended sweep publishes its closing event again, under the same id."""
    world = world_of(1)
    sweep = world.sweep()
    world.sweeper().give_up(SweepStep(sweep.sweep_id, 0))
    assert world.row(sweep.sweep_id).phase is Phase.DONE
    assert len(world.results) == 2
    assert world.results[0] == world.results[1]


def test_a_poison_copy_of_a_step_that_is_long_done_ends_nothing() -> None:
    """A poison copy of an old step, or of an unknown sweep, changes nothing."""
    world = world_of(6)
    sweep = running(world)
    world.page_size = 1
    for _ in range(2):
        world.answers = [None, lambda: world.clock.advance(5)]
        world.deliver(world.messages[0])
    assert world.row(sweep.sweep_id).step == 2
    world.sweeper().give_up(SweepStep(sweep.sweep_id, 0))
    world.sweeper().give_up(SweepStep(ID, 0))
    assert world.row(sweep.sweep_id).phase is Phase.RUNNING
    assert given_up(world.row(sweep.sweep_id), SweepStep(sweep.sweep_id, 9), world.clock.now()) is None


def test_a_requeued_sweep_first_sends_the_requests_of_its_last_step() -> None:
    """A requeued sweep first sends the requests that its last step recorded and may not have sent."""
    world = world_of(4)
    sweep = running(world)
    dies_after_its_row(world)
    world.messages.clear()
    assert (world.row(sweep.sweep_id).requested, world.asked[sweep.sweep_id]) == (1, 0)
    row, step = requeued(world.row(sweep.sweep_id), world.clock.now())
    assert row.due_at == world.clock.now()
    world.send_step(step)
    world.settle()
    assert (world.row(sweep.sweep_id).requested, world.asked[sweep.sweep_id]) == (4, 4)


# The row


def test_a_row_is_read_as_it_was_written() -> None:
    """The row of a sweep in progress reads back equal."""
    world = world_of(5, {**ALL, "most": 3}, OTHER)
    sweep = running(world)
    world.answers = [None, None, refused(500)]
    world.deliver(world.messages[0])
    row = world.row(sweep.sweep_id)
    assert (row.tries, len(row.place.pending), len(row.asked)) == (1, 1, 1)
    assert sweep_of(StoredRow(to_entity(row, world.clock.now()), "x")) == row


def test_a_row_of_an_earlier_version_is_read() -> None:
    """A sweep's row written by an earlier version is read."""
    world = world_of(0, {**ALL, "most": 3})
    entity = to_entity(running(world), world.clock.now())
    packed = json.loads(zlib.decompress(entity["part_0"]))
    packed["counts"][0] |= {"begin_after": "J-1", "goes_on_at": "j-2", "reached_at": "", "held_back": 2}
    for name in ("held_back", "jobs_met", "tasks_met"):
        del packed["place"][name]
    entity["part_0"] = zlib.compress(json.dumps(packed).encode())
    (count,) = sweep_of(StoredRow(entity, "x")).counts
    assert (count.begin_after, count.reached_at, count.held_back) == ((mark_of_id("j-1"),), (), 2)


def marks(count: int) -> tuple[str, ...]:
    """So many marks."""
    return tuple(mark_of_id(f"x-{n}") for n in range(count))


def test_a_full_row_fits_the_table() -> None:
    """The largest row of a sweep fits the table: no column above 64 KiB, less than 1 MiB in all."""
    job_ids = [f"{number:04d}" + "Abc_-9xYz"[number % 9] * 60 + ":job-1234567890" for number in range(1_000)]
    asked = tuple(
        Asked(job_ids[n % 1_000], f"{n * 7919:064d}", f"0x8D{n * 104729:016X}", "all") for n in range(2 * MOST_ASKED)
    )
    world = world_of(0)
    place = Place(
        pending=tuple(PendingJob(job_id, "all") for job_id in job_ids),
        tasks_page="https://acct.region.batch.azure.com/jobs/x/tasks?" + "x" * 8_000,
        jobs_met=marks(MOST_MET),
        held_back=marks(MOST_HELD_BACK),
        tasks_seen=marks(1_000),
        tasks_met=marks(MOST_TASKS_MET),
    )
    sweep = running(world)
    full = Sweep(**{**sweep.__dict__, "place": place, "asked": asked})
    entity = to_entity(full, world.clock.now())
    assert max(len(value) for value in entity.values() if isinstance(value, bytes | str)) < 64 * 1024
    assert sum(len(value) for value in entity.values() if isinstance(value, bytes)) < 768 * 1024
    assert sweep_of(StoredRow(entity, "x")) == full


@pytest.mark.parametrize("change", [{"parts": 2}, {"part_0": b"x"}, {"phase": "asleep"}, {"due_at": "soon"}])
def test_a_row_that_no_version_writes_is_loud(change: dict[str, object]) -> None:
    """A sweep's row that no version writes raises CorruptRecord."""
    world = world_of(0)
    entity = to_entity(running(world), world.clock.now()) | change
    with pytest.raises(CorruptRecord):
        sweep_of(StoredRow(entity, "x"))


# What is told


def test_the_closing_event_tells_what_the_sweep_came_to() -> None:
    """The closing event has one id each time, the sweep's counts, no sample and no subject."""
    world = world_of(2, ALL)
    world.job("marked", marked=True)
    sweep = world.sweep()
    (event,) = world.results
    assert event == closing_event(sweep)
    assert event["type"] == "batch.retention-sweep.done"
    assert event["source"] == ACCOUNT
    assert "subject" not in event
    assert event["data"] == {
        "sweepId": sweep.sweep_id,
        "batchUrl": ACCOUNT,
        "state": "done",
        "startedAt": "2026-11-24T07:30:00.000Z",
        "endedAt": "2026-11-24T07:30:00.000Z",
        "dryRun": False,
        "jobs": 2,
        "leftAlone": {"protected": 0, "marked": 1, "dependencies": 0, "unlisted": 0},
        "policies": [{"name": "all", "dryRun": False, "jobs": 2, "requested": 2, "kept": 0}],
        "error": None,
    }


def test_the_status_tells_what_is_open_and_how_the_rest_ended() -> None:
    """A sweep's status counts requests that are not done as open, with or without rows; a dry run has none."""
    world = world_of(3)
    sweep = world.sweep()
    status = status_of(sweep, Totals(2, {"deleted": 1, "notFound": 1}), world.clock.now())
    assert (status["open"], status["done"]) == (1, {"deleted": 1, "notFound": 1})
    assert status["policies"][0]["sample"] == ["jobs/j-0/tasks/t", "jobs/j-1/tasks/t", "jobs/j-2/tasks/t"]
    assert list(status["policies"][0]) == ["name", "dryRun", "jobs", "requested", "kept", "sample"]
    dry = status_of(world.sweep(dry_run=True), Totals(0, {}), world.clock.now())
    assert (dry["open"], dry["dryRun"], dry["policies"][0]["requested"]) == (0, True, 3)


def test_a_running_sweep_has_no_end_yet() -> None:
    """In the status of a running sweep, `endedAt` and `error` are null."""
    world = world_of(1)
    status = status_of(running(world), Totals(0, {}), world.clock.now())
    assert (status["state"], status["endedAt"], status["error"]) == ("running", None, None)


def test_what_was_lost_with_its_message_is_open_for_a_day() -> None:
    """Requests that were lost stop counting as open a day after the sweep or its requests last moved."""
    world = world_of(3)
    sweep, ended_at = world.sweep(), world.clock.now()
    later, moved_at = ended_at + timedelta(days=2), to_text(ended_at + timedelta(days=1))

    def still_open(totals: Totals, now: datetime) -> int:
        return int(status_of(sweep, totals, now)["open"])

    assert still_open(Totals(0, {}), ended_at + timedelta(days=1)) == 3
    assert still_open(Totals(0, {}), ended_at + timedelta(days=1, seconds=1)) == 0
    assert still_open(Totals(2, {"deleted": 2}, moved_at), later) == 1
    assert still_open(Totals(2, {"deleted": 2}, moved_at), later + timedelta(seconds=1)) == 0
    assert still_open(Totals(2, {"deleted": 1}, moved_at), later + timedelta(days=9)) == 2

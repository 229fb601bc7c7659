"""When an account is swept, and that its sweeps do not overlap."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from shared.errors import CorruptRecord, StorageUnavailable
from shared.parsing.retention_policy import digest_of
from shared.retention.agenda import Act, Agenda, AgendaStore, LastSweep, act_of
from shared.retention.message import SweepStep
from shared.retention.sweep import STUCK_AFTER, Phase, Sweep, mark_of_id
from tests.chaos.faults import Fault, after, at, before, disturbed, either, everywhere, following
from tests.fakes.app import ACCOUNT
from tests.unit.retention.sweep_world import INTERVAL, SweepWorld
from tests.unit.retention.swept_account import DAY

ALL = {"name": "all", "jobs": "*", "deleteAfter": "P1D"}
OTHER = {"name": "other", "jobs": "x", "deleteAfter": "P1D"}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world() -> SweepWorld:
    """One job with a due task."""
    made = SweepWorld(ALL)
    made.job("j", made.ended("t"))
    return made


def later(world: SweepWorld, ahead: timedelta) -> None:
    """Time passes, and then the timer runs."""
    world.clock.advance(ahead.total_seconds())
    world.timer().tick()
    world.settle()


def sweeps(world: SweepWorld) -> int:
    """The number of sweeps that have ended."""
    return len({event["data"]["sweepId"] for event in world.results})


def agenda(world: SweepWorld) -> Agenda:
    """The account's row."""
    found = world.agenda
    assert found is not None
    return found


def test_new_policies_leave_an_interval_for_a_dry_run(world: SweepWorld) -> None:
    """The first sweep starts one interval after the app first saw the policies."""
    later(world, timedelta())
    assert agenda(world).next_sweep_at(INTERVAL) == world.clock.now() + INTERVAL
    later(world, INTERVAL - MINUTE)
    assert sweeps(world) == 0
    later(world, MINUTE)
    assert (sweeps(world), agenda(world).running) == (1, "")


def test_policies_that_have_changed_are_new(world: SweepWorld) -> None:
    """Any change of the policies, even back to earlier ones, starts the first interval again."""
    later(world, timedelta())
    later(world, INTERVAL - MINUTE)
    world.set_rules(ALL, OTHER)
    later(world, MINUTE)
    world.set_rules(ALL)
    later(world, MINUTE)
    later(world, INTERVAL - MINUTE)
    assert sweeps(world) == 0
    later(world, MINUTE)
    assert sweeps(world) == 1


def test_a_sweep_follows_an_interval_after_the_last_one_began(world: SweepWorld) -> None:
    """The interval counts from the last sweep's start, not from its end."""
    later(world, timedelta())
    later(world, INTERVAL)
    world.carry_out_all()
    began_at = agenda(world).last
    assert began_at is not None
    later(world, INTERVAL - MINUTE)
    assert sweeps(world) == 1
    later(world, MINUTE)
    assert sweeps(world) == 2


def test_open_requests_hold_the_next_sweep_back_for_a_day_at_most(world: SweepWorld) -> None:
    """Open requests delay the next sweep until at most a day after the start of theirs."""
    later(world, timedelta())
    later(world, INTERVAL)
    later(world, INTERVAL)
    later(world, DAY - INTERVAL - MINUTE)
    assert sweeps(world) == 1
    later(world, MINUTE)
    assert sweeps(world) == 2


def test_a_sweep_that_somebody_wishes_for_does_not_wait(world: SweepWorld) -> None:
    """A sweep on demand starts at once and moves the timer's next, unless it is a dry run or of one policy."""
    later(world, timedelta())
    world.clock.advance(3_600)
    world.sweep(dry_run=True)
    world.sweep(only="all")
    assert agenda(world).last is None
    started_at = world.sweep().started_at
    assert agenda(world).last == LastSweep(agenda(world).last.sweep_id, started_at, Phase.DONE, started_at)  # type: ignore[union-attr]
    assert agenda(world).next_sweep_at(INTERVAL) == started_at + INTERVAL


def test_before_the_timer_ever_looked_a_sweep_can_begin(world: SweepWorld) -> None:
    """A sweep can start before the timer first ran, and the policies count as seen from then."""
    assert agenda_of_nobody(world)
    world.sweep(dry_run=True)
    assert agenda(world).first_seen_at == world.clock.now()


def agenda_of_nobody(world: SweepWorld) -> bool:
    """Whether the account has no row."""
    return world.agenda is None


def test_sweeps_of_an_account_do_not_overlap(world: SweepWorld) -> None:
    """While a sweep of any kind runs, neither the timer nor a person can start another for the account."""
    later(world, timedelta())
    begun = world.timer().begin(ACCOUNT, dry_run=True)
    assert begun is not None
    assert world.timer().begin(ACCOUNT) is None
    world.clock.advance(INTERVAL.total_seconds())
    world.clock.advance(-INTERVAL.total_seconds() + 60)
    world.timer().tick()
    assert agenda(world).running == begun.sweep_id


def test_of_two_that_begin_at_once_one_does(world: SweepWorld) -> None:
    """Of two sweeps started at the same time one begins, and the other leaves nothing behind."""
    begun: list[Sweep | None] = []

    def begin() -> None:
        begun.append(world.timer().begin(ACCOUNT))

    with disturbed(world.table, at(0, before(begin))):
        begin()
    assert [each is None for each in begun] == [False, True]
    assert len(world.messages) == 1
    assert len([row for _, row in world.table.rows if row.startswith("sweep:")]) == 1


def test_of_two_timers_that_look_at_once_one_begins_a_sweep(world: SweepWorld) -> None:
    """Of two timers that run at the same time, one starts a sweep, even if it has ended before the other acts."""
    later(world, timedelta())
    world.clock.advance(INTERVAL.total_seconds())

    def another() -> None:
        world.timer().tick()
        world.settle()
        world.carry_out_all()

    with disturbed(world.table, at(0, after(another), "row read")):
        world.timer().tick()
    world.settle()
    assert sweeps(world) == 1
    assert len([row for _, row in world.table.rows if row.startswith("sweep:")]) == 1


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_sweep_whose_first_message_cannot_be_sent_leaves_nothing_behind(world: SweepWorld, dry_run: bool) -> None:
    """If a sweep's first message cannot be sent, the sweep is undone, and the next attempt works."""
    world.sweep()
    before_it = agenda(world)
    for _ in range(2):
        with disturbed(world, everywhere(Fault.FAILS, "send step")), pytest.raises(StorageUnavailable):
            world.timer().begin(ACCOUNT, dry_run=dry_run)
    assert (agenda(world), len(world.messages)) == (before_it, 0)
    assert world.sweep(dry_run=dry_run).phase is Phase.DONE


def test_a_first_message_that_was_sent_though_nobody_heard_of_it_finds_nothing_to_do(world: SweepWorld) -> None:
    """The first message of a sweep that was undone is dropped when it arrives."""
    with disturbed(world, everywhere(Fault.LOSES_ITS_ANSWER, "send step")), pytest.raises(StorageUnavailable):
        world.timer().begin(ACCOUNT)
    world.settle()
    assert (agenda(world).running, world.requests, world.results) == ("", {}, [])


def test_a_sweep_that_cannot_be_undone_is_given_up_by_the_timer(world: SweepWorld) -> None:
    """A sweep that could be neither started nor undone is ended by the timer."""
    plan = either(everywhere(Fault.FAILS, "send step"), following("send step", Fault.FAILS))
    with disturbed(world, plan), pytest.raises(StorageUnavailable):
        world.timer().begin(ACCOUNT)
    world.clock.advance(STUCK_AFTER.total_seconds())
    for _ in range(2):
        world.timer().tick()
        world.settle()
    assert agenda(world).running == ""


@pytest.mark.parametrize("write", [0, 1])
def test_a_begin_whose_answer_was_lost_knows_its_own_write(world: SweepWorld, write: int) -> None:
    """A start whose write the storage client repeated recognises its own write."""
    with disturbed(world.table, at(write, Fault.IS_REPEATED, "row write")):
        begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    assert (agenda(world).running, len(world.messages)) == (begun.sweep_id, 1)


def test_a_sweep_whose_message_was_lost_is_requeued_after_an_hour(world: SweepWorld) -> None:
    """The timer requeues a sweep whose message has been missing for an hour, once."""
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    world.messages.clear()
    world.clock.advance(3_599)
    world.timer().tick()
    assert world.messages == []
    world.clock.advance(1)
    world.timer().tick()
    world.timer().tick()
    assert len(world.messages) == 1
    world.settle()
    assert world.row(begun.sweep_id).phase is Phase.DONE


def test_an_end_that_the_agenda_does_not_know_is_closed_by_the_timer(world: SweepWorld) -> None:
    """If the process died after a sweep's end was written, the timer publishes its closing event."""
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    ended = world.row(begun.sweep_id).ended(Phase.DONE, world.clock.now())
    assert world.sweeps.write(world.row(begun.sweep_id), ended, world.clock.now())
    world.messages.clear()
    world.timer().tick()
    world.timer().tick()
    assert (agenda(world).running, sweeps(world)) == ("", 1)


def test_a_sweep_whose_row_is_gone_does_not_block_its_account(world: SweepWorld) -> None:
    """A running sweep whose row is gone counts as failed and does not block its account."""
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    for key in [key for key in world.table.rows if key[1].startswith("sweep:")]:
        del world.table.rows[key], world.table.etags[key]
    world.clock.advance(60)
    world.timer().tick()
    last = LastSweep(begun.sweep_id, begun.started_at, Phase.FAILED, world.clock.now())
    assert (agenda(world).running, agenda(world).last) == ("", last)
    world.sweep(dry_run=True)
    assert agenda(world).last == last


def test_a_dry_run_whose_row_is_gone_says_nothing_about_the_last_sweep(world: SweepWorld) -> None:
    """A dry run whose row is gone does not replace the account's last sweep."""
    world.sweep()
    last = agenda(world).last
    begun = world.timer().begin(ACCOUNT, dry_run=True)
    assert begun is not None
    for key in [key for key in world.table.rows if key[1] == f"sweep:{begun.sweep_id}"]:
        del world.table.rows[key], world.table.etags[key]
    world.timer().tick()
    assert (agenda(world).running, agenda(world).last) == ("", last)


def test_a_sweep_of_an_account_that_left_the_list_comes_to_its_end(world: SweepWorld) -> None:
    """A sweep whose message was lost and whose account left the list is requeued and then fails."""
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    world.messages.clear()
    world.accounts = ("https://other.region.batch.azure.com",)
    later(world, timedelta(minutes=59))
    assert world.row(begun.sweep_id).phase is Phase.RUNNING
    later(world, MINUTE)
    assert (world.row(begun.sweep_id).phase, agenda(world).running) == (Phase.FAILED, "")
    assert [event["data"]["state"] for event in world.results] == ["failed"]


def test_a_last_sweep_whose_row_cannot_be_read_holds_the_next_one_back_no_longer(world: SweepWorld) -> None:
    """If the last sweep's row cannot be read, its requests do not delay the next sweep."""
    later(world, timedelta())
    later(world, INTERVAL)
    (key,) = (key for key in world.table.rows if key[1].startswith("sweep:"))
    world.table.rows[key]["parts"] = 7
    later(world, INTERVAL)
    assert sweeps(world) == 2


def test_a_sweep_whose_row_cannot_be_read_does_not_block_its_account(
    world: SweepWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """A running sweep whose row cannot be read is logged and does not block its account."""
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    (key,) = (key for key in world.table.rows if key[1].startswith("sweep:"))
    world.table.rows[key]["parts"] = 7
    world.settle()
    assert len(world.queues["job-completions-poison"]) == 1
    world.sweeper().give_up(SweepStep(begun.sweep_id, 0))
    world.timer().tick()
    assert "corrupt_record" in caplog.text
    assert world.timer().begin(ACCOUNT) is not None


def test_an_account_without_policies_is_left_in_peace(world: SweepWorld) -> None:
    """An account without policies has no row and is not swept; policies that return count as new."""
    world.set_rules()
    later(world, timedelta())
    assert agenda_of_nobody(world)
    world.set_rules(ALL)
    later(world, timedelta())
    world.set_rules()
    later(world, INTERVAL)
    later(world, 100 * INTERVAL)
    assert sweeps(world) == 0
    world.set_rules(ALL)
    later(world, MINUTE)
    later(world, INTERVAL - MINUTE)
    assert sweeps(world) == 0


def test_a_sweep_under_way_whose_policies_were_taken_away_still_ends(world: SweepWorld) -> None:
    """A sweep whose message was lost ends as cancelled even if its policies were removed."""
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    world.messages.clear()
    world.set_rules()
    later(world, timedelta(hours=1))
    later(world, MINUTE)
    assert world.row(begun.sweep_id).phase is Phase.CANCELLED


def test_an_account_that_is_not_swept_for_long_is_told_of(world: SweepWorld, caplog: pytest.LogCaptureFixture) -> None:
    """An account not swept for three intervals and a day is logged as `sweep_overdue`."""
    later(world, timedelta())
    later(world, INTERVAL)
    agenda_before = agenda(world)
    assert agenda_before.last_ended_at is not None
    world.timer().begin(ACCOUNT)
    world.messages.clear()
    for hours, overdue in ((3 * 6 + 24, False), (1, True)):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            world.clock.advance(hours * 3_600)
            world.messages.clear()
            world.timer().tick()
        assert ("sweep_overdue" in caplog.text) is overdue


def test_a_failed_sweep_is_an_error_in_the_log(world: SweepWorld, caplog: pytest.LogCaptureFixture) -> None:
    """A failed sweep is logged as an error, `sweep_failed`, for which an alert looks."""
    world.accounts = (ACCOUNT,)
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    world.accounts = ()
    with caplog.at_level(logging.INFO):
        world.settle()
    lines = {record.getMessage().partition(" ")[0]: record.levelno for record in caplog.records}
    assert (lines["sweep_failed"], lines["sweep_ended"]) == (logging.ERROR, logging.INFO)


def test_one_account_s_trouble_holds_up_no_other() -> None:
    """If storage fails for one account, the timer still handles the others, and then raises."""
    world = SweepWorld(ALL)
    world.accounts = ("https://first.region.batch.azure.com", ACCOUNT)
    with disturbed(world.table, at(0, Fault.FAILS)), pytest.raises(StorageUnavailable):
        world.timer().tick()
    assert world.agenda is not None


def test_an_account_whose_row_cannot_be_read_holds_up_no_other() -> None:
    """If one account's row cannot be read, the timer still handles the others, and then raises."""
    world = SweepWorld(ALL)
    world.timer().tick()
    (key,) = world.table.rows
    world.table.rows[key]["first_seen_at"] = "soon"
    world.accounts = (ACCOUNT, "https://second.region.batch.azure.com")
    with pytest.raises(CorruptRecord):
        world.timer().tick()
    assert len(world.table.rows) == 2


def test_an_agenda_that_no_version_writes_is_loud(world: SweepWorld) -> None:
    """An account's row that no version writes raises CorruptRecord."""
    later(world, timedelta())
    (key,) = world.table.rows
    world.table.rows[key]["first_seen_at"] = "soon"
    with pytest.raises(CorruptRecord):
        AgendaStore(world.table).read(ACCOUNT)


def test_where_most_was_reached_is_read_from_an_agenda_of_an_earlier_version(world: SweepWorld) -> None:
    """The place where `most` was reached is read from a row of an earlier version, which had one job."""
    later(world, timedelta())
    (key,) = world.table.rows
    world.table.rows[key]["begin_after"] = '{"d": "j-1"}'
    assert agenda(world).begin_after == {"d": (mark_of_id("J-1"),)}


def test_what_the_timer_does_is_a_decision_without_side_effects(world: SweepWorld) -> None:
    """The timer's decision is pure, and counts open requests only if it has to."""
    now, digest = world.clock.now(), digest_of(world.rules.policies)

    def never() -> int:
        raise AssertionError

    row = Agenda(ACCOUNT, digest, now - INTERVAL, last=LastSweep("s", now - DAY))
    assert act_of(None, None, digest, INTERVAL, now, never) is Act.SEE
    assert act_of(row, None, "else", INTERVAL, now, never) is Act.SEE
    assert act_of(row, None, digest, INTERVAL, now - MINUTE, never) is Act.REST
    assert act_of(row, None, digest, INTERVAL, now, never) is Act.START

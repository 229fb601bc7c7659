"""Counting a parent's requests and outcomes."""

from __future__ import annotations

import itertools
import uuid
from functools import partial

import pytest

from shared.clock import to_text
from shared.errors import StorageUnavailable
from shared.ledger import state
from shared.ledger.record import Certainty, Claim, Conclusion, Key, Outcome, Record
from shared.ledger.tally import deltas, totals
from shared.ledger.work import MAX_ROWS
from shared.request.model import derived_id
from shared.storage.table import RowWrite
from tests.chaos.faults import at, before, disturbed, everywhere, nothing
from tests.fakes.app import World
from tests.fakes.batch import refused
from tests.rows import LEASE, NOW, claimed


def bulk(world: World, count: int) -> str:
    """Accepts so many requests under one parent; returns the parent's id."""
    parent = str(uuid.uuid4())
    ids = [f"t-{n}" for n in range(count)]
    world.batch.tasks |= {("job-1", task) for task in ids}
    world.post({"clientRequestId": parent, "jobId": "job-1", "taskIds": ids})
    return parent


def test_requests_and_outcomes_are_counted() -> None:
    """A parent counts each request when it is accepted and each outcome when it is recorded."""
    world = World()
    parent = bulk(world, 40)
    before = totals(world.records, parent, dry_run=False)
    assert (before.requested, before.done) == (40, {})
    world.batch.tasks.discard(("job-1", "t-3"))
    world.settle()
    after = totals(world.records, parent, dry_run=False)
    assert (after.requested, after.done) == (40, {"deleted": 39, "notFound": 1})


def test_a_repeat_is_not_counted_again() -> None:
    """Neither a duplicate message nor a repeated call adds to a parent's counts."""
    world = World()
    parent = str(uuid.uuid4())
    body = {"clientRequestId": parent, "jobId": "job-1", "taskIds": ["a", "b", "a"]}
    world.post(body)
    world.post(body)
    world.put(body)
    world.settle()
    found = totals(world.records, parent, dry_run=False)
    assert (found.requested, sum(found.done.values())) == (2, 2)


def test_a_redrive_takes_the_old_outcome_back() -> None:
    """A redrive removes the old outcome from its parent's counts, and the new one is counted when it is recorded."""
    world = World()
    world.batch.script = [refused(400, "InvalidUri")]
    parent = bulk(world, 1)
    world.settle()
    assert totals(world.records, parent, dry_run=False).done == {"failed": 1}
    (letter,) = world.dead_letters()
    world.redrive(letter["id"])
    assert totals(world.records, parent, dry_run=False).done == {}
    world.settle()
    assert totals(world.records, parent, dry_run=False).done == {"deleted": 1}


def test_a_request_alone_costs_no_count() -> None:
    """A request without a parent writes no counts."""
    world = World()
    world.put_request()
    world.settle()
    assert len(world.records.rows) == 1


NOT_COUNTED = claimed(parent_id=str(uuid.UUID(int=7)), is_counted=False)
"""A row that its claim inserted."""
END = Conclusion(Outcome.DELETED, Certainty.CONFIRMED, NOW, 200)
GIVEN_BACK = state.release(NOT_COUNTED, None, NOW, LEASE)


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        (None, NOT_COUNTED, {}),
        (NOT_COUNTED, state.claim(NOT_COUNTED, Claim("c", "m", 2, NOW + LEASE)), {}),
        (NOT_COUNTED, state.conclude(NOT_COUNTED, END), {"requested": 1, "deleted": 1}),
        (NOT_COUNTED, GIVEN_BACK, {"requested": 1}),
        (GIVEN_BACK, state.claim(GIVEN_BACK, Claim("c", "m", 1, NOW + LEASE)), {}),
        (GIVEN_BACK, state.conclude(GIVEN_BACK, END), {"deleted": 1}),
    ],
)
def test_a_row_that_a_claim_inserts_is_counted_with_what_comes_of_it(
    before: Record | None, after: Record, counts: dict[str, int]
) -> None:
    """A row that a claim inserts is counted once, when it ends or is released, whichever comes first."""
    assert [dict(delta) for delta in deltas([(before, after)]).values()] == ([counts] if counts else [])


def in_one_bucket(world: World, count: int) -> str:
    """Accepts requests whose rows share a bucket, in more than one message if needed; returns their parent."""
    parent = str(uuid.uuid4())
    names = (f"t-{n}" for n in itertools.count())
    ids = list(itertools.islice((t for t in names if Key(derived_id(parent, "job-1", t)).bucket == "a"), count))
    world.batch.tasks |= {("job-1", task) for task in ids}
    world.post({"clientRequestId": parent, "jobId": "job-1", "taskIds": ids})
    return parent


def test_two_that_count_at_once_take_turns() -> None:
    """If another process changes a parent's counts first, they are read again and no outcome is lost."""
    world = World()
    parent = in_one_bucket(world, MAX_ROWS + 10)
    assert len(world.messages()) == 2
    other = world.worker()
    meetings: list[bool] = []

    # The claim was the first write.
    with disturbed(world, at(1, before(lambda: meetings.append(world.deliver(app=other))), "row write")):
        world.settle(1_000)
    assert meetings == [True]
    assert totals(world.records, parent, dry_run=False).done == {"deleted": MAX_ROWS + 10}


def test_counting_costs_no_read_in_one_process() -> None:
    """While one process alone changes a parent's counts, counting costs no read."""
    world = World()
    parent = in_one_bucket(world, 3 * MAX_ROWS)
    before = world.records.operations
    world.settle(1_000)
    assert len(world.batch.calls) == 3 * MAX_ROWS
    assert world.records.operations - before == 3 * len(("claim", "outcome"))
    assert totals(world.records, parent, dry_run=False).done == {"deleted": 3 * MAX_ROWS}


def test_processes_that_meet_at_their_rows_read_them_again() -> None:
    """Four processes that change the same count row in turn lose and double no count."""
    world = World()
    parent = in_one_bucket(world, 8 * MAX_ROWS)
    workers = [world.worker() for _ in range(4)]
    for number in range(8):
        assert world.deliver(app=workers[number % len(workers)])
    assert {row for _, row in world.records.rows if row.startswith("tally:")} == {f"tally:{parent}:8"}
    assert totals(world.records, parent, dry_run=False).done == {"deleted": 8 * MAX_ROWS}


def test_a_row_of_counts_that_was_purged_is_made_again() -> None:
    """A count row that was purged while a process remembers it is created again."""
    world = World()
    parent = in_one_bucket(world, 1)
    world.settle()
    for key in [key for key in world.records.rows if key[1].startswith("tally:")]:
        del world.records.rows[key], world.records.etags[key]
    names = (f"later-{n}" for n in itertools.count())
    later = next(name for name in names if Key(derived_id(parent, "job-1", name)).bucket == "a")
    world.batch.tasks.add(("job-1", later))
    world.post({"clientRequestId": parent, "jobId": "job-1", "taskIds": [later]})
    world.settle()
    found = totals(world.records, parent, dry_run=False)
    assert (found.requested, found.done) == (1, {"deleted": 1})


def others_count(world: World) -> None:
    """Lets other workers write every count row."""
    for key in world.records.etags:
        if key[1].startswith("tally:"):
            world.records.etags[key] += "x"


def test_an_unreadable_row_is_ended_though_others_have_counted_since() -> None:
    """An unreadable row is ended in its first delivery even if remembered counts are outdated."""
    world = World()
    parent = in_one_bucket(world, 3)
    broken = min(key for key, row in world.records.rows.items() if "request" in row)
    world.records.rows[broken]["request"] = "{"
    world.records.etags[broken] += "x"
    others_count(world)
    assert world.deliver()
    assert totals(world.records, parent, dry_run=False).done == {"deleted": 2, "exhausted": 1}


def test_an_end_is_recorded_however_many_count_for_the_parent_at_once() -> None:
    """An outcome is recorded even if other workers change its parent's counts thirty times in a row."""
    world = World()
    parent = in_one_bucket(world, 3)
    left = 30

    def meddle() -> None:
        nonlocal left
        if world.batch.calls and left:
            left -= 1
            others_count(world)

    with disturbed(world, everywhere(before(meddle), "row write")):
        world.settle()
    assert left == 0
    assert len(world.batch.calls) == 3
    assert totals(world.records, parent, dry_run=False).done == {"deleted": 3}


def test_the_counts_of_one_parent_are_spread_over_rows() -> None:
    """A parent's counts are spread over several rows, and all are added up, also that of earlier versions."""
    world = World()
    parent = in_one_bucket(world, 3 * MAX_ROWS)
    for chance in (0.0, 0.3, 0.99):
        assert world.deliver(app=world.worker(random=partial(float, chance)))
    rows = {row for _, row in world.records.rows if row.startswith(f"tally:{parent}:")}
    assert len(rows) > 2
    old = {"PartitionKey": "a", "RowKey": f"tally:{parent}", "requested": 5, "deleted": 2, "touched_at": ""}
    dry_run = old | {"RowKey": f"tally:{parent}.dry-run:3", "requested": 99}
    world.records.write_group([RowWrite(old), RowWrite(dry_run)])
    found = totals(world.records, parent, dry_run=False)
    assert (found.requested, found.done) == (3 * MAX_ROWS + 5, {"deleted": 3 * MAX_ROWS + 2})
    assert totals(world.records, parent, dry_run=True).requested == 99


def test_a_count_that_never_holds_still_is_storage_trouble() -> None:
    """If a parent's counts keep changing, the delivery raises StorageUnavailable, and the next one ends it."""
    world = World()
    parent = in_one_bucket(world, 3)
    plan = everywhere(before(lambda: others_count(world)), "row write")
    with disturbed(world, plan), pytest.raises(StorageUnavailable, match="too many writers"):
        world.deliver()
    world.clock.advance(601)
    world.settle()
    assert totals(world.records, parent, dry_run=False).done == {"deleted": 3}
    assert {result["data"]["outcome"] for result in world.results()} == {"deleted"}


def one_message_of_many_parents(world: World, count: int) -> list[str]:
    """Accepts one request of each of many parents, then all again in one message; returns the parents."""
    parents, bodies = [], []
    for number in itertools.count():
        parent = str(uuid.UUID(int=number))
        wanted = derived_id(parent, "job-1", f"t-{number}")
        if Key(wanted).bucket == "a":
            parents.append(parent)
            bodies.append(world.request(clientRequestId=wanted, taskId=f"t-{number}"))
            world.post({"clientRequestId": parent, "jobId": "job-1", "taskIds": [f"t-{number}"]})
        if len(parents) == count:
            break
    world.queues.clear()
    # As the last version wrote it for a repeat: one header for rows of many acceptances.
    header = {"v": 1, "origin": "bulk", "parentId": None, "acceptedAt": to_text(world.clock.now())}
    world.put({"work": {**header, "rows": [{"request": body} for body in bodies]}})
    return parents


@pytest.mark.parametrize("refused_at", [None, 0, 1])
def test_rows_and_counts_of_many_parents_are_more_than_a_transaction_takes(refused_at: int | None) -> None:
    """A message whose requests have 80 parents is split into transactions; each request is counted once."""
    world = World()
    parents = one_message_of_many_parents(world, 80)
    plan = nothing if refused_at is None else at(refused_at, before(world.records.touch), "row write")
    with disturbed(world, plan):
        world.settle(1_000)

    assert len(world.batch.calls) == len(parents)
    assert world.outcomes() == ["deleted"] * len(parents)
    for parent in parents:
        assert totals(world.records, parent, dry_run=False).done == {"deleted": 1}


def test_a_repeat_of_a_large_call_costs_a_read_or_two_for_each_request() -> None:
    """Repeating a call of 500 requests costs fewer than 1.5 table operations per request."""
    world = World()
    parent = str(uuid.uuid4())
    body = {"clientRequestId": parent, "jobId": "job-1", "taskIds": [f"t-{n}" for n in range(500)]}
    world.post(body)
    before = world.records.operations
    answer = world.post(body)
    assert answer.content["counts"]["replayed"] == 500
    assert world.records.operations - before < 500 * 1.5

"""The daily round: purging rows, requeueing stuck requests, and sending owed results."""

from __future__ import annotations

import itertools
import json
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import StorageUnavailable
from shared.ledger.record import Key
from shared.ledger.tally import totals
from shared.request.model import derived_id
from tests.chaos.faults import Fault, ProcessDied, Trouble, at, before, disturbed, everywhere
from tests.fakes.app import World
from tests.fakes.batch import refused
from tests.fakes.calls import call
from tests.fakes.passage import Operation

DAY = 86_400


def rows(world: World) -> set[str]:
    """The row keys of requests and counts."""
    return {row for partition, row in world.records.rows if partition != "housekeeping"}


def sweep(world: World, seconds: float = 1_000) -> Counter[str]:
    """Runs one daily round."""
    return world.app.housekeeping.round(seconds)


def test_what_is_past_retention_is_forgotten(world: World) -> None:
    """Finished requests are purged once they are past their retention, and not earlier."""
    for n in range(250):
        world.put_request(taskId=f"t-{n}")
    world.settle(1_000)
    world.clock.advance(15 * DAY - 60)
    assert sweep(world)["purged"] == 0
    world.clock.advance(120)
    assert sweep(world)["purged"] == 250
    assert rows(world) == set()


def test_the_counts_of_a_parent_are_forgotten_together(world: World) -> None:
    """A parent's counts are purged only together, once none of its requests is open and all rows are old."""
    chances = itertools.cycle((0.0, 0.3, 0.6, 0.9))
    app = world.worker(random=lambda: next(chances))
    parent = str(uuid.uuid4())
    names = [name for name in (f"t-{n}" for n in range(400)) if Key(derived_id(parent, "job-1", name)).bucket == "a"][
        :9
    ]
    body = {"clientRequestId": parent, "jobId": "job-1", "taskIds": names}
    world.batch.tasks |= {("job-1", name) for name in names}
    app.api.submit(call(body=json.dumps(body).encode()))
    world.batch.script = [refused(403, "Forbidden")]
    world.deliver(app=app)
    (waiting,) = world.messages()
    waiting.visible_at += 15 * timedelta(days=1)
    world.clock.advance(15 * DAY + 3_600)
    sweep(world)
    assert totals(world.records, parent, dry_run=False).requested == 9
    world.settle()
    world.clock.advance(14 * DAY)
    sweep(world)
    assert totals(world.records, parent, dry_run=False).requested == 9
    world.clock.advance(2 * DAY)
    sweep(world)
    assert rows(world) == set()


def test_an_open_request_is_never_forgotten(world: World) -> None:
    """An open request is never purged, however old it is."""
    world.post(world.request())
    world.queues.clear()
    world.clock.advance(400 * DAY)
    assert sweep(world)["purged"] == 0
    assert len(rows(world)) == 1


def test_a_stuck_request_is_requeued(world: World) -> None:
    """An accepted request whose message is gone is requeued after an hour, and not earlier."""
    world.post(world.request())
    world.queues.clear()
    world.clock.advance(3_000)
    assert sweep(world)["put_back"] == 0
    world.clock.advance(1_000)
    assert sweep(world)["put_back"] == 1
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_an_abandoned_claim_is_requeued(world: World) -> None:
    """A claim left by a synchronous call that died is requeued, and the request is carried out."""
    world.batch.tasks.add(("job-1", "task-1"))
    with disturbed(world, at(0, Fault.DIES_BEFORE, "batch delete")), pytest.raises(ProcessDied):
        world.delete(client_request_id="0f8fad5b-d9cb-469f-a165-70867728950e")
    world.clock.advance(4_000)
    assert sweep(world)["put_back"] == 1
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_a_scheduled_request_is_not_stuck(world: World) -> None:
    """A scheduled request that is not due yet is not requeued."""
    world.post(world.request(deleteAfter="P10D"))
    world.clock.advance(2 * DAY)
    assert sweep(world)["put_back"] == 0


def test_an_owed_result_is_sent(world: World) -> None:
    """A result that a synchronous call could not send is sent once by the daily round."""
    world.batch.tasks.add(("job-1", "task-1"))
    with disturbed(world, everywhere(Fault.FAILS, "send results")):
        assert world.delete().status == 200
    assert world.results() == []
    assert sweep(world)["emitted"] == 0
    world.clock.advance(1_000)
    assert sweep(world)["emitted"] == 1
    assert world.outcomes() == ["deleted"]
    assert sweep(world)["emitted"] == 0


def test_a_round_that_runs_out_of_time_goes_on_where_it_stopped(world: World) -> None:
    """A round that runs out of time is continued by the next one from the bucket it had reached."""
    ids = [world.request(taskId=f"t-{n}")["clientRequestId"] for n in range(60)]
    for n, request_id in enumerate(ids):
        world.post({"clientRequestId": request_id, "jobId": "job-1", "taskId": f"t-{n}"})
    world.settle(1_000)
    world.clock.advance(16 * DAY)
    total: Counter[str] = Counter()
    with disturbed(world, everywhere(before(lambda: world.clock.advance(1)), "row")):
        for _ in range(100):
            total += sweep(world, seconds=10)
            if total["purged"] == 60:
                break
    assert total["purged"] == 60
    assert rows(world) == set()


def test_a_cancelled_request_stays_cancelled(world: World) -> None:
    """A cancelled request's row is kept until its delayed message has arrived, so it stays cancelled."""
    world = World(REQUEST_RETENTION_DAYS="2")
    body = world.request(deleteAfter="P10D")
    world.post(body)
    world.cancel(body["clientRequestId"])
    world.clock.advance(3 * DAY)
    assert sweep(world)["purged"] == 0
    world.settle()
    assert set(world.outcomes()) == {"cancelled"}
    assert world.batch.calls == []
    world.clock.advance(6 * DAY)
    assert sweep(world)["purged"] == 1


def test_a_bucket_in_trouble_does_not_keep_the_others_from_their_round(world: World) -> None:
    """A failing bucket delays no other, that night or the next; the round reports the failure at its end."""
    for n in range(40):
        world.put_request(taskId=f"t-{n}")
    world.settle(1_000)
    world.clock.advance(16 * DAY)
    first = min(key[0] for key in world.records.rows if key[0] in "0123456789abcdef")
    trouble = everywhere(Fault.FAILS, "row query", about=f"PartitionKey eq '{first}'")
    for _ in range(2):
        with disturbed(world, trouble), pytest.raises(StorageUnavailable):
            sweep(world)
    assert {key[0] for key in world.records.rows if key[0] != "housekeeping"} == {first}


def test_every_bucket_has_its_turn_however_slow_the_scans_are(world: World) -> None:
    """With very slow scans, successive rounds still get to every bucket, each within the host's limit."""
    lost = next(r for r in (world.request() for _ in range(1_000)) if Key(r["clientRequestId"]).bucket == "f")
    world.post(lost)
    world.queues.clear()
    world.clock.advance(DAY)
    slow = everywhere(before(lambda: world.clock.advance(61)), "row query")
    nights = 0
    while not world.messages():
        began = world.clock.monotonic()
        with disturbed(world, slow):
            sweep(world, 180)
        assert world.clock.monotonic() - began < 300, "the host's limit"
        nights += 1
        assert nights < 10
        world.clock.advance(DAY - 300)
    world.settle()
    assert world.outcomes() == ["deleted"]


def test_a_large_bucket_does_not_keep_a_round_at_its_beginning(world: World) -> None:
    """In a large bucket, the next round continues after the last row that the previous one requeued."""
    ids = [guid for guid in (str(uuid.UUID(int=n)) for n in range(2_000)) if Key(guid).bucket == "0"][:60]
    for number, guid in enumerate(ids):
        world.post(world.request(clientRequestId=guid, taskId=f"t-{number}"))
        world.clock.advance(1)
    world.queues.clear()
    world.clock.advance(DAY)

    counts = []
    for _ in range(2):
        with disturbed(world, everywhere(before(lambda: world.clock.advance(1)), "send")):
            counts.append(sweep(world, 20)["put_back"])
        world.queues.clear()

    assert counts == [32, 28]


def test_what_is_merely_waiting_in_line_is_not_requeued(world: World) -> None:
    """Requests whose messages wait on a queue that nobody reads are not requeued."""
    for number in range(50):
        world.post(world.request(taskId=f"t-{number}"))
    for _ in range(3):
        world.clock.advance(DAY)
        assert sweep(world)["put_back"] == 0
    assert len(world.messages()) <= 50
    world.settle(1_000)
    assert world.outcomes() == ["deleted"] * 50


def test_what_is_missing_is_put_back_although_newer_messages_wait(world: World) -> None:
    """A lost message is replaced even if newer messages wait on the queue."""
    world.post(world.request())
    world.queues.clear()
    world.clock.advance(7_200)
    world.put_request(taskId="t-2")
    world.clock.advance(60)
    assert sweep(world)["put_back"] == 1


def test_nothing_counts_as_lost_while_the_queue_does_not_answer(world: World) -> None:
    """If the queue's depth cannot be read, nothing is requeued; the rest of the round is done, then it raises."""
    world.post(world.request(taskId="t-1"))
    world.settle()
    world.post(world.request(taskId="t-2"))
    world.clock.advance(16 * DAY)
    with disturbed(world, everywhere(Fault.FAILS, "depth")), pytest.raises(StorageUnavailable, match="HTTP 503"):
        sweep(world)
    assert len(rows(world)) == 1
    assert len(world.messages()) == 1


def test_a_round_that_is_killed_goes_on_near_where_it_was(world: World) -> None:
    """A round that is killed has stored its place at intervals, so that the next one repeats little."""
    world.post(world.request())
    world.queues.clear()
    world.clock.advance(DAY)
    scans: list[str] = []

    def slow(_: object, operation: Operation[Any]) -> Trouble | None:
        if operation.name != "row query":
            return None
        scans.append(operation.about)
        world.clock.advance(3)
        return Fault.DIES_BEFORE if len(scans) == 12 else None

    with disturbed(world, slow), pytest.raises(ProcessDied):
        sweep(world)
    seen = set(scans)
    with disturbed(world, slow):
        sweep(world, 9)
    again = [text for text in scans[12:] if text in seen]
    assert len(again) <= 3, "those of the last seconds"


def test_a_row_that_nobody_can_read_is_left_and_told_of(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A row that cannot be read is logged and left, and the rows beside it are handled."""
    for n in range(2):
        world.put_request(taskId=f"t-{n}")
    world.settle()
    broken = min(world.records.rows)
    world.records.rows[broken] |= {"state": "accepted", "request": "{"}
    world.clock.advance(16 * DAY)
    assert sweep(world)["purged"] == 1
    assert set(world.records.rows) - {("housekeeping", "cursor")} == {broken}
    assert f"corrupt_record row={broken[1]}" in caplog.text


def test_the_buckets_are_those_of_the_ids(world: World) -> None:
    """The round goes through every bucket that an id can have."""
    assert {Key(world.request()["clientRequestId"]).bucket for _ in range(500)} == set("0123456789abcdef")

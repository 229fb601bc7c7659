"""Accepting many requests in one call, some of which may be known already."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace

from shared.deletion.acceptance import Acceptance, Receipt
from shared.ledger.record import Key, Origin, Record
from shared.storage.table import RowWrite
from tests.chaos.faults import after, at, disturbed
from tests.fakes.app import World
from tests.rows import request


def asked(world: World, count: int, task: str = "task-1") -> list[Record]:
    """Requests whose rows share a bucket, as they are accepted."""
    ids = (str(uuid.UUID(int=number)) for number in range(1, 100 * count))
    here = [guid for guid in ids if Key(guid).bucket == "a"][:count]
    now = world.clock.now()
    return [Record.new(request(clientRequestId=guid, taskId=task), Origin.BULK, now) for guid in here]


def accept(world: World, records: list[Record]) -> list[Acceptance]:
    """Accepts the requests, and counts table operations from here on."""
    world.records.operations = 0
    return world.app.worker.acceptor.accept_all(records)


def receipts(answers: list[Acceptance]) -> Counter[str]:
    """How many requests have each receipt."""
    return Counter(answer.receipt.value for answer in answers)


def test_a_repeat_of_a_whole_call_reads_its_rows_together() -> None:
    """Repeating a call of 90 requests costs one refused transaction and one query, and sends the messages again."""
    world = World()
    records = asked(world, 90)
    accept(world, records)

    again = accept(world, records)

    assert receipts(again) == {"replayed": 90}
    assert world.records.operations == 2
    assert len(world.messages()) == 2


def test_what_is_missing_of_a_repeat_is_written_together() -> None:
    """If a repeat finds some rows missing, it writes them together and answers in the requests' order."""
    world = World()
    records = asked(world, 60)
    accept(world, records[::3])

    again = accept(world, records)

    assert [a.receipt for a in again[:3]] == [Receipt.REPLAYED, Receipt.ACCEPTED, Receipt.ACCEPTED]
    assert [a.asked.key for a in again] == [a.record.key for a in again] == [record.key for record in records]
    assert receipts(again) == {"replayed": 20, "accepted": 40}
    assert world.records.operations == 3


def test_an_id_with_another_payload_is_a_conflict_among_repeats() -> None:
    """A known id with another payload is a conflict, for which no message is sent."""
    world = World()
    accept(world, asked(world, 10))
    world.queues.clear()

    other = asked(world, 5, "another-task") + asked(world, 10)[5:]

    assert receipts(accept(world, other)) == {"conflict": 5, "replayed": 5}
    assert sum(message.text.count("another-task") for message in world.messages()) == 0


def test_a_row_that_comes_meanwhile_is_looked_at_alone() -> None:
    """A row that another call inserts after the query is a repeat, and all others are accepted."""
    world = World()
    records = asked(world, 20)
    accept(world, records[:5])
    other_call = after(lambda: world.worker().worker.acceptor.accept_all(records[9:10]))

    with disturbed(world, at(0, other_call, "row query")):
        assert receipts(accept(world, records)) == {"replayed": 6, "accepted": 14}


def test_a_row_that_cannot_be_read_holds_up_no_other() -> None:
    """A row that cannot be read ends its request as CorruptRecord, and the other requests are answered."""
    world = World()
    records = asked(world, 10)
    accept(world, records)
    key = (records[4].key.bucket, records[4].key.row)
    world.records.write(RowWrite({"PartitionKey": key[0], "RowKey": key[1], "state": "odd"}, world.records.etags[key]))

    again = accept(world, records)

    assert receipts(again) == {"replayed": 10}
    assert again[4].record.conclusion is not None
    assert again[4].record.conclusion.error is not None
    assert again[4].record.conclusion.error.code == "CorruptRecord"


def test_a_repeat_tells_of_rows_that_are_done() -> None:
    """A repeat of finished requests returns their outcomes and sends no message."""
    world = World()
    world.batch.tasks.add(("render-7", "task-1"))
    records = asked(world, 3)
    accept(world, records)
    world.settle()

    again = accept(world, [replace(record, accepted_at=world.clock.now()) for record in records])

    assert all(answer.record.conclusion for answer in again)
    assert world.messages() == []

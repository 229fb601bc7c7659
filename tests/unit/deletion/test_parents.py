"""What a cancelled parent means for its requests."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from shared.batch.reply import ErrorBody
from shared.deletion.parents import Parents, Veto
from shared.ledger.record import Certainty, Conclusion, Key, Origin, Outcome, Record
from shared.ledger.tally import totals
from tests.fakes.app import World
from tests.fakes.batch import LOST, refused
from tests.rows import NOW, accepted, done

PARENT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
STOPPED = ErrorBody("ParentCancelled", "The clean-up was cancelled.")


def cancelled(record: Record, now: datetime) -> Conclusion | None:
    """The end of a request whose clean-up was cancelled before the request was claimed."""
    return ended(record, now) if record.is_untouched else None


def ended(_: Record, now: datetime) -> Conclusion:
    """Ends any request, as a sweep does whose policy has changed."""
    return Conclusion(Outcome.CANCELLED, Certainty.CONFIRMED, now, error=STOPPED)


@dataclass
class Known:
    """A parent with a veto, which records how often it was asked."""

    veto_of: Veto | None = None
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def veto(self, parent_id: str, *, dry_run: bool) -> Veto | None:
        """See Parent."""
        self.asked.append((parent_id, dry_run))
        return self.veto_of


def row(**columns: Any) -> Record:
    """A request of a clean-up."""
    return accepted(origin=Origin.JOB_COMPLETION, parent_id=PARENT, **columns)


def test_a_parent_is_asked_once_for_all_requests_of_a_message() -> None:
    """A parent is asked once per message, however many of its requests are in it."""
    known = Known(cancelled)
    veto = Parents({Origin.JOB_COMPLETION: known}).of_message()
    assert [veto(row(), NOW) for _ in range(3)] == [cancelled(row(), NOW)] * 3
    assert known.asked == [(PARENT, False)]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(accepted(), id="without a parent"),
        pytest.param(accepted(origin=Origin.BULK, parent_id=PARENT), id="of a parent that cannot be cancelled"),
        pytest.param(accepted(origin=Origin.REDRIVE, parent_id=PARENT), id="redriven by a person"),
        pytest.param(done(origin=Origin.JOB_COMPLETION, parent_id=PARENT), id="done"),
    ],
)
def test_what_a_parent_has_no_say_in(record: Record) -> None:
    """A parent is not asked about requests that are not its own, are finished, or were redriven."""
    known = Known(cancelled)
    assert Parents({Origin.JOB_COMPLETION: known}).of_message()(record, NOW) is None
    assert known.asked == []


def stop(world: World, veto: Veto = cancelled) -> Known:
    """Gives all clean-ups a veto."""
    known = Known(veto)
    world.app.parents[Origin.JOB_COMPLETION] = known
    return known


def message(world: World, count: int = 3, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    """A message of the app's own for requests of a clean-up, and their ids."""
    ids = [guid for guid in (str(uuid.UUID(int=n)) for n in range(200)) if Key(guid).bucket == "a"][:count]
    bodies = [world.request(clientRequestId=guid, taskId=f"t-{n}", **fields) for n, guid in enumerate(ids)]
    header = {"v": 1, "origin": "job-completion", "parentId": PARENT, "acceptedAt": "2026-11-24T07:00:00Z"}
    return {"work": {**header, "rows": [{"request": body} for body in bodies]}}, ids


@pytest.mark.parametrize("queue", ["requests", "requests-poison"])
def test_requests_of_a_cancelled_parent_end_when_their_message_comes(world: World, queue: str) -> None:
    """Requests of a cancelled parent end together when their message arrives: no DELETE, no dead letter."""
    known = stop(world)
    text, ids = message(world)
    world.put(text, queue)
    world.settle()
    assert world.outcomes() == ["cancelled"] * len(ids)
    assert {r["data"]["error"]["code"] for r in world.results()} == {"ParentCancelled"}
    assert world.batch.calls == []
    assert world.letters.rows == {}
    assert totals(world.records, PARENT, dry_run=False).done == {"cancelled": 3}
    assert len(known.asked) == 1


def test_requests_that_wait_for_their_time_end_when_it_comes(world: World) -> None:
    """A scheduled request of a cancelled parent ends as cancelled when its message arrives."""
    text, ids = message(world, deleteAfter="P1D")
    world.put(text)
    world.deliver()
    stop(world)
    world.settle()
    assert world.outcomes() == ["cancelled"] * len(ids)
    assert world.batch.calls == []


def test_a_request_that_was_begun_goes_on(world: World) -> None:
    """A request that was tried before its parent was cancelled is still retried and deleted."""
    text, _ = message(world, 1)
    world.batch.script = [refused(429, "TooManyRequests", 60)]
    world.put(text)
    world.deliver()
    stop(world)
    world.settle()
    assert world.outcomes() == ["deleted"]


@pytest.mark.parametrize(("lost", "certainty"), [(False, "confirmed"), (True, "unknown")])
def test_a_parent_may_judge_retries_too(world: World, lost: bool, certainty: str) -> None:
    """A parent may also end a request before its retry; the outcome is `unknown` if a try may have worked."""
    text, _ = message(world, 1)
    world.batch.script = [LOST if lost else refused(429, "TooManyRequests", 60)]
    world.put(text)
    world.deliver()
    stop(world, ended)
    world.settle()
    (data,) = (result["data"] for result in world.results())
    assert (data["outcome"], data["certainty"]) == ("cancelled", certainty)


def test_a_request_that_a_person_redrives_goes_on(world: World) -> None:
    """A redriven request is carried out although its parent is cancelled."""
    text, _ = message(world, 1)
    world.batch.script = [refused(409, "TaskCompleted")]
    world.put(text)
    world.settle()
    stop(world)
    (letter,) = world.dead_letters()
    world.redrive(letter["id"])
    world.settle()
    assert world.outcomes()[-1] == "deleted"
    assert world.batch.tasks == set()

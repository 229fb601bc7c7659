"""Cancelling a request while storage loses answers."""

from __future__ import annotations

import pytest

from tests.chaos.faults import Fault, at, disturbed
from tests.fakes.app import World


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_request_whose_end_was_written_twice_has_its_result_sent(lost: int) -> None:
    """If the storage client repeats a write of the cancellation, there is still one result id and the answer is 200."""
    world = World()
    body = world.request(deleteAfter="P1D")
    world.post(body)
    with disturbed(world, at(lost, Fault.IS_REPEATED)) as injector:
        answer = world.cancel(body["clientRequestId"])

    assert injector.names[lost].split()[0] in {"row", "send"}
    assert (answer.status, answer.content["result"]["data"]["outcome"]) == (200, "cancelled")
    assert set(world.outcomes()) == {"cancelled"}
    assert len({result["id"] for result in world.results()}) == 1


def test_a_repeat_sends_what_is_owed_still() -> None:
    """If the result of a cancellation could not be sent, a repeat of the cancellation sends it once."""
    world = World()
    body = world.request(deleteAfter="P1D")
    world.post(body)
    with disturbed(world, at(0, Fault.FAILS, "send")):
        assert world.cancel(body["clientRequestId"]).status == 200
    assert world.outcomes() == []
    for _ in range(2):
        assert world.cancel(body["clientRequestId"]).status == 200
    assert world.outcomes() == ["cancelled"]

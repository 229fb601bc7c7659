"""Lanes: how many calls to each account run at a time, and which have to wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.batch import lanes
from shared.batch.lanes import HOST_THREADS, Lanes
from shared.batch.reply import Reply, Sent

SLOW, WELL = "https://slow.region.batch.azure.com", "https://well.region.batch.azure.com"
SENT = Reply(Sent.ANSWERED, 200)


def answering(number: int) -> Callable[[], Reply]:
    """A call whose reply can be recognised by its number."""
    return lambda: Reply(Sent.ANSWERED, 200, request_id=str(number))


def test_replies_come_in_the_order_of_the_calls() -> None:
    """Replies are returned in the order of the calls, whichever account answers first."""
    calls = [((SLOW, WELL)[n % 2], answering(n)) for n in range(20)]
    assert [reply.request_id for reply in Lanes([SLOW, WELL], 4).run(calls)] == [str(n) for n in range(20)]


@pytest.mark.parametrize("most", [1, 48])
def test_as_many_calls_side_by_side_as_the_setting_says(most: int) -> None:
    """As many calls run in parallel as BATCH_MAX_CONCURRENCY says, even more than the host has threads."""
    meeting = threading.Barrier(most)

    def call() -> Reply:
        meeting.wait(10)
        return SENT

    assert Lanes([WELL], most).run([(WELL, call)] * most * 2) == [SENT] * most * 2


def test_calls_that_hang_hold_up_no_other_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account whose calls hang blocks only its share of the host's threads; its further calls are held."""
    monkeypatch.setattr(lanes, "ENTER_SECONDS", 0.01)
    both, release = Lanes([SLOW, WELL], 8), threading.Event()

    def hang() -> Reply:
        release.wait(30)
        return SENT

    with ThreadPoolExecutor(HOST_THREADS) as host:
        hung = [host.submit(both.run, [(SLOW, hang)] * 3) for _ in range(HOST_THREADS)]
        try:
            for _ in range(10):
                assert host.submit(both.run, [(WELL, answering(1)), (SLOW, hang)]).result(10)[0].request_id == "1"
        finally:
            release.set()
        ended = [invocation.result(10) for invocation in hung]
    assert sum(replies[0].sent is Sent.HELD for replies in ended) == HOST_THREADS // 4


def test_a_call_that_raises_frees_its_lane() -> None:
    """A call that raises frees its place in the lane."""
    one = Lanes([WELL], 1)

    def broken() -> Reply:
        raise RuntimeError("broken")

    for _ in range(HOST_THREADS + 1):
        with pytest.raises(RuntimeError):
            one.run([(WELL, broken)])
    assert one.run([(WELL, answering(1))])[0].request_id == "1"


def test_an_account_without_a_lane_is_not_held() -> None:
    """A call to an account outside the list is not held here: the client refuses it with a reason."""
    assert Lanes([WELL], 1).run([(SLOW, answering(1))])[0].request_id == "1"

"""A lane for each account: threads for parallel calls, and a share of the host's threads.

Slow or hanging calls to one account therefore do not hold up calls to another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final

from shared.batch.reply import ErrorBody, Reply, Sent

HOST_THREADS: Final = 32
"""PYTHON_THREADPOOL_THREAD_COUNT in the templates: how many invocations run at once in one process."""
SHARE: Final = 0.75
"""The largest share of the host's threads that one of several accounts may use."""
ENTER_SECONDS: Final = 2.0
"""How long an invocation waits for its account's share before it gives its thread to others."""

HELD = Reply(Sent.HELD, error=ErrorBody("AccountBusy", "Other calls to this account are using all its threads."))

AccountCall = tuple[str, Callable[[], Reply]]
"""An account, and the function that calls it."""


@dataclass(frozen=True)
class _Lane:
    executor: Executor
    invocations: threading.BoundedSemaphore


class Lanes:
    """Runs an invocation's calls, each in its account's lane."""

    def __init__(
        self,
        accounts: Sequence[str],
        most_in_flight: int,
        executor_of: Callable[[int, str], Executor] = ThreadPoolExecutor,
    ) -> None:
        share = HOST_THREADS if len(accounts) == 1 else int(HOST_THREADS * SHARE)
        self._lanes = {
            account: _Lane(executor_of(most_in_flight, f"batch-{number}"), threading.BoundedSemaphore(share))
            for number, account in enumerate(accounts)
        }

    def run(self, calls: Sequence[AccountCall]) -> list[Reply]:
        """The replies, in the order of the calls; HELD where the account has no thread to spare."""
        by_account: dict[str, list[int]] = {}
        for index, (account, _) in enumerate(calls):
            by_account.setdefault(account, []).append(index)
        replies = dict.fromkeys(range(len(calls)), HELD)
        entered = []
        try:
            waiting = []
            for account, indexes in by_account.items():
                lane = self._lanes.get(account)
                if lane is None or lane.invocations.acquire(timeout=ENTER_SECONDS):
                    entered += [lane] if lane else []
                    waiting.append((indexes, _start(lane, [calls[index][1] for index in indexes])))
            for indexes, results in waiting:
                replies.update(zip(indexes, results(), strict=True))
        finally:
            for lane in entered:
                lane.invocations.release()
        return list(replies.values())


def _start(lane: _Lane | None, calls: Sequence[Callable[[], Reply]]) -> Callable[[], list[Reply]]:
    """Starts calls in parallel and returns a function that waits for them. A single call needs no other thread."""
    if lane is None or len(calls) == 1:
        return lambda: [call() for call in calls]
    # The worker finds a log line's invocation in the context, and a pool's thread begins without one: the host
    # drops lines of no invocation (https://github.com/Azure/azure-functions-python-worker/issues/1860).
    futures = [lane.executor.submit(copy_context().run, call) for call in calls]
    return lambda: [future.result() for future in futures]

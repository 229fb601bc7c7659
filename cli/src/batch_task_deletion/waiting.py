"""Waits until requests, clean-ups and sweeps are over, by polling them in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from batch_task_deletion.client import SIDE_BY_SIDE, Client
from batch_task_deletion.faults import TimeUp
from batch_task_deletion.find import object_of
from batch_task_deletion.subject import Subject, is_over
from batch_task_deletion.text import is_error

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
AT_ONCE = 4 * SIDE_BY_SIDE
"""Polled together. The share that is still open determines the pause before the next batch."""

Seen = Callable[[Subject, dict[str, Any] | None], None]
"""Called with the result of each poll; None if the app does not know the id (any longer)."""


def wait(client: Client, subjects: Iterable[Subject], seen: Seen, deadline: float | None = None) -> None:
    """Returns once all are over. Raises TimeUp at `deadline`, a time of the client's clock."""
    waiting, pause = deque(subjects), FIRST_PAUSE
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        while waiting:
            batch = [waiting.popleft() for _ in range(min(AT_ONCE, len(waiting)))]
            still = []
            for subject, document in zip(batch, _look(pool, client, batch, deadline), strict=True):
                seen(subject, document)
                if document is not None and not is_over(subject.kind, document):
                    still.append(subject)
            waiting.extend(still)
            if still:
                _sleep(client, pause * len(still) / len(batch), deadline)
            pause = min(pause * 1.5, LONGEST_PAUSE) if len(still) == len(batch) else FIRST_PAUSE
    finally:
        # Do not wait for calls still running: after Ctrl-C their results are not wanted.
        pool.shutdown(wait=False, cancel_futures=True)


def _look(
    pool: ThreadPoolExecutor, client: Client, batch: Sequence[Subject], deadline: float | None
) -> Iterable[dict[str, Any] | None]:
    def one(subject: Subject) -> dict[str, Any] | None:
        answer = client.get(subject.path, subject.query, deadline=deadline)
        # A bare 404 is from another service, or from a host that has not loaded the app.
        return None if answer.status == 404 and is_error(answer.document) else object_of(answer)

    return map(one, batch) if len(batch) == 1 else pool.map(one, batch)


def _sleep(client: Client, seconds: float, deadline: float | None) -> None:
    clock = client.clock
    if deadline is not None and clock.now() + seconds >= deadline:
        clock.sleep(max(0.0, deadline - clock.now()))
        raise TimeUp
    clock.sleep(seconds)

"""Calls a function on many things, in parallel or one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class SideBySide:
    """Calls in an executor's threads, or without an executor in the caller's thread."""

    executor: Executor | None = None

    def each(self, work: Callable[[T], R], things: Sequence[T]) -> list[R]:
        """The results in the order of the things, once all calls have ended; raises the first exception."""
        if self.executor is None or len(things) < 2:
            return [work(thing) for thing in things]
        # The worker finds a log line's invocation in the context, and a pool's thread begins without one: the host
        # drops lines of no invocation (https://github.com/Azure/azure-functions-python-worker/issues/1860).
        begun = [self.executor.submit(copy_context().run, work, thing) for thing in things]
        faults = [call.exception() for call in begun]
        for fault in faults:
            if fault is not None:
                raise fault
        return [call.result() for call in begun]


ONE_BY_ONE = SideBySide()

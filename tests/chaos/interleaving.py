"""Several workers on one storage account, in any order: deliveries that overlap, stall, die and come again.

Each invocation runs in a thread of its own and may hand over after an operation, so that exactly one thread runs at
any time and a run depends on its choices alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import Semaphore, Thread

from shared.errors import AppError
from tests.chaos.faults import FaultInjector, Plan, ProcessDied, after, nothing
from tests.chaos.promise_checker import PromiseChecker
from tests.fakes.app import World
from tests.fakes.clock import SkewedClock
from tests.fakes.passage import Operation, T
from tests.fakes.queues import Message


class _Current(threading.local):
    invocation: Invocation | None = None


_current = _Current()


class Invocation:
    """One run of a function, whose operations are numbered, and which may be stalled at one of them."""

    def __init__(self, run: Callable[[], object], plan: Plan) -> None:
        self.injector = FaultInjector(plan)
        self.finished = False
        self._run = run
        self._error: BaseException | None = None
        self._is_to_die = False
        self._go = Semaphore(0)
        self._back = Semaphore(0)
        Thread(target=self._main, daemon=True).start()

    def go_on(self, *, die: bool = False) -> None:
        """Runs the invocation to its end or next stall; with `die`, kills its process where it stands."""
        self._is_to_die = die
        self._go.release()
        self._back.acquire()
        if self._error is not None and not isinstance(self._error, AppError | ProcessDied):
            raise self._error

    def stall(self) -> None:
        """Hands over to another invocation until `go_on`."""
        self._back.release()
        self._go.acquire()
        if self._is_to_die:
            raise ProcessDied

    def _main(self) -> None:
        self._go.acquire()
        _current.invocation = self
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread of the test
            self._error = error
        self.finished = True
        self._back.release()


def _stall() -> None:
    assert _current.invocation, "only an invocation can be parked"
    _current.invocation.stall()


STALL = after(_stall)
"""The invocation is parked once the operation has had its effect."""


class Interleaving:
    """A world whose invocations overlap, and the faults in it."""

    def __init__(self, skews: tuple[float, ...] = (0, 0, 0), **settings: str) -> None:
        self.world = World(**settings)
        # Instants that no row holds exactly.
        self.world.clock.advance(0.000_789)
        self.world.passage = self._pass
        self.promises = PromiseChecker(self.world)
        self.workers = [self.world.worker(SkewedClock(self.world.clock, skew)) for skew in skews]
        self.stalled: list[Invocation] = []

    def deliver(
        self, queue: str = "requests", worker: int = 0, plan: Plan = nothing, message: Message | None = None
    ) -> None:
        """Delivers a message to a worker, by default the first visible one, if there is any."""
        self.begin(lambda: self.world.deliver(queue, self.workers[worker], message), plan)

    def begin(self, run: Callable[[], object], plan: Plan = nothing) -> None:
        """Starts an invocation of any function."""
        self._let_run(Invocation(run, plan))

    def resume(self, invocation: Invocation, *, die: bool = False) -> None:
        """Lets a stalled invocation go on, or kills it."""
        self.stalled.remove(invocation)
        self._let_run(invocation, die=die)

    def resume_all(self) -> None:
        """Lets all stalled invocations run to their end."""
        while self.stalled:
            self.resume(self.stalled[0])

    def _let_run(self, invocation: Invocation, *, die: bool = False) -> None:
        invocation.go_on(die=die)
        if not invocation.finished:
            self.stalled.append(invocation)

    def _pass(self, operation: Operation[T]) -> T:
        return _current.invocation.injector(operation) if _current.invocation else operation.effect()

"""Several workers on one storage account, in any order: deliveries that overlap, stall, die and come again.

An invocation that is to stall runs in a thread of its own and hands over at that one operation, so that exactly one
thread runs at any time and a run depends on its choices alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Semaphore, Thread

from shared.batch.reply import Reply
from shared.errors import AppError, StorageUnavailable
from shared.wiring.services import App
from tests.fake_clock import FakeClock
from tests.faults import BEFORE, DEATHS, Kind, ProcessDied, Watch
from tests.memory_table import Repeated
from tests.world import LOST, NOT_SENT, Message, World

STALL = "stall"
Plan = Mapping[int, "Kind | str"]
"""What happens at which operation of an invocation; the first has the number 0."""


class SkewedClock:
    """The clock of a machine that is wrong by so many seconds."""

    def __init__(self, true: FakeClock, seconds: float) -> None:
        self._true = true
        self._skew = timedelta(seconds=seconds)

    def now(self) -> datetime:
        """What the machine takes for the time."""
        return self._true.now() + self._skew

    def monotonic(self) -> float:
        """Passes like the true one."""
        return self._true.monotonic()

    def sleep(self, seconds: float) -> None:
        """As long as the true one."""
        self._true.sleep(seconds)


@dataclass
class Invocation:
    """One run of a function, which may be parked at an operation."""

    run: Callable[[], None]
    plan: Plan
    operations: int = 0
    finished: bool = False
    is_to_die: bool = False
    error: BaseException | None = None
    _go: Semaphore = field(default_factory=lambda: Semaphore(0))
    _back: Semaphore = field(default_factory=lambda: Semaphore(0))

    def start(self) -> None:
        """Runs to the end, or until it stalls."""
        if STALL in self.plan.values():
            Thread(target=self._threaded, daemon=True).start()
            self.go_on()
        else:
            self._main()
            self._raise()

    def go_on(self, *, die: bool = False) -> None:
        """Lets a stalled invocation run on; with `die` its process is killed instead."""
        self.is_to_die = die
        self._go.release()
        self._back.acquire()
        self._raise()

    def stall(self) -> None:
        """Hands over until `go_on`."""
        self._back.release()
        self._go.acquire()
        if self.is_to_die:
            raise ProcessDied

    def _threaded(self) -> None:
        self._go.acquire()
        self._main()
        self._back.release()

    def _main(self) -> None:
        try:
            self.run()
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread of the test
            self.error = error
        self.finished = True

    def _raise(self) -> None:
        if self.error is not None and not isinstance(self.error, AppError | ProcessDied):
            raise self.error


class Tangle:
    """A world whose invocations overlap, with what went wrong in it."""

    def __init__(self, skews: tuple[float, ...] = (0, 0, 0), **settings: str) -> None:
        self.world = World(**settings)
        # Instants that no row holds exactly.
        self.world.clock.advance(0.000_789)
        self.watch = Watch(self.world)
        self.workers = [self.world.worker(SkewedClock(self.world.clock, skew)) for skew in skews]  # type: ignore[arg-type]
        self.stalled: list[Invocation] = []
        self.poison_copies_stay = False
        """Whether the host, when it moves a message, leaves the original behind."""
        self._current: list[Invocation] = []
        self.world.records.fault = self._operation
        self.world.letters.fault = self._operation
        self.world.send_fault = self._sending
        self.world.batch.fault = self._batch

    # What a test or a random driver does

    def deliver(
        self, queue: str = "requests", worker: int = 0, plan: Plan | None = None, message: Message | None = None
    ) -> bool:
        """Delivers a visible message to a worker; False when there is none."""
        now = self.world.clock.now()
        visible = [m for m in self.world.messages(queue) if m.visible_at <= now]
        message = message or (visible[0] if visible else None)
        if message is None:
            return False
        message.dequeue_count += 1
        message.visible_at = now + timedelta(minutes=10)
        if message.dequeue_count > 10:
            self._give_up(queue, message)
            return True
        app, receipt = self.workers[worker], message.dequeue_count
        self.begin(lambda: self._invoke(queue, message, receipt, app), plan or {})
        return True

    def begin(self, run: Callable[[], object], plan: Plan) -> Invocation:
        """Starts an invocation of any function."""

        def call() -> None:
            run()

        invocation = Invocation(call, plan)
        self._switch_to(invocation, invocation.start)
        return invocation

    def resume(self, invocation: Invocation, *, die: bool = False) -> None:
        """Lets a stalled invocation go on, or kills it."""
        self.stalled.remove(invocation)
        self._switch_to(invocation, lambda: invocation.go_on(die=die))

    def resume_all(self) -> None:
        """Lets all that is stalled go on to its end."""
        while self.stalled:
            self.resume(self.stalled[0])

    def _switch_to(self, invocation: Invocation, step: Callable[[], None]) -> None:
        self._current.append(invocation)
        try:
            step()
        finally:
            self._current.pop()
        if not invocation.finished:
            self.stalled.append(invocation)

    # The host

    def _invoke(self, queue: str, message: Message, receipt: int, app: App) -> None:
        try:
            for text in self.world.run(queue, message, app):
                self.world.send("results", text)
        except AppError:
            if self._holds(queue, message, receipt) and not queue.endswith("-poison"):
                if receipt >= 10:
                    self._give_up(queue, message)
                else:
                    message.visible_at = self.world.clock.now() + timedelta(seconds=60)
            raise
        if self._holds(queue, message, receipt):
            self.world.messages(queue).remove(message)

    def _holds(self, queue: str, message: Message, receipt: int) -> bool:
        """A receipt is worth nothing once the message was handed to somebody else."""
        return message in self.world.messages(queue) and message.dequeue_count == receipt

    def _give_up(self, queue: str, message: Message) -> None:
        """Moves a message to the poison queue; a copy that was looked at ten times is not shown again."""
        if queue.endswith("-poison"):
            message.visible_at = datetime.max.replace(tzinfo=message.visible_at.tzinfo)
            self.world.messages(queue).remove(message)
            return
        now = self.world.clock.now()
        copy = replace(message, id=str(uuid.uuid4()), dequeue_count=0, inserted_at=now, visible_at=now)
        self.world.queues.setdefault(f"{queue}-poison", []).append(copy)
        if not self.poison_copies_stay:
            self.world.messages(queue).remove(message)

    # What goes wrong

    def _operation(self, when: str, what: str) -> None:
        invocation = self._current[-1] if self._current else None
        if invocation is None:
            return
        number = invocation.operations
        if when == "after":
            invocation.operations += 1
        self._spoil(invocation, invocation.plan.get(number), when)

    def _sending(self, when: str, queue: str) -> None:
        try:
            self._operation(when, queue)
        except Repeated:
            messages = self.world.messages(queue)
            messages.append(replace(messages[-1], id=str(uuid.uuid4())))

    def _spoil(self, invocation: Invocation, kind: Kind | str | None, when: str) -> None:
        if kind is None:
            return
        if kind == STALL:
            if when == "after":
                invocation.stall()
            return
        if (when == "before") != (kind in BEFORE):
            return
        if kind in DEATHS:
            raise ProcessDied
        raise Repeated if kind is Kind.IS_REPEATED else StorageUnavailable(str(kind))

    def _batch(self, answer: Callable[[], Reply]) -> Reply:
        invocation = self._current[-1] if self._current else None
        if invocation is None:
            return answer()
        kind = invocation.plan.get(invocation.operations)
        invocation.operations += 1
        if kind in BEFORE:
            if kind in DEATHS:
                raise ProcessDied
            return NOT_SENT
        reply = answer()
        if kind == STALL:
            invocation.stall()
        if kind is Kind.DEATH_AFTER:
            raise ProcessDied
        return LOST if kind in {Kind.LOSES_ITS_ANSWER, Kind.IS_REPEATED} else reply

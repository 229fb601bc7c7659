"""Faults of the outside world, and plans that say which of the app's operations they hit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from tests.fakes.passage import Operation, Passage, T, undisturbed
from tests.fakes.table import MemoryTable


class ProcessDied(BaseException):
    """The worker process has died: nothing after this point of the invocation happens."""


class Fault(StrEnum):
    """What goes wrong in an operation."""

    FAILS = "fails"
    """The operation has no effect, and the app sees an error."""
    LOSES_ITS_ANSWER = "loses its answer"
    """The operation has its effect, and the app sees an error."""
    IS_REPEATED = "is repeated"
    """The operation has its effect, and the client library, which missed the answer, sends it again."""
    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"


@dataclass(frozen=True)
class Meanwhile:
    """Not a fault: something else happens just before or just after the operation."""

    act: Callable[[], object]
    is_after: bool = False


def before(act: Callable[[], object]) -> Meanwhile:
    """A plan's entry: something happens just before an operation."""
    return Meanwhile(act)


def after(act: Callable[[], object]) -> Meanwhile:
    """A plan's entry: something happens just after an operation."""
    return Meanwhile(act, is_after=True)


Trouble = Fault | Meanwhile
Plan = Callable[[Sequence[str], Operation[Any]], Trouble | None]
"""Decides what happens to an operation, given the names of the operations before it."""


def nothing(past: Sequence[str], operation: Operation[Any]) -> None:
    """The plan without faults."""


def each(troubles: Mapping[int, Trouble]) -> Plan:
    """Plans faults for the operations with these numbers, from 0 on."""
    return lambda past, _: troubles.get(len(past))


def since(number: int, trouble: Trouble) -> Plan:
    """Plans faults for the operation with this number and all later ones."""
    return lambda past, _: trouble if len(past) >= number else None


def at(number: int, trouble: Trouble, *names: str) -> Plan:
    """Plans a fault for operation `number`, from 0 on, among those whose names begin with one of `names`, or all."""

    def plan(past: Sequence[str], operation: Operation[Any]) -> Trouble | None:
        is_it = _begins(operation.name, names) and sum(_begins(name, names) for name in past) == number
        return trouble if is_it else None

    return plan


def everywhere(trouble: Trouble, *names: str, about: str = "") -> Plan:
    """Plans faults for every operation whose name begins so and that is about this."""
    return lambda _, operation: trouble if _begins(operation.name, names) and about in operation.about else None


def following(name: str, trouble: Trouble) -> Plan:
    """Plans faults for every operation after the first one with this name."""
    return lambda past, _: trouble if name in past else None


def either(*plans: Plan) -> Plan:
    """Takes for each operation what the first of these plans has for it, if any."""
    return lambda past, operation: next((t for plan in plans if (t := plan(past, operation))), None)


def _begins(name: str, names: tuple[str, ...]) -> bool:
    return not names or name.startswith(names)


def contended(table: MemoryTable) -> Plan:
    """Plans that another worker changes every row just before each write, which is then refused."""
    return everywhere(before(table.touch), "row write")


class FaultInjector:
    """Numbers the operations that pass, and makes them go wrong as the plan says."""

    def __init__(self, plan: Plan = nothing, onward: Passage = undisturbed) -> None:
        self.plan = plan
        self._onward = onward
        self.names: list[str] = []
        """The names of the operations so far, in order."""

    def __call__(self, operation: Operation[T]) -> T:
        """See Passage."""
        trouble = self.plan(self.names, operation)
        self.names.append(operation.name)
        if isinstance(trouble, Meanwhile):
            return self._with_company(operation, trouble)
        if trouble is Fault.DIES_BEFORE:
            raise ProcessDied
        if trouble is Fault.FAILS:
            return operation.failed()
        answer = self._onward(operation)
        if trouble is Fault.DIES_AFTER:
            raise ProcessDied
        if trouble is Fault.LOSES_ITS_ANSWER:
            return operation.unanswered()
        return operation.repeated() if trouble is Fault.IS_REPEATED else answer

    def _with_company(self, operation: Operation[T], company: Meanwhile) -> T:
        if not company.is_after:
            company.act()
        answer = self._onward(operation)
        if company.is_after:
            company.act()
        return answer


class Outside(Protocol):
    """A world, or one part of it, whose operations can be disturbed."""

    passage: Passage


@contextmanager
def disturbed(outside: Outside, plan: Plan) -> Iterator[FaultInjector]:
    """Applies a plan to the operations while the context lasts."""
    onward = outside.passage
    outside.passage = injector = FaultInjector(plan, onward)
    try:
        yield injector
    finally:
        outside.passage = onward

"""The way from the app to the fakes: every operation goes through here, and here things can be made to go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared.errors import StorageUnavailable

T = TypeVar("T")


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One thing that the app asks of what is outside, and what it gets when that goes wrong."""

    name: str
    effect: Callable[[], T]
    failed: Callable[[], T]
    """Nothing was done."""
    unanswered: Callable[[], T]
    """It was done, and the answer was lost."""
    repeated: Callable[[], T]
    """It was done, and the client library, which missed the answer, may have asked once more."""
    about: str = ""
    """What the operation concerns: a table's filter, for instance."""


class Passage(Protocol):
    """Carries operations out."""

    def __call__(self, operation: Operation[T]) -> T:
        """The answer that the app gets; raises what the app is to see."""


def undisturbed(operation: Operation[T]) -> T:
    """Carries an operation out."""
    return operation.effect()


def storage(name: str, effect: Callable[[], T], about: str = "") -> Operation[T]:
    """An operation on the storage account, whose client library tries again by itself."""

    def unavailable() -> T:
        raise StorageUnavailable(f"{name}: HTTP 503")

    return Operation(name, effect, unavailable, unavailable, effect, about)

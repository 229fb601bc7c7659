"""The way from the app to the fakes: every operation passes here, where a test can make it fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared.errors import StorageUnavailable

T = TypeVar("T")


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One operation that the app asks of the outside world, and what it gets if that fails."""

    name: str
    effect: Callable[[], T]
    failed: Callable[[], T]
    """What the app gets if the operation had no effect."""
    unanswered: Callable[[], T]
    """What the app gets if the operation had its effect and the answer was lost."""
    repeated: Callable[[], T]
    """What the app gets if the operation had its effect and the client library, which missed the answer, retried."""
    about: str = ""
    """What the operation concerns: a table's filter, for instance."""


class Passage(Protocol):
    """Carries out operations."""

    def __call__(self, operation: Operation[T]) -> T:
        """Returns the answer that the app gets, or raises what the app is to see."""


def undisturbed(operation: Operation[T]) -> T:
    """Carries out an operation without faults."""
    return operation.effect()


def storage(name: str, effect: Callable[[], T], about: str = "") -> Operation[T]:
    """An operation on the storage account, whose client library retries by itself."""

    def unavailable() -> T:
        raise StorageUnavailable(f"{name}: HTTP 503")

    return Operation(name, effect, unavailable, unavailable, effect, about)

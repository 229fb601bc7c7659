"""What can go wrong, split by what the caller does about it.

    AppError
    ├── InvalidInput          the sender must change the request; never retried
    ├── InvalidConfiguration  an operator must change the settings
    ├── StorageUnavailable    a table or queue failed; redeliver, or answer 503
    ├── TokenUnavailable      no token can be had now; the call is not made, and retried later
    ├── StaleDelivery         this delivery may have been superseded; raise, so that the host redelivers
    └── CorruptRecord         a row that no version of this app writes; end it and log an error

Expected outcomes (a duplicate, a replay, a missing row, a Batch error) are values, not exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what was sent: where, and what."""

    pointer: str
    """JSON pointer (RFC 6901) into the request, or a header or query parameter's name."""
    text: str


class AppError(Exception):
    """Base of everything that this app raises deliberately."""


class InvalidInput(AppError):
    """Raised when a request, an event or an envelope breaks a rule."""

    def __init__(self, problems: Sequence[Problem], code: str = "InvalidRequest") -> None:
        self.problems = tuple(problems)
        self.code = code
        super().__init__("; ".join(f"{p.pointer or '(whole)'}: {p.text}" for p in self.problems))

    @classmethod
    def at(cls, pointer: str, text: str) -> InvalidInput:
        """One problem, at one place."""
        return cls([Problem(pointer, text)])

    def renamed(self, names: Mapping[str, str]) -> InvalidInput:
        """The same problems, under the names that the sender uses for these fields."""
        return InvalidInput([Problem(names.get(p.pointer, p.pointer), p.text) for p in self.problems], self.code)


class InvalidConfiguration(AppError):
    """Raised with every problem of the app settings at once, each by the setting's name."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("invalid app settings: " + "; ".join(self.problems))


class StorageUnavailable(AppError):
    """Raised when the storage service refused, failed or did not answer."""


class TokenUnavailable(AppError):
    """Raised when no token can be had now; the text names the fault and holds no secret."""


class StaleDelivery(AppError):
    """Raised when another delivery of the same message may be under way already."""


class CorruptRecord(AppError):
    """Raised when a stored row breaks the rules that every writer keeps."""

    def __init__(self, text: str, etag: str | None = None) -> None:
        self.etag = etag
        """The version of the row as read, with which the row can be ended."""
        super().__init__(text)

"""What can be looked at, waited for and cancelled: a request, a clean-up, a sweep. And when one ended as asked. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Any

DRY_RUN = {"dryRun": "true"}

_WOULD_DELETE = "wouldDelete"
_AS_ASKED = frozenset({"deleted", "notFound", _WOULD_DELETE})
# A task that changed since it was listed was kept, as it should be.
_AS_ASKED_OF_MANY = _AS_ASKED | {"preconditionFailed"}
_ENDED = frozenset({"done", "listed", "failed", "cancelled"})
_BADLY = frozenset({"failed", "cancelled"})


class Kind(Enum):
    """What has an id, and where it is."""

    REQUEST = "/task-deletions"
    CLEAN_UP = "/job-completions"
    SWEEP = "/retention-sweeps"

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True)
class Subject:
    """One of them."""

    kind: Kind
    id: str
    dry_run: bool = False

    @property
    def path(self) -> str:
        return f"{self.kind.value}/{self.id}"

    @property
    def query(self) -> dict[str, str]:
        """A sweep's id is its own, dry run or not; the others have an id space for dry runs."""
        return DRY_RUN if self.dry_run and self.kind is not Kind.SWEEP else {}


def is_over(kind: Kind, document: dict[str, Any]) -> bool:
    """Whether nothing more will happen: for a clean-up or a sweep also all that it asked for is done."""
    if kind is Kind.REQUEST:
        return document.get("state") == "done"
    return document.get("state") in _ENDED and not document.get("open")


def outcomes(kind: Kind, document: dict[str, Any]) -> Counter[str]:
    """How many deletions ended how, those that a sweep only counted among them."""
    if kind is Kind.REQUEST:
        data = (document.get("result") or {}).get("data") or {}
        return Counter({str(data.get("outcome", "unknown")): 1})
    found = Counter({str(name): int(number) for name, number in (document.get("done") or {}).items()})
    if kind is Kind.SWEEP and (counted := _only_counted(document)):
        found[_WOULD_DELETE] += counted
    return found


def _only_counted(document: dict[str, Any]) -> int:
    """What the policies of a sweep that only count came to: there are no requests of those, hence no outcomes."""
    policies = document.get("policies") or []
    return sum(int(policy.get("requested") or 0) for policy in policies if policy.get("dryRun"))


def ended_as_asked(kind: Kind, document: dict[str, Any]) -> bool:
    """Whether everything about it ended as asked; false for a sweep or clean-up that says what went wrong."""
    good = _AS_ASKED if kind is Kind.REQUEST else _AS_ASKED_OF_MANY
    ended = {name for name, number in outcomes(kind, document).items() if number}
    if kind is not Kind.REQUEST and (document.get("state") in _BADLY or document.get("error")):
        return False
    return ended <= good


def steps(kind: Kind, document: dict[str, Any]) -> tuple[int, int | None]:
    """How much is done of how much; None while that is not known."""
    if kind is Kind.REQUEST:
        return int(is_over(kind, document)), 1
    done = sum(outcomes(kind, document).values())
    return done, done + int(document.get("open") or 0) if document.get("state") in _ENDED else None

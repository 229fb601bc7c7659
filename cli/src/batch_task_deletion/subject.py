"""Requests, clean-ups and sweeps: what can be looked up, awaited and cancelled, and whether it succeeded. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Any

DRY_RUN = {"dryRun": "true"}

_WOULD_DELETE = "wouldDelete"
_SUCCESS = frozenset({"deleted", "notFound", _WOULD_DELETE})
# A task that changed after it was listed is kept; that is the purpose of the precondition.
_SUCCESS_OF_MANY = _SUCCESS | {"preconditionFailed"}
_ENDED = frozenset({"done", "listed", "failed", "cancelled"})
_BADLY = frozenset({"failed", "cancelled"})


class Kind(Enum):
    """The kinds of thing that have an id, with their paths in the API."""

    REQUEST = "/task-deletions"
    CLEAN_UP = "/job-completions"
    SWEEP = "/retention-sweeps"

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True)
class Subject:
    """One request, clean-up or sweep."""

    kind: Kind
    id: str
    dry_run: bool = False

    @property
    def path(self) -> str:
        return f"{self.kind.value}/{self.id}"

    @property
    def query(self) -> dict[str, str]:
        """`dryRun`, except for sweeps: requests and clean-ups keep the ids of dry runs apart, sweeps do not."""
        return DRY_RUN if self.dry_run and self.kind is not Kind.SWEEP else {}


def is_over(kind: Kind, document: dict[str, Any]) -> bool:
    """Whether nothing more will happen. A clean-up or sweep is over once all of its requests are done."""
    if kind is Kind.REQUEST:
        return document.get("state") == "done"
    return document.get("state") in _ENDED and not document.get("open")


def outcomes(kind: Kind, document: dict[str, Any]) -> Counter[str]:
    """The number of deletions by outcome, including tasks that a sweep only counted."""
    if kind is Kind.REQUEST:
        data = (document.get("result") or {}).get("data") or {}
        return Counter({str(data.get("outcome", "unknown")): 1})
    found = Counter({str(name): int(number) for name, number in (document.get("done") or {}).items()})
    if kind is Kind.SWEEP and (counted := _only_counted(document)):
        found[_WOULD_DELETE] += counted
    return found


def _only_counted(document: dict[str, Any]) -> int:
    """How many tasks the sweep's dry-run policies selected. Those make no requests, so they have no outcomes."""
    policies = document.get("policies") or []
    return sum(int(policy.get("requested") or 0) for policy in policies if policy.get("dryRun"))


def succeeded(kind: Kind, document: dict[str, Any]) -> bool:
    """Whether it succeeded entirely. A clean-up or sweep with an error has not."""
    successes = _SUCCESS if kind is Kind.REQUEST else _SUCCESS_OF_MANY
    ended = {name for name, number in outcomes(kind, document).items() if number}
    if kind is not Kind.REQUEST and (document.get("state") in _BADLY or document.get("error")):
        return False
    return ended <= successes


def steps(kind: Kind, document: dict[str, Any]) -> tuple[int, int | None]:
    """How much is done, and the total: None while that is not known."""
    if kind is Kind.REQUEST:
        return int(is_over(kind, document)), 1
    done = sum(outcomes(kind, document).values())
    return done, done + int(document.get("open") or 0) if document.get("state") in _ENDED else None

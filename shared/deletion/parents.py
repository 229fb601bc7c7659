"""Lets a parent (a clean-up, a sweep) veto its requests when their message arrives and they are no longer wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from shared.ledger.record import Conclusion, Origin, Record, State

Veto = Callable[[Record, datetime], Conclusion | None]
"""(a request that is not done and has no live claim, now) -> its conclusion if it must not be carried out, else None.

A cancelled clean-up vetoes only what no claim has touched (`Record.is_untouched`); a sweep may also veto retries.
"""


class Parent(Protocol):
    """The parents of one origin."""

    def veto(self, parent_id: str, *, dry_run: bool) -> Veto | None:
        """The veto for one parent's requests; None when all of them may go on. May raise StorageUnavailable."""


class Parents:
    """Asks each parent of a message's requests once."""

    def __init__(self, known: Mapping[Origin, Parent]) -> None:
        self._known = known

    def of_message(self) -> Veto:
        """The veto for the requests of one message."""
        asked: dict[tuple[Origin, str, bool], Veto | None] = {}

        def veto(record: Record, now: datetime) -> Conclusion | None:
            parent = self._known.get(record.origin)
            if parent is None or record.parent_id is None or record.state is State.DONE:
                return None
            key = record.origin, record.parent_id, record.request.dry_run
            if key not in asked:
                asked[key] = parent.veto(record.parent_id, dry_run=record.request.dry_run)
            judge = asked[key]
            return judge(record, now) if judge else None

        return veto

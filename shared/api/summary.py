"""`GET /api/operations/summary`: the numbers an operator looks at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shared import VERSION
from shared.api.answer import Answer
from shared.clock import Clock, to_text
from shared.results.letter_listing import LetterListing
from shared.storage.queues import Depth

MOST_COUNTED = 1_000
ALL = "all"
SOME = f"the newest {MOST_COUNTED:,}"


@dataclass(frozen=True)
class Summary:
    """Makes the summary. It costs many storage operations, so frequent callers get a cached one (`kept.py`)."""

    clock: Clock
    depths: Callable[[], Sequence[tuple[str, Depth]]]
    letters: LetterListing
    running_clean_ups: Callable[[], int]
    last_sweeps: Callable[[], Sequence[dict[str, Any]]] = tuple
    """The last sweep of each account."""

    def look(self) -> Answer:
        """200 with the current numbers. Raises StorageUnavailable."""
        queues = [
            {"name": name, "depth": depth.messages, "oldestAgeSeconds": depth.oldest_age_seconds}
            for name, depth in self.depths()
        ]
        return Answer(
            200,
            {
                "at": to_text(self.clock.now()),
                "queues": queues,
                "deadLetters": self._dead_letters(),
                "cleanUps": {"running": self.running_clean_ups()},
                "sweeps": list(self.last_sweeps()),
                "version": VERSION,
            },
        )

    def _dead_letters(self) -> dict[str, Any]:
        """The unsettled dead letters by reason, most frequent first."""
        found, is_more = self.letters.reasons(MOST_COUNTED)
        by_reason = sorted(Counter(found).items(), key=lambda item: (-item[1], item[0]))
        return {
            "total": None if is_more else len(found),
            "byReason": [{"reason": reason, "count": count} for reason, count in by_reason],
            "counted": SOME if is_more else ALL,
        }

"""The requests, results and DELETEs of a run. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ledger:
    """The books of a run."""

    asked: dict[str, str] = field(default_factory=dict)
    """Task by request id."""
    sent: int = 0
    """Messages and calls, duplicates included."""
    results: defaultdict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    """By request id, then by result id."""
    messages: int = 0

    def take(self, results: Iterable[dict[str, Any]]) -> None:
        """Books result messages."""
        for result in results:
            self.messages += 1
            self.results[result["data"]["clientRequestId"]][result["id"]] = result["data"]

    @property
    def missing(self) -> set[str]:
        """Requests without a result."""
        return set(self.asked) - set(self.results)

    def figures(self, deletes: list[dict[str, Any]], left: dict[str, int]) -> dict[str, int]:
        """The figures by which the run is judged. `deletes` is the account's journal, `left` the messages left in the queues."""
        ends = {key: min(data["completedAt"] for data in found.values()) for key, found in self.results.items()}
        outcomes = [{data["outcome"] for data in found.values()} for found in self.results.values()]
        late = [entry for entry in deletes if entry["time"] > ends.get(entry["headers"]["client-request-id"], "~")]
        wrong = [key for key, found in self.results.items() if {d["outcome"] for d in found.values()} - {"deleted"}]
        return {
            "requests": len(self.asked),
            "messages and calls sent, duplicates included": self.sent,
            "result messages": self.messages,
            "requests without a result": len(self.missing),
            "results of requests that nobody made": len(set(self.results) - set(self.asked)),
            "requests with two results or outcomes": sum(
                len(found) > 1 or len(kinds) > 1 for found, kinds in zip(self.results.values(), outcomes, strict=True)
            ),
            "outcomes other than deleted": len(wrong),
            "DELETEs that reached Batch": len(deletes),
            "DELETEs after a recorded outcome": len(late),
            **{f"messages left in {name}": count for name, count in left.items()},
        }

    def inferred(self) -> int:
        """Results whose certainty is not confirmed: the lost replies."""
        counts = Counter(data["certainty"] for found in self.results.values() for data in found.values())
        return counts["inferred"]


MUST_BE_ZERO = ("without", "nobody", "two results", "other than", "after a recorded", "left in")


def is_right(figures: dict[str, int]) -> bool:
    """Whether the figures show that all promises were kept."""
    return all(not count for name, count in figures.items() if any(words in name for words in MUST_BE_ZERO))

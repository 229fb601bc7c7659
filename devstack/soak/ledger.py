"""The requests, results and DELETEs of a run. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devstack.promises import judge_run


@dataclass
class Ledger:
    """The record of a run."""

    asked: dict[str, str] = field(default_factory=dict)
    """The task of each request, by request id."""
    sent: int = 0
    """How many messages and calls were sent, duplicates included."""
    messages: list[Mapping[str, Any]] = field(default_factory=list)
    """All results, repeats included."""
    answered: set[str] = field(default_factory=set)
    """Ids of the requests that have a result."""

    def take(self, results: Iterable[Mapping[str, Any]]) -> None:
        """Records result messages."""
        for result in results:
            self.messages.append(result)
            self.answered.add(result["data"]["clientRequestId"])

    @property
    def missing(self) -> set[str]:
        """Requests without a result."""
        return set(self.asked) - self.answered

    def certainties(self) -> Counter[str]:
        """How sure the results are, each counted once; those of lost replies are inferred."""
        return Counter({result["id"]: result["data"]["certainty"] for result in self.messages}.values())

    def broken(self, deletes: Iterable[Mapping[str, Any]], left: Mapping[str, int]) -> list[str]:
        """The broken promises at the end; `deletes` is the account's journal, `left` the messages in the queues."""
        strangers = self.answered - set(self.asked)
        others = Counter(result["data"]["outcome"] for result in self.messages) - Counter(deleted=len(self.messages))
        return [
            *judge_run(self.asked, self.messages, deletes),
            *(f"{request_id} has a result, and nobody asked for it" for request_id in sorted(strangers)),
            *(f"{count} results are {outcome}" for outcome, count in others.items()),
            *(f"{count} messages are left in {queue}" for queue, count in left.items() if count),
        ]

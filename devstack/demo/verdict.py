"""Compares results with expectations. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from devstack.demo.scenes import Ask, Scene
from devstack.promises import RESULT, judge_run


@dataclass
class Seen:
    """The results so far, by request, each result id once."""

    by_request: defaultdict[str | None, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    messages: list[dict[str, Any]] = field(default_factory=list)

    def add(self, results: Iterable[dict[str, Any]]) -> None:
        """Adds results. Repeats of one id count once, as for a consumer."""
        for result in results:
            self.messages.append(result)
            if result["type"] == RESULT:
                self.by_request[result["data"]["clientRequestId"]][result["id"]] = result

    def of_parent(self, event_id: str | None) -> list[dict[str, Any]]:
        """The results of the requests made by one event."""
        data = [result["data"] for found in self.by_request.values() for result in found.values()]
        return [one for one in data if one["parentId"] == event_id]

    def has_all(self, scenes: Iterable[Scene]) -> bool:
        """Whether every request of the scenes has the expected kind of result."""
        return all(self.find(ask) is not None for scene in scenes for ask in scene.asks if _is_answered(ask))

    def find(self, ask: Ask) -> dict[str, Any] | None:
        """The result of a request with the expected outcome, else any other of its results, else None."""
        found = list(self.by_request.get(ask.id, {}).values())
        fitting = [result for result in found if result["data"]["outcome"] == ask.expected]
        return fitting[0] if fitting else (found[0] if found and ask.expected != "conflict" else None)


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    title: str
    requests: int
    expected: str
    seen: str
    deletes: str
    ok: bool


def _is_answered(ask: Ask) -> bool:
    """Whether a refused HTTP call has its answer; it has no result."""
    return ask.status is None or ask.status < 400 or ask.door == "direct"


def row_of(scene: Scene, seen: Seen, statuses: dict[int, int | None], deletes: int) -> Row:
    """The report's line for a scene; `statuses` holds the HTTP statuses by the asks' identity."""
    answered = [ask for ask in scene.asks if _is_answered(ask)]
    found = [seen.find(ask) for ask in answered]
    faults = [fault for ask, result in zip(answered, found, strict=True) for fault in _faults(ask, result)]
    faults += [
        f"HTTP {statuses.get(id(ask))}"
        for ask in scene.asks
        if ask.status is not None and statuses.get(id(ask)) != ask.status
    ]
    ids = {result["id"] for result in found if result}
    wanted = len(answered) if scene.results < 0 else scene.results
    if len(ids) != wanted:
        faults.append(f"{len(ids)} results instead of {wanted}")
    if deletes != scene.deletes:
        faults.append(f"{deletes} DELETEs instead of {scene.deletes}")
    outcomes = Counter(result["data"]["outcome"] for result in {r["id"]: r for r in found if r}.values())
    return Row(
        scene.title,
        len(scene.asks),
        ", ".join(sorted({_words(ask) for ask in scene.asks})),
        ", ".join([*(f"{count} {name}" for name, count in outcomes.items()), *sorted(set(faults))]),
        f"{deletes}",
        not faults,
    )


def promises_row(scenes: Iterable[Scene], seen: Seen, journal: Iterable[dict[str, Any]]) -> Row:
    """The report's last line: what must hold for every request, whatever its expected outcome."""
    asked = {ask.id for scene in scenes for ask in scene.asks if ask.id}
    broken = judge_run(asked, seen.messages, journal)
    title = "nothing lost, twice, late or untrue"
    return Row(
        title, len(seen.by_request), "all promises kept", ", ".join(broken) or "all promises kept", "", not broken
    )


def _words(ask: Ask) -> str:
    if not _is_answered(ask):
        return f"HTTP {ask.status}"
    return ask.expected + (f" ({ask.certainty})" if ask.certainty != "confirmed" else "")


def _faults(ask: Ask, result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return ["no result"]
    found = result["data"]
    faults = []
    if found["outcome"] != ask.expected:
        faults.append(f"{found['outcome']} instead of {ask.expected}")
    if ask.expected == "deleted" and found["certainty"] != ask.certainty:
        faults.append(f"{found['certainty']} instead of {ask.certainty}")
    if ask.attempts is not None and found["attempts"] != ask.attempts:
        faults.append(f"{found['attempts']} attempts instead of {ask.attempts}")
    return faults

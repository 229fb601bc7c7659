"""Checks the app's promises against what happened: rows written, DELETEs sent, results published.

Pure. Events are reported in their order: by the unit tests as they happen, and for a run of the whole stack afterwards,
from its results and the journal of the simulated account (`judge_run`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

RESULT = "batch.task-deletion.done"
MAY_BE_SURE = {"failed", "exhausted", "expired", "cancelled", "preconditionFailed"}
"""Outcomes that are certain only when no DELETE of the request can have had an effect."""
OF_MESSAGES = {"conflict", "rejected"}
"""Outcomes of a message that could not be taken for its request; the request has an outcome of its own, or none."""


@dataclass
class Story:
    """What happened to one request."""

    state: str = "not there"
    """The state of its row."""
    generation: int = 0
    ends: dict[int, tuple[str, str]] = field(default_factory=dict)
    """The outcome and certainty of each generation that ended."""
    acted: bool = False
    """Whether one of its DELETEs deleted the task."""
    told: bool = False
    """Whether the app received the answer to that DELETE."""
    results: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """The distinct results published under each id; there should be only one."""


class Promises:
    """The record of a run, and the promises that it broke."""

    def __init__(self) -> None:
        self.stories: defaultdict[str, Story] = defaultdict(Story)
        self._broken: list[str] = []

    def delete_sent(self, request_id: str) -> None:
        """A DELETE is sent to Batch."""
        if self.stories[request_id].state == "done":
            self._broken.append(f"a DELETE was sent after the outcome of {request_id}")

    def delete_answered(self, request_id: str, *, acted: bool, told: bool) -> None:
        """A DELETE's result: whether it deleted the task, and whether its sender was told so."""
        story = self.stories[request_id]
        story.acted |= acted
        story.told |= told

    def row_written(self, request_id: str, row: Mapping[str, Any]) -> None:
        """A request's row as written; what its outcome says for certain must be true at this moment."""
        story = self.stories[request_id]
        story.state, story.generation = row["state"], row["generation"]
        if story.state != "done":
            return
        end = (row["outcome"], row["certainty"])
        if story.ends.setdefault(story.generation, end) != end:
            self._broken.append(f"{request_id} ended as {story.ends[story.generation]} and then as {end}")
        self._broken += [f"{request_id} is {fault}" for fault in _untrue(story, *end)]
        if row["certainty"] == "unknown" and not row["attempts"] and not row["generation"]:
            self._broken.append(f"{request_id} is uncertain, but nothing was ever tried")

    def result_sent(self, event: Mapping[str, Any]) -> None:
        """A message was put on the result queue."""
        if event["type"] != RESULT or event["data"]["outcome"] in OF_MESSAGES:
            return
        told = {**event, "data": {**event["data"], "replayed": None}}
        forms = self.stories[event["data"]["clientRequestId"]].results[event["id"]]
        if told not in forms:
            forms.append(told)

    def broken(self, asked: Iterable[str] = (), tasks: Collection[tuple[str, str]] = ()) -> list[str]:
        """The broken promises; `asked` are requests that must be known, `tasks` those that still exist."""
        found = list(dict.fromkeys(self._broken))
        for request_id in sorted({*asked, *self.stories}):
            found += [f"{request_id} {fault}" for fault in _end_faults(self.stories[request_id], tasks)]
        return found


def _untrue(story: Story, outcome: str, certainty: str) -> list[str]:
    """How an outcome contradicts what is known."""
    found = []
    if certainty == "confirmed" and outcome in MAY_BE_SURE and story.acted:
        found.append(f"{outcome} for certain, but it deleted the task")
    if certainty == "confirmed" and outcome == "deleted" and not story.told:
        found.append("deleted for certain, but nobody said so")
    if outcome == "notFound" and story.acted:
        found.append("notFound, but its task was there")
    return found


def _end_faults(story: Story, tasks: Collection[tuple[str, str]]) -> list[str]:
    if story.state != "done":
        return [f"was lost: its row is {story.state}"]
    if not story.results:
        return ["is done without a result"]
    found = []
    if len(story.results) > story.generation + 1:
        found.append(f"has {len(story.results)} outcomes in {story.generation + 1} generation(s)")
    found += [f"has emissions that differ: {forms}" for forms in story.results.values() if len(forms) > 1]
    outcome, data = story.ends[story.generation][0], list(story.results.values())[-1][-1]["data"]
    if outcome in {"deleted", "notFound"} and (data["jobId"].lower(), data["taskId"].lower()) in tasks:
        found.append(f"is {outcome}, but its task is there")
    return found


def judge_run(
    asked: Iterable[str], results: Iterable[Mapping[str, Any]], deletes: Iterable[Mapping[str, Any]]
) -> list[str]:
    """The promises that a run without redrives broke: its results stand for the rows, the journal for the account."""
    promises = Promises()
    events: list[tuple[str, int, Mapping[str, Any]]] = [(entry["time"], 0, entry) for entry in deletes]
    for event in results:
        promises.result_sent(event)
        if event["type"] == RESULT and event["data"]["outcome"] not in OF_MESSAGES:
            events.append((event["data"]["completedAt"], 1, event["data"]))
    for _, is_end, what in sorted(events, key=lambda event: event[:2]):
        if is_end:
            promises.row_written(what["clientRequestId"], {**what, "state": "done", "generation": 0})
        else:
            request_id = what["headers"]["client-request-id"]
            promises.delete_sent(request_id)
            acted = what["effect"] == "task-deleted"
            promises.delete_answered(request_id, acted=acted, told=what["status"] == 200 and not what["dropped"])
    return promises.broken(asked)

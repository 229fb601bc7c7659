"""Sends many requests in bulk calls, and records what was sent and how the app answered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batch_task_deletion.client import Answer, Client
from batch_task_deletion.find import object_of
from batch_task_deletion.lines import Line
from batch_task_deletion.request import task_request_id
from batch_task_deletion.subject import Kind, Subject

MOST_REQUESTS, MOST_TASK_IDS = 1_000, 10_000
MOST_BYTES = 3_500_000
"""Below the app's limit of 4 MiB."""

MOST_SHOWN = 20
"""How many refusals are shown one by one; the rest are counted."""

_REQUESTED = frozenset({"accepted", "replayed"})


@dataclass(frozen=True)
class Call:
    """One bulk call: its body, its requests, and the number of the last file line in it."""

    body: Mapping[str, Any]
    requests: Sequence[Subject]
    last_line: int = 0


def calls_of_lines(lines: Sequence[Line]) -> Iterator[Call]:
    """Packs the lines of a file into as few calls as the app's limits allow."""
    part: list[Line] = []
    size = 0
    for line in lines:
        more = len(json.dumps(line.request)) + 2
        if part and (len(part) == MOST_REQUESTS or size + more > MOST_BYTES):
            yield _of_lines(part)
            part, size = [], 0
        part.append(line)
        size += more
    if part:
        yield _of_lines(part)


def _of_lines(lines: Sequence[Line]) -> Call:
    requests = [Subject(Kind.REQUEST, line.request_id, line.dry_run) for line in lines]
    return Call({"requests": [line.request for line in lines]}, requests, lines[-1].number)


def calls_of_tasks(parent: str, job: str, tasks: Sequence[str], options: Mapping[str, Any]) -> Iterator[Call]:
    """Packs tasks of one job into calls. Each request's id is derived from `parent`."""
    names = list({task.lower(): task for task in reversed(tasks)}.values())[::-1]
    dry_run = bool(options.get("dryRun"))
    for at in range(0, len(names), MOST_TASK_IDS):
        part = names[at : at + MOST_TASK_IDS]
        requests = [Subject(Kind.REQUEST, task_request_id(parent, job, task), dry_run) for task in part]
        yield Call({"clientRequestId": parent, "jobId": job, "taskIds": part, **options}, requests)


@dataclass
class Sending:
    """The results of the calls so far."""

    total: int
    sent: int = 0
    on_the_way: int = 0
    last_line: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    requested: list[Subject] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    """The first refused items, as the app reported them."""
    repeated: bool = False
    """Whether a call was retried: its first try may have sent the requests that the app reports as accepted earlier."""

    def send(self, client: Client, call: Call) -> dict[str, Any]:
        """Sends one call and returns the app's document. Raises Refused if the app rejects the call as a whole."""
        self.on_the_way = len(call.requests)
        answer = client.post("/task-deletions", call.body)
        document = _document(answer)
        self.repeated = self.repeated or answer.repeated
        self.on_the_way = 0
        self.sent += len(call.requests)
        self.last_line = call.last_line
        self._take(call, document.get("items") or [])
        return document

    def _take(self, call: Call, items: Sequence[Mapping[str, Any]]) -> None:
        for subject, item in zip(call.requests, items, strict=False):
            status = str(item.get("status"))
            self.counts[status] += 1
            if status in _REQUESTED:
                self.requested.append(subject)
            elif len(self.refused) < MOST_SHOWN:
                self.refused.append(dict(item))

    def is_over(self, wait: bool) -> bool:
        """Whether the command has nothing left to do once all is sent."""
        return self.sent == self.total and not wait

    @property
    def all_requested(self) -> bool:
        return len(self.requested) == self.sent


def _document(answer: Answer) -> dict[str, Any]:
    """The document of a response; a 400 with a status for each item is not an error."""
    if answer.status == 400 and isinstance(answer.document, dict) and isinstance(answer.document.get("items"), list):
        return answer.document
    return object_of(answer)

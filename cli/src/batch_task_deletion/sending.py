"""Sends many requests in bulk calls, and keeps account of what was sent and what the app said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batch_task_deletion.client import Answer, Client
from batch_task_deletion.find import object_of
from batch_task_deletion.lines import Line
from batch_task_deletion.subject import Kind, Subject
from batch_task_deletion.wish import task_request_id

MOST_REQUESTS, MOST_TASK_IDS = 1_000, 10_000
MOST_BYTES = 3_500_000
"""Below the 4 MiB that the app reads."""

MOST_TOLD = 20
"""So many refusals are told one by one to a person; the others are counted."""

_ASKED_FOR = frozenset({"accepted", "replayed"})


@dataclass(frozen=True)
class Call:
    """One bulk call: its body, the requests that it asks for, and the last line of the file that is in it."""

    body: Mapping[str, Any]
    requests: Sequence[Subject]
    last_line: int = 0


def calls_of_lines(lines: Sequence[Line]) -> Iterator[Call]:
    """The lines of a file, in as few calls as the app's bounds allow."""
    part: list[Line] = []
    size = 0
    for line in lines:
        more = len(json.dumps(line.wish)) + 2
        if part and (len(part) == MOST_REQUESTS or size + more > MOST_BYTES):
            yield _of_lines(part)
            part, size = [], 0
        part.append(line)
        size += more
    if part:
        yield _of_lines(part)


def _of_lines(lines: Sequence[Line]) -> Call:
    requests = [Subject(Kind.REQUEST, line.request_id, line.dry_run) for line in lines]
    return Call({"requests": [line.wish for line in lines]}, requests, lines[-1].number)


def calls_of_tasks(parent: str, job: str, tasks: Sequence[str], options: Mapping[str, Any]) -> Iterator[Call]:
    """Tasks of one job; each request's id follows from `parent`."""
    names = list({task.lower(): task for task in reversed(tasks)}.values())[::-1]
    dry_run = bool(options.get("dryRun"))
    for at in range(0, len(names), MOST_TASK_IDS):
        part = names[at : at + MOST_TASK_IDS]
        requests = [Subject(Kind.REQUEST, task_request_id(parent, job, task), dry_run) for task in part]
        yield Call({"clientRequestId": parent, "jobId": job, "taskIds": part, **options}, requests)


@dataclass
class Sending:
    """What became of the calls so far."""

    total: int
    sent: int = 0
    on_the_way: int = 0
    last_line: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    asked_for: list[Subject] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    """The first that were refused, as the app tells of them."""
    repeated: bool = False
    """Whether a call was sent again, so that what it counts as asked for before may be its own."""

    def send(self, client: Client, call: Call) -> dict[str, Any]:
        """Sends one call; the document that the app answers with. Raises Refused when it takes none of it."""
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
            if status in _ASKED_FOR:
                self.asked_for.append(subject)
            elif len(self.refused) < MOST_TOLD:
                self.refused.append(dict(item))

    @property
    def all_asked_for(self) -> bool:
        return len(self.asked_for) == self.sent


def _document(answer: Answer) -> dict[str, Any]:
    """A 400 that tells of each item is an answer like any other."""
    if answer.status == 400 and isinstance(answer.document, dict) and isinstance(answer.document.get("items"), list):
        return answer.document
    return object_of(answer)

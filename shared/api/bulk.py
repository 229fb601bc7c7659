"""The bulk call: many requests in one HTTP body, each accepted or refused separately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from shared.api.answer import Answer
from shared.batch.reply import ErrorBody
from shared.clock import Clock
from shared.deletion import acceptance
from shared.deletion.acceptance import Acceptance, Acceptor
from shared.deletion.guard import Guard
from shared.errors import Problem
from shared.ledger.record import Key, Origin, Record
from shared.parsing.strict_json import capped
from shared.request.envelope import Envelope, Item, Kind
from shared.results.event import error_body, error_wire
from shared.results.result import ID_CONFLICT, invalid_request

INVALID = "invalid"


class Bulk:
    """Accepts the requests of one envelope."""

    def __init__(self, acceptor: Acceptor, guard: Guard, clock: Clock) -> None:
        self._acceptor = acceptor
        self._guard = guard
        self._clock = clock

    def accept(self, envelope: Envelope) -> Answer:
        """202 with an entry for each item, in order, and a count per status; 400 if every item is invalid.

        Raises StorageUnavailable. The caller can repeat the call: accepted requests are then replayed.
        """
        faults = {item.index: fault for item in envelope.items if (fault := self._fault(item, envelope.kind))}
        good = [item for item in envelope.items if item.index not in faults]
        now, parent = self._clock.now(), envelope.parent_id
        asked = [Record.new(item.request, Origin.BULK, now, parent) for item in good if item.request]
        accepted: dict[int, Acceptance] = dict(
            zip((item.index for item in good), self._acceptor.accept_all(asked), strict=True)
        )
        entries = [
            _refused(item, faults[item.index])
            if item.index in faults
            else _answered(accepted[item.index], _place(item, envelope.kind))
            for item in envelope.items
        ]
        counts = Counter(entry["status"] for entry in entries)
        body = {"items": entries, "counts": {name: counts[name] for name in (*map(str, acceptance.Receipt), INVALID)}}
        return Answer(202, body) if good else Answer(400, {**error_body(_all_of(faults.values())), **body})

    def _fault(self, item: Item, kind: Kind) -> ErrorBody | None:
        if item.request is None:
            return invalid_request(item.problems)
        error = self._guard.protection(item.request)
        return error and _placed(error, _place(item, kind))


def _all_of(faults: Iterable[ErrorBody]) -> ErrorBody:
    """One error for a body without a valid item, with the first problems of its items."""
    problems = [Problem(key, text) for fault in faults for key, text in fault.values]
    error = invalid_request(capped(problems))
    return replace(error, message="None of the items is valid.")


def _refused(item: Item, fault: ErrorBody) -> dict[str, Any]:
    known = item.request or item.partial
    return {
        "clientRequestId": known.client_request_id,
        "jobId": known.job_id,
        "taskId": known.task_id,
        "status": INVALID,
        "error": error_wire(fault),
    }


def _place(item: Item, kind: Kind) -> str:
    """The pointer to an item's request. All items of a `taskIds` envelope share its fields."""
    return f"/requests/{item.index}" if kind is Kind.MANY else ""


def _placed(error: ErrorBody, at: str) -> ErrorBody:
    return replace(error, values=tuple((f"{at}{key}", text) for key, text in error.values))


def _answered(answer: Acceptance, at: str) -> dict[str, Any]:
    request = answer.asked.request
    entry: dict[str, Any] = {
        "clientRequestId": request.client_request_id,
        "jobId": request.job_id,
        "taskId": request.task_id,
        "status": answer.receipt.value,
    }
    if answer.receipt is acceptance.Receipt.CONFLICT:
        return entry | {"error": error_wire(_placed(ID_CONFLICT, at))}
    return entry | {"location": location(Key.of(request))}


def location(key: Key) -> str:
    """Where a request's status document is."""
    return f"/api/task-deletions/{key.client_request_id}" + ("?dryRun=true" if key.dry_run else "")

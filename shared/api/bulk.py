"""The bulk call: many requests in one HTTP body, each accepted or refused separately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from shared.api.answer import Answer
from shared.batch.reply import ErrorBody
from shared.deletion import acceptance
from shared.deletion.acceptance import Acceptance, Acceptor
from shared.deletion.vetoes import Vetoes
from shared.errors import Problem
from shared.ledger.record import Key, Record
from shared.parsing.strict_json import capped
from shared.request.envelope import Envelope, Invalid, Kind
from shared.results.event import error_body, error_wire
from shared.results.result import ID_CONFLICT, invalid_request

INVALID = "invalid"


class Bulk:
    """Accepts the requests of one envelope."""

    def __init__(self, acceptor: Acceptor, vetoes: Vetoes) -> None:
        self._acceptor = acceptor
        self._vetoes = vetoes

    def accept(self, envelope: Envelope[Record]) -> Answer:
        """202 with an entry for each item, in order, and a count per status; 400 if every item is invalid.

        Raises StorageUnavailable. The caller can repeat the call: accepted requests are then replayed.
        """
        items = [(item, _place(index, envelope.kind)) for index, item in enumerate(envelope.items)]
        faults = [self._fault(item, at) for item, at in items]
        good = [
            item for (item, _), fault in zip(items, faults, strict=True) if not (fault or isinstance(item, Invalid))
        ]
        accepted = iter(self._acceptor.accept_all(good))
        entries = [
            _refused(item, fault) if fault else _answered(next(accepted), at)
            for (item, at), fault in zip(items, faults, strict=True)
        ]
        counts = Counter(entry["status"] for entry in entries)
        body = {"items": entries, "counts": {name: counts[name] for name in (*map(str, acceptance.Receipt), INVALID)}}
        return Answer(202, body) if good else Answer(400, {**error_body(_all_of(filter(None, faults))), **body})

    def _fault(self, item: Record | Invalid, at: str) -> ErrorBody | None:
        if isinstance(item, Invalid):
            return invalid_request(item.problems)
        error = self._vetoes.of_job(item.request.job_id)
        return error and _placed(error, at)


def _all_of(faults: Iterable[ErrorBody]) -> ErrorBody:
    """One error for a body without a valid item, with the first problems of its items."""
    problems = [Problem(key, text) for fault in faults for key, text in fault.values]
    error = invalid_request(capped(problems))
    return replace(error, message="None of the items is valid.")


def _refused(item: Record | Invalid, fault: ErrorBody) -> dict[str, Any]:
    known = item.partial if isinstance(item, Invalid) else item.request
    return {
        "clientRequestId": known.client_request_id,
        "jobId": known.job_id,
        "taskId": known.task_id,
        "status": INVALID,
        "error": error_wire(fault),
    }


def _place(index: int, kind: Kind) -> str:
    """The pointer to an item's request. All items of a `taskIds` envelope share its fields."""
    return f"/requests/{index}" if kind is Kind.MANY else ""


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

"""Converts records to table rows and back. Everything but numbers and flags is text, readable in a table browser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.batch.reply import ErrorBody
from shared.batch.short_error import shortened
from shared.clock import from_text, moment_in, moment_text, to_text
from shared.errors import CorruptRecord
from shared.ledger.record import Certainty, Claim, Conclusion, Key, Origin, Outcome, Record, State
from shared.request.model import DeletionRequest, to_wire

MAX_TEXT = 32 * 1024
"""UTF-16 characters in one text column; with more, the service refuses the whole transaction (PropertyValueTooLarge).

https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model#property-types
"""

Entity = dict[str, Any]


def keys_of(key: Key) -> Entity:
    """The two key columns of a row."""
    return {"PartitionKey": key.bucket, "RowKey": key.row}


def to_entity(record: Record) -> Entity:
    """The row as inserted. An absent value becomes empty text, because a merge cannot remove a column."""
    return keys_of(record.key) | _fixed(record) | _columns(record)


def _fixed(record: Record) -> Entity:
    """The columns that no transition changes, which are also the most expensive to encode."""
    return {"request": json.dumps(to_wire(record.request), separators=(",", ":"))}


def _columns(record: Record) -> Entity:
    claim, end = record.claim, record.conclusion
    return {
        "state": record.state.value,
        "payload_hash": record.payload_hash,
        "generation": record.generation,
        "origin": record.origin.value,
        "parent_id": record.parent_id or "",
        "accepted_at": to_text(record.accepted_at),
        "due_at": moment_text(record.due_at),
        "attempts": record.attempts,
        "maybe_effect": record.maybe_effect,
        "claim_id": claim.claim_id if claim else "",
        "claim_message_id": claim.message_id if claim else "",
        "claim_dequeue_count": claim.dequeue_count if claim else 0,
        "claim_expires_at": moment_text(claim.expires_at if claim else None),
        "last_error": error_text(record.last_error),
        "next_attempt_at": moment_text(record.next_attempt_at),
        "is_queued": record.is_queued,
        "outcome": end.outcome.value if end else "",
        "certainty": end.certainty.value if end else "",
        "status_code": end.status or 0 if end else 0,
        "error": error_text(end.error if end else None),
        "batch_request_id": (end.batch_request_id or "") if end else "",
        "completed_at": moment_text(end.completed_at if end else None),
        "emit_pending": record.emit_pending,
        "policy": record.policy or "",
        "is_counted": record.is_counted,
    }


def changed(before: Record, after: Record) -> Entity:
    """The keys and only the columns that differ: the body of a merge."""
    old, new = _columns(before), _columns(after)
    if before.request is not after.request:
        old, new = old | _fixed(before), new | _fixed(after)
    return keys_of(after.key) | {name: value for name, value in new.items() if old[name] != value}


def from_entity(entity: Mapping[str, Any], etag: str | None) -> Record:
    """The record of a row as read.

    Raises:
        CorruptRecord: the row breaks the rules that every writer keeps.
    """
    try:
        record = Record(
            request=_request(entity),
            payload_hash=entity["payload_hash"],
            origin=Origin(entity["origin"]),
            accepted_at=from_text(entity["accepted_at"]),
            parent_id=entity["parent_id"] or None,
            state=State(entity["state"]),
            generation=entity["generation"],
            due_at=moment_in(entity["due_at"]),
            attempts=entity["attempts"],
            maybe_effect=entity["maybe_effect"],
            claim=_claim(entity),
            last_error=error_from(entity["last_error"]),
            next_attempt_at=moment_in(entity["next_attempt_at"]),
            is_queued=bool(entity.get("is_queued")),
            conclusion=_conclusion(entity),
            emit_pending=entity["emit_pending"],
            policy=entity.get("policy") or None,
            is_counted=entity.get("is_counted", True),
            etag=etag,
        )
    except (KeyError, ValueError, TypeError, OverflowError) as fault:
        raise CorruptRecord(f"row {entity.get('RowKey')}: {type(fault).__name__}: {fault}", etag) from fault
    if record.state is State.CLAIMED and record.claim is None:
        raise CorruptRecord(f"row {entity.get('RowKey')} is claimed without a claim", etag)
    if record.state is State.DONE and record.conclusion is None:
        raise CorruptRecord(f"row {entity.get('RowKey')} is done without a conclusion", etag)
    return record


def _request(entity: Mapping[str, Any]) -> DeletionRequest:
    # Stored requests were validated on arrival; today's allow list must not make yesterday's rows unreadable.
    return DeletionRequest.model_validate(json.loads(entity["request"]), by_alias=True, by_name=False)


def _claim(entity: Mapping[str, Any]) -> Claim | None:
    if not entity["claim_id"]:
        return None
    return Claim(
        claim_id=entity["claim_id"],
        message_id=entity["claim_message_id"],
        dequeue_count=entity["claim_dequeue_count"],
        expires_at=from_text(entity["claim_expires_at"]),
    )


def _conclusion(entity: Mapping[str, Any]) -> Conclusion | None:
    if not entity["outcome"]:
        return None
    return Conclusion(
        outcome=Outcome(entity["outcome"]),
        certainty=Certainty(entity["certainty"]),
        completed_at=from_text(entity["completed_at"]),
        status=entity["status_code"] or None,
        error=error_from(entity["error"]),
        batch_request_id=entity["batch_request_id"] or None,
    )


def error_text(error: ErrorBody | None) -> str:
    """An error as JSON, shortened to fit one column; empty for None."""
    if error is None:
        return ""
    text = _error_json(error)
    return text if len(text) <= MAX_TEXT else _error_json(shortened(error, MAX_TEXT))


def _error_json(error: ErrorBody) -> str:
    return json.dumps([error.code, error.message, error.values], separators=(",", ":"))


def error_from(text: str) -> ErrorBody | None:
    """The error that `error_text` wrote."""
    if not text:
        return None
    code, message, values = json.loads(text)
    return ErrorBody(code, message, tuple((key, value) for key, value in values))

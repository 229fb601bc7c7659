"""How one request ended, or what was wrong with it: the content of its result message and dead letter. Pure."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from shared.batch.reply import ErrorBody
from shared.errors import Problem
from shared.ledger.record import Certainty, Conclusion, Origin, Outcome, Record
from shared.request.envelope import Invalid
from shared.request.model import DeletionRequest, PartialRequest, to_wire

NAMESPACE = uuid.UUID("6f1d8a52-3c0e-5b7a-9d46-2e8c41b7f903")
"""For all ids that the app derives for results and dead letters. Changing it breaks every consumer's deduplication."""

ID_CONFLICT = ErrorBody(
    "ClientRequestIdConflict",
    "This client-request-id was used before with a different payload.",
    (("/clientRequestId", "is already in use; send the original payload or a new id"),),
)


def result_id(kind: str, *parts: object) -> str:
    """A result's id: the same each time one outcome is published, different for another outcome or generation."""
    return str(uuid.uuid5(NAMESPACE, "|".join([kind, *map(str, parts)])))


def request_body(request: DeletionRequest) -> bytes:
    """A request as the JSON that would submit it again."""
    return json.dumps(to_wire(request)).encode("ascii")


def invalid_request(problems: Iterable[Problem], code: str = "InvalidRequest") -> ErrorBody:
    """Problems as a BatchError, each with its pointer."""
    values = tuple((problem.pointer, problem.text) for problem in problems)
    return ErrorBody(code, "The request is not valid.", values)


@dataclass(frozen=True)
class Result:
    """The content of a result, whether it has a row (deleted, ...) or not (rejected, conflict)."""

    id: str
    end: Conclusion
    about: DeletionRequest | PartialRequest
    """The request, or what could be read of it."""
    source: str
    """The Batch account that the result speaks for."""
    origin: Origin
    parent_id: str | None = None
    attempts: int = 0
    generation: int = 0
    accepted_at: datetime | None = None
    replayed: bool = False
    """Whether it answers a repeat of a request that had already ended."""
    raw: bytes | None = field(default=None, compare=False)
    """The message as received, if it held only this request."""
    message_id: str | None = None
    """The queue's id of a message that was rejected."""
    policy: str | None = None
    """Digest of the retention policy behind the request."""

    @property
    def outcome(self) -> Outcome:
        return self.end.outcome

    @property
    def was_carried_out(self) -> bool:
        """Whether the app has tried or ended the request before, so that its account was an allowed one then."""
        return self.attempts > 0 or self.generation > 0

    @property
    def latency_seconds(self) -> float | None:
        """Seconds from acceptance to the end; None if it was never accepted."""
        return (self.end.completed_at - self.accepted_at).total_seconds() if self.accepted_at else None

    @property
    def body(self) -> bytes:
        """What a dead letter keeps: the message as received, or the one request of many."""
        if self.raw is not None or isinstance(self.about, PartialRequest):
            return self.raw or b""
        return request_body(self.about)

    @classmethod
    def of(cls, record: Record, raw: bytes | None = None, *, replayed: bool = False) -> Result:
        """The result of a row that is done."""
        end, request = record.conclusion, record.request
        if end is None:
            raise ValueError(f"row {record.key.row} is not done")
        return cls(
            result_id(end.outcome.value, record.key.row, record.payload_hash, record.generation),
            end,
            request,
            request.batch_url,
            record.origin,
            record.parent_id,
            record.attempts,
            record.generation,
            record.accepted_at,
            replayed,
            raw,
            policy=record.policy,
        )

    @classmethod
    def conflict(cls, asked: Record, now: datetime, raw: bytes | None = None) -> Result:
        """The result of a request whose id was used with a different payload; the row is left alone."""
        request = asked.request
        own_id = result_id(Outcome.CONFLICT.value, request.client_request_id, request.dry_run, asked.payload_hash)
        end = Conclusion(Outcome.CONFLICT, Certainty.CONFIRMED, now, error=ID_CONFLICT)
        return cls(own_id, end, request, request.batch_url, asked.origin, asked.parent_id, raw=raw)

    @classmethod
    def rejected(
        cls,
        raw: bytes,
        item: Invalid,
        error: ErrorBody,
        default_account: str,
        now: datetime,
        *,
        kept: bytes,
        message_id: str,
        parent_id: str | None = None,
    ) -> Result:
        """The result of an invalid item. Its id is derived from the message, so a poison copy gets the same one.

        `kept` is the part of the message that the dead letter keeps.
        """
        own_id = result_id(Outcome.REJECTED.value, hashlib.sha256(raw).hexdigest(), item.index)
        end = Conclusion(Outcome.REJECTED, Certainty.CONFIRMED, now, error=error)
        source = item.partial.batch_url or default_account
        return cls(own_id, end, item.partial, source, Origin.QUEUE, parent_id, raw=kept, message_id=message_id)

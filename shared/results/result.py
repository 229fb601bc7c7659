"""How one request ended, or what was wrong with it: the content of its result message and dead letter. Pure."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.batch.reply import ErrorBody
from shared.errors import Problem
from shared.ledger.record import Certainty, Origin, Outcome, Record
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
    outcome: Outcome
    certainty: Certainty
    source: str
    completed_at: datetime
    origin: Origin
    client_request_id: str | None = None
    job_id: str | None = None
    task_id: str | None = None
    batch_url: str | None = None
    parent_id: str | None = None
    attempts: int = 0
    generation: int = 0
    status: int | None = None
    batch_request_id: str | None = None
    error: ErrorBody | None = None
    accepted_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    traceparent: str | None = None
    dry_run: bool = False
    replayed: bool = False
    """Whether it answers a repeat of a request that had already ended."""
    raw: bytes | None = field(default=None, compare=False)
    """The message as received, if it held only this request."""
    request: DeletionRequest | None = field(default=None, compare=False)
    message_id: str | None = None
    """The queue's id of a message that was rejected."""
    policy: str | None = None
    """Digest of the retention policy behind the request."""

    @property
    def latency_seconds(self) -> float | None:
        """Seconds from acceptance to the end; None if it was never accepted."""
        return (self.completed_at - self.accepted_at).total_seconds() if self.accepted_at else None

    @property
    def body(self) -> bytes:
        """What a dead letter keeps: the message as received, or the one request of many."""
        if self.raw is not None or self.request is None:
            return self.raw or b""
        return request_body(self.request)

    @classmethod
    def of(cls, record: Record, raw: bytes | None = None, *, replayed: bool = False) -> Result:
        """The result of a row that is done."""
        end, request = record.conclusion, record.request
        if end is None:
            raise ValueError(f"row {record.key.row} is not done")
        return cls(
            id=result_id(end.outcome.value, record.key.row, record.payload_hash, record.generation),
            outcome=end.outcome,
            certainty=end.certainty,
            source=request.batch_url,
            completed_at=end.completed_at,
            origin=record.origin,
            client_request_id=request.client_request_id,
            job_id=request.job_id,
            task_id=request.task_id,
            batch_url=request.batch_url,
            parent_id=record.parent_id,
            attempts=record.attempts,
            generation=record.generation,
            status=end.status,
            batch_request_id=end.batch_request_id,
            error=end.error,
            accepted_at=record.accepted_at,
            metadata=request.metadata,
            traceparent=request.traceparent,
            dry_run=request.dry_run,
            replayed=replayed,
            raw=raw,
            request=request,
            policy=record.policy,
        )

    @classmethod
    def conflict(cls, asked: Record, now: datetime, raw: bytes | None = None) -> Result:
        """The result of a request whose id was used with a different payload; the row is left alone."""
        request = asked.request
        return cls(
            id=result_id(Outcome.CONFLICT.value, request.client_request_id, request.dry_run, asked.payload_hash),
            outcome=Outcome.CONFLICT,
            certainty=Certainty.CONFIRMED,
            source=request.batch_url,
            completed_at=now,
            origin=asked.origin,
            client_request_id=request.client_request_id,
            job_id=request.job_id,
            task_id=request.task_id,
            batch_url=request.batch_url,
            parent_id=asked.parent_id,
            error=ID_CONFLICT,
            metadata=request.metadata,
            traceparent=request.traceparent,
            dry_run=request.dry_run,
            raw=raw,
            request=request,
        )

    @classmethod
    def rejected(
        cls,
        raw: bytes,
        problems: Iterable[Problem],
        partial: PartialRequest,
        default_account: str,
        now: datetime,
        index: int = 0,
        parent_id: str | None = None,
    ) -> Result:
        """The result of an invalid request. Its id is derived from the body, so a poison copy gets the same one."""
        return cls(
            id=result_id(Outcome.REJECTED.value, hashlib.sha256(raw).hexdigest(), index),
            outcome=Outcome.REJECTED,
            certainty=Certainty.CONFIRMED,
            source=partial.batch_url or default_account,
            completed_at=now,
            origin=Origin.QUEUE,
            client_request_id=partial.client_request_id,
            job_id=partial.job_id,
            task_id=partial.task_id,
            batch_url=partial.batch_url,
            parent_id=parent_id,
            error=invalid_request(problems),
            metadata=partial.metadata or {},
            traceparent=partial.traceparent,
            dry_run=partial.dry_run,
            raw=raw,
        )

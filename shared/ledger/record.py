"""What is remembered of one deletion request: one row per client-request-id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.batch.reply import BatchError
from shared.request.model import DeletionRequest

DRY_RUN_SUFFIX = ".dry-run"


class State(StrEnum):
    """Where a request stands. `CLAIMED` with a lease that is over means released or abandoned."""

    ACCEPTED = "accepted"
    CLAIMED = "claimed"
    DONE = "done"


class Outcome(StrEnum):
    """How a request ended, as the result message says it."""

    DELETED = "deleted"
    NOT_FOUND = "notFound"
    PRECONDITION_FAILED = "preconditionFailed"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    WOULD_DELETE = "wouldDelete"


DEAD_LETTERED = frozenset({Outcome.FAILED, Outcome.EXHAUSTED, Outcome.REJECTED, Outcome.CONFLICT})
"""Outcomes that leave a dead-letter record for people."""


class Certainty(StrEnum):
    """How far the outcome is known to hold."""

    CONFIRMED = "confirmed"
    INFERRED = "inferred"
    UNKNOWN = "unknown"


class Origin(StrEnum):
    """The door that a request came in by."""

    QUEUE = "queue"
    HTTP = "http"
    BULK = "bulk"
    JOB_COMPLETION = "job-completion"
    REDRIVE = "redrive"


@dataclass(frozen=True)
class Key:
    """Identity of a row. A dry run has its own id space, so it never uses up the real id."""

    client_request_id: str
    dry_run: bool = False

    @property
    def bucket(self) -> str:
        """First hex digit of SHA-256 of the id: 16 partitions.

        Sixteen times a partition's 2,000 operations a second is above what a storage account gives, and
        a prefix of the GUID itself would be hot with time-ordered ids.
        """
        return hashlib.sha256(self.client_request_id.encode("ascii")).hexdigest()[0]

    @property
    def row(self) -> str:
        return self.client_request_id + (DRY_RUN_SUFFIX if self.dry_run else "")

    @classmethod
    def of(cls, request: DeletionRequest) -> Key:
        return cls(request.client_request_id, request.dry_run)


@dataclass(frozen=True)
class Claim:
    """Who may send the DELETE now, and until when."""

    claim_id: str
    """Fresh per invocation: by it a worker knows its own write again after a lost answer."""
    message_id: str
    dequeue_count: int
    expires_at: datetime

    @property
    def has_message(self) -> bool:
        """False for the synchronous HTTP call, whose work no queue message would bring back."""
        return not self.message_id.startswith(HTTP_CLAIM)


HTTP_CLAIM = "http:"


@dataclass(frozen=True)
class Conclusion:
    """How a request ended. Recorded once per generation and never changed."""

    outcome: Outcome
    certainty: Certainty
    completed_at: datetime
    status: int | None = None
    error: BatchError | None = None
    batch_request_id: str | None = None


@dataclass(frozen=True)
class Record:
    """One row. Every change is one conditional write of the whole decision."""

    request: DeletionRequest
    payload_hash: str
    origin: Origin
    accepted_at: datetime
    parent_id: str | None = None
    state: State = State.ACCEPTED
    generation: int = 0
    """Counts redrives; part of the result id."""
    due_at: datetime | None = None
    """Not before this instant (`deleteAfter`); None means at once."""
    attempts: int = 0
    """Claims taken in this generation."""
    maybe_sent: bool = False
    """An earlier or the present try may have reached Batch: what makes a later 404 read as deleted."""
    maybe_effect: bool = False
    """An earlier or the present try may have deleted the task: what makes giving up uncertain."""
    claim: Claim | None = None
    last_error: BatchError | None = None
    next_attempt_at: datetime | None = None
    conclusion: Conclusion | None = None
    emit_pending: bool = False
    """The result is owed and no queue message will bring it: housekeeping sends it."""
    etag: str | None = field(default=None, compare=False)
    """The storage service's version of the row; None before the first write."""

    @property
    def key(self) -> Key:
        return Key.of(self.request)

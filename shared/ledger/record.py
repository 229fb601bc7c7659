"""The record of one deletion request: one row per client-request-id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from shared.batch.reply import ErrorBody
from shared.errors import CorruptRecord
from shared.parsing.grammar import due_at
from shared.request.model import DeletionRequest, payload_hash

DRY_RUN_SUFFIX = ".dry-run"


class State(StrEnum):
    """A request's state. `CLAIMED` with an expired lease means released or abandoned."""

    ACCEPTED = "accepted"
    CLAIMED = "claimed"
    DONE = "done"


class Outcome(StrEnum):
    """How a request ended, in the words of the result message."""

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
    """How sure the outcome is."""

    CONFIRMED = "confirmed"
    INFERRED = "inferred"
    UNKNOWN = "unknown"


class Origin(StrEnum):
    """How a request reached the app."""

    QUEUE = "queue"
    HTTP = "http"
    BULK = "bulk"
    JOB_COMPLETION = "job-completion"
    RETENTION = "retention"
    REDRIVE = "redrive"


OF_A_LISTING = frozenset({Origin.JOB_COMPLETION, Origin.RETENTION})


@dataclass(frozen=True)
class Key:
    """The identity of a row. Dry runs have a separate id space, so they never use up a real id."""

    client_request_id: str
    dry_run: bool = False

    @cached_property
    def bucket(self) -> str:
        """First hex digit of SHA-256 of the id: 16 partitions.

        Sixteen times a partition's 2,000 operations per second exceeds what a storage account delivers. A
        prefix of the GUID itself would make a hot partition of time-ordered ids.
        """
        return hashlib.sha256(self.client_request_id.encode("ascii")).hexdigest()[0]

    @property
    def row(self) -> str:
        return self.client_request_id + (DRY_RUN_SUFFIX if self.dry_run else "")

    @classmethod
    def of(cls, request: DeletionRequest) -> Key:
        return cls(request.client_request_id, request.dry_run)


HTTP_CLAIM = "http:"


@dataclass(frozen=True)
class Claim:
    """Who may send the DELETE now, and until when."""

    claim_id: str
    """Unique to an invocation, so that a worker recognises its own write after a lost answer."""
    message_id: str
    dequeue_count: int
    expires_at: datetime

    @property
    def has_message(self) -> bool:
        """False for a synchronous HTTP call, whose work no queue message would bring back."""
        return not self.message_id.startswith(HTTP_CLAIM)

    @classmethod
    def of_call(cls, claim_id: str, invocation_id: str, expires_at: datetime) -> Claim:
        """The claim of a synchronous HTTP call, which is never redelivered."""
        return cls(claim_id, HTTP_CLAIM + invocation_id, 1, expires_at)


@dataclass(frozen=True)
class Conclusion:
    """How a request ended. Recorded once per generation, and never changed."""

    outcome: Outcome
    certainty: Certainty
    completed_at: datetime
    status: int | None = None
    error: ErrorBody | None = None
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
    """When the deletion falls due (`deleteAfter`); None means immediately."""
    attempts: int = 0
    """Claims taken in this generation."""
    maybe_effect: bool = False
    """The current try or an earlier one, in any generation, may have deleted the task.

    A later 404 then counts as deleted, and any outcome that does not say what became of the task is `unknown`.
    """
    claim: Claim | None = None
    last_error: ErrorBody | None = None
    next_attempt_at: datetime | None = None
    is_queued: bool = False
    """A message was put that becomes visible when this synchronous call's claim ends."""
    conclusion: Conclusion | None = None
    emit_pending: bool = False
    """The result is still to be sent and no queue message will do it, so housekeeping will."""
    policy: str | None = None
    """Digest of the retention policy that asked, also after a redrive; None where none did."""
    is_counted: bool = True
    """Whether the parent's count includes it. Where a claim inserts the row, what comes of that claim counts it."""
    etag: str | None = field(default=None, compare=False)
    """The storage service's version of the row; None before the first write."""

    @classmethod
    def new(
        cls,
        request: DeletionRequest,
        origin: Origin,
        accepted_at: datetime,
        parent_id: str | None = None,
        policy: str | None = None,
    ) -> Record:
        """A newly accepted request, not yet stored."""
        due = due_at(request.delete_after, accepted_at) if request.delete_after else None
        return cls(request, payload_hash(request), origin, accepted_at, parent_id, due_at=due, policy=policy)

    @cached_property
    def key(self) -> Key:
        return Key.of(self.request)

    @property
    def due(self) -> datetime | None:
        """The earliest time at which an open request needs work; None means immediately."""
        if self.state is State.ACCEPTED:
            return self.due_at
        return self.next_attempt_at or (self.claim.expires_at if self.claim else None)

    @property
    def held(self) -> Claim:
        """The claim of a row that is under one. Raises CorruptRecord."""
        if self.claim is None:
            raise CorruptRecord(f"row {self.key.row} is {self.state.value} without a claim")
        return self.claim

    @property
    def is_released(self) -> bool:
        """Whether its claim was released, so that it waits for its next attempt."""
        return self.state is State.CLAIMED and self.next_attempt_at is not None

    @property
    def is_of_a_listing(self) -> bool:
        """Whether a clean-up or a sweep listed its task.

        If the task is listed again in another version, the existing request stands, and no conflict is reported.
        """
        return self.parent_id is not None and self.origin in OF_A_LISTING

    @property
    def is_untouched(self) -> bool:
        """Whether no claim has touched it in this generation."""
        return self.state is State.ACCEPTED and self.attempts == 0

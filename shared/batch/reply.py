"""What came back from Batch, as a value, and what class of answer it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ATTEMPT_TIMED_OUT = "AttemptTimedOut"
TOO_MANY_IN_FLIGHT = "TooManyInFlight"
OUT_OF_TIME = "OutOfTime"
OWN_DOING = frozenset({ATTEMPT_TIMED_OUT, TOO_MANY_IN_FLIGHT, OUT_OF_TIME})
"""Codes of this app's own for a call that it did not make in time."""


class Sending(StrEnum):
    """How far one DELETE got. Decides what a later 404 may be taken to mean."""

    NOT_SENT = "not-sent"
    """It never left: no token, no connection, or refused by our own guard."""
    UNANSWERED = "unanswered"
    """It may have reached the service; no whole answer came back."""
    ANSWERED = "answered"


@dataclass(frozen=True)
class BatchError:
    """The error object of the Batch service, or one in its shape that the app made up.

    https://learn.microsoft.com/rest/api/batchservice/task/delete-task#batcherror
    """

    code: str
    message: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Reply:
    """What one call to Batch came to. Never raised, always returned."""

    sending: Sending
    status: int | None = None
    """HTTP status; None unless `sending` is ANSWERED."""
    error: BatchError | None = None
    """Batch's own error, or the fault in that shape; None for a 2xx."""
    has_batch_code: bool = False
    """True when `error.code` was read from a BatchError body (a proxy's 404 has none)."""
    retry_after: float | None = None
    """Seconds that the service asked to wait, from either form of `Retry-After`."""
    request_id: str | None = None
    """The service's `request-id`."""

    @property
    def is_own_doing(self) -> bool:
        """Whether nothing was sent because this app had no time or place for it, which says nothing about the request.

        Such a try uses up none of the request's attempts; its age ends one that never gets its turn.
        """
        return self.sending is Sending.NOT_SENT and self.error is not None and self.error.code in OWN_DOING


class Verdict(StrEnum):
    """The class of a reply: what a deletion does next."""

    DELETED = "deleted"
    GONE = "gone"
    """404 TaskNotFound or JobNotFound: deleted or never there, the record tells."""
    PRECONDITION = "precondition"
    PERMANENT = "permanent"
    TRANSIENT = "transient"
    ACCESS = "access"
    """401 twice, or 403: role or configuration trouble that people mend; retried after a minute or more."""


@dataclass(frozen=True)
class Judgement:
    """A reply's class and what it proves about the task."""

    verdict: Verdict
    may_have_taken_effect: bool
    """False when the reply proves that this try changed nothing."""
    slow: bool = False
    """True for a passing state that lasts minutes, such as `NodeNotReady`: quick retries are wasted on it."""

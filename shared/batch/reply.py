"""The reply to a call: how far the call got, what kind of answer it got, and what that proves. Pure.

    reply                                                   kind
    2xx with a request-id                                   success
    2xx without one                                         transient: a proxy answered, not the service
    404 TaskNotFound, JobNotFound                           gone
    404 without a Batch error body                          transient: a proxy or a wrong host says 404 too
    304, 412                                                precondition
    401, 403, 400 InvalidAuthenticationInfo                 access
    403 IOError, 408, 429, 5xx but 501                      transient
    NodeNotReady with any status                            transient and slow
    409 JobBeingDeleted and other passing states            transient and slow
    any other status                                        permanent
    no answer, or nothing sent                              transient
    nothing sent because our own guard refused              permanent

Sources: "Batch Status and Error Codes" in the REST reference. 429 TooManyRequests and NodeNotReady
are missing there, but the service does return them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final

log = logging.getLogger(__name__)

NODE_NOT_READY: Final = "NodeNotReady"
"""Undocumented, as is the status that goes with it."""

GONE_CODES: Final = frozenset({"TaskNotFound", "JobNotFound"})

PASSING_STATES: Final = frozenset(
    {
        "JobBeingDeleted",
        "JobBeingTerminated",
        "JobScheduleBeingDeleted",
        "JobScheduleBeingTerminated",
        "NodeBeingCreated",
        "NodeBeingRebooted",
        "NodeBeingReimaged",
        "NodeBeingStarted",
        NODE_NOT_READY,
        "NodeStateUnusable",
        "OperationInvalidForCurrentState",
        "PoolBeingCreated",
        "PoolBeingDeleted",
        "PoolBeingResized",
    }
)
"""Transient states of a job, node or pool, which last minutes rather than seconds."""


class Sent(StrEnum):
    """How far one call got."""

    HELD = "held"
    """The app had no time or no slot for it. This costs the request no attempt; if it never gets a slot, it expires."""
    REFUSED = "refused"
    """Our own guard would not send it; it never will."""
    FAILED = "failed"
    """Nothing left the machine: no token, no connection."""
    UNANSWERED = "unanswered"
    """It may have reached the service; no complete answer came back."""
    ANSWERED = "answered"


class Kind(StrEnum):
    """The kind of a reply: what a deletion does next."""

    SUCCESS = "success"
    GONE = "gone"
    """404 TaskNotFound or JobNotFound: deleted, or never there; the row says which."""
    PRECONDITION = "precondition"
    PERMANENT = "permanent"
    TRANSIENT = "transient"
    ACCESS = "access"
    """401 twice, or 403: a role or setting that people must fix; retried after a minute or more."""


@dataclass(frozen=True)
class ErrorBody:
    """The error object of the Batch service, or one in its shape that the app made up.

    https://learn.microsoft.com/rest/api/batchservice/task/delete-task#batcherror
    """

    code: str
    message: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Reply:
    """The result of one call to Batch. Always returned, never raised."""

    sent: Sent
    status: int | None = None
    """HTTP status; None unless `sent` is ANSWERED."""
    error: ErrorBody | None = None
    """Batch's error, or the app's fault in the same shape; None for a 2xx from the service."""
    has_batch_code: bool = False
    """True when `error.code` was read from a BatchError body (a proxy's 404 has none)."""
    retry_after: float | None = None
    """Seconds that the service asked to wait, from either form of `Retry-After`."""
    request_id: str | None = None
    """The service's `request-id`."""
    body: bytes = field(default=b"", compare=False, repr=False)
    """Of a 2xx: what the readers of pages and states parse. Never logged."""

    @cached_property
    def kind(self) -> Kind:
        """The kind, by the table above."""
        if self.sent is Sent.REFUSED:
            return Kind.PERMANENT
        return Kind.TRANSIENT if self.status is None else self._kind_of(self.status)

    @property
    def batch_code(self) -> str | None:
        """The error code that Batch itself sent."""
        return self.error.code if self.error is not None and self.has_batch_code else None

    @property
    def as_error(self) -> ErrorBody:
        """The error of a reply that is not the expected one, or one made of its status alone."""
        return self.error or ErrorBody("UnexpectedAnswer", f"The service answered {self.status}.")

    @property
    def was_sent(self) -> bool:
        """Whether anything of the call left the machine."""
        return self.sent in {Sent.UNANSWERED, Sent.ANSWERED}

    @property
    def may_have_taken_effect(self) -> bool:
        """False when the reply proves that this call changed nothing.

        A gateway's 408 or 5xx says nothing about what happened behind it, and neither does a 2xx from a proxy.
        """
        if self.status is None:
            return self.sent is Sent.UNANSWERED
        return 200 <= self.status < 300 or self.status == 408 or self.status >= 500

    @property
    def is_slow(self) -> bool:
        """True for a transient state that lasts minutes, such as `NodeNotReady`: quick retries would be wasted."""
        return self.kind is Kind.TRANSIENT and self.batch_code in PASSING_STATES

    def _kind_of(self, status: int) -> Kind:
        if 200 <= status < 300:
            return Kind.SUCCESS if self.error is None else Kind.TRANSIENT
        if _is_passing(status, self.batch_code):
            return Kind.TRANSIENT
        if status in {304, 412}:
            return Kind.PRECONDITION
        if status == 404:
            return self._kind_of_404()
        # By status, because the error code for a missing role is not documented.
        if status in {401, 403} or (status == 400 and self.batch_code == "InvalidAuthenticationInfo"):
            return Kind.ACCESS
        return Kind.PERMANENT

    def _kind_of_404(self) -> Kind:
        """Only Batch's own error code proves that the task is not there."""
        if self.batch_code in GONE_CODES:
            return Kind.GONE
        return Kind.PERMANENT if self.has_batch_code else Kind.TRANSIENT


def _is_passing(status: int, code: str | None) -> bool:
    if code == NODE_NOT_READY:
        return True
    if status == 403:
        # Not about identity: storage behind the service failed.
        return code == "IOError"
    if status == 409:
        return code in PASSING_STATES
    return status in {408, 429} or (status >= 500 and status != 501)


def log_refused_access(reply: Reply, account: str, client_request_id: str) -> None:
    """Logs `batch_access_refused` when Batch rejected the token or the identity lacks permission.

    People have to fix a lost role, a wrong account or a wrong token scope; an alert reads the line
    (`infra/queries/batch-access-refused.kql`).
    """
    if reply.kind is Kind.ACCESS:
        log.error(
            "batch_access_refused status=%s account=%s request_id=%s batch_request_id=%s",
            reply.status,
            account,
            client_request_id,
            reply.request_id,
        )

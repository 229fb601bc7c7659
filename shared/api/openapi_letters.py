"""The responses for operators: dead letters, results of bulk calls, the summary. Types for the description only."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from shared.api.openapi_answers import WIRE, BatchError, Count, Id, Moment, OnlyTrue, Url
from shared.retention.sweep import Phase


class DeadLetter(TypedDict):
    """A request or an event that could not be carried out. Listings leave out `body` and `bodyEncoding`."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    id: Id
    reason: str
    outcome: Literal["failed", "exhausted", "rejected", "conflict"]
    queue: str
    client_request_id: Id | None
    job_id: str | None
    task_id: str | None
    attempts: Count
    first_seen_at: Moment
    last_seen_at: Moment
    redriven_at: Moment | None
    redriven_by: str | None
    settled_at: Moment | None
    settled_by: str | None
    status_code: int | None
    batch_request_id: str | None
    error: BatchError | None
    body: NotRequired[str]
    body_encoding: NotRequired[Literal["utf-8", "base64"]]
    dry_run: NotRequired[OnlyTrue]


class DeadLetterPage(TypedDict):
    """A page of dead letters; it may be empty without being the last."""

    value: list[DeadLetter]
    continuation: str | None


class Redriven(TypedDict):
    """A dead letter that was redriven."""

    id: Id
    redriven: OnlyTrue


class _Many(TypedDict):
    __pydantic_config__ = WIRE  # type: ignore[misc]
    dry_run: bool
    matched: Count
    ids: list[Id]
    more: bool
    before: Moment
    continuation: str | None


class RedrivenMany(_Many):
    """What one call of a bulk redrive did."""

    redriven: Count


class SettledMany(_Many):
    """What one call of a bulk settlement did."""

    settled: Count


class QueueDepth(TypedDict):
    """The messages on one queue."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    name: str
    depth: Count
    oldest_age_seconds: float | None


class ReasonCount(TypedDict):
    """The number of dead letters with one reason."""

    reason: str
    count: Count


class DeadLetterCounts(TypedDict):
    """The number of unsettled dead letters."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    total: Count | None
    by_reason: list[ReasonCount]
    counted: Literal["all", "the newest 1,000"]


class RunningCleanups(TypedDict):
    """The clean-ups in progress."""

    running: Count


class AccountSweep(TypedDict):
    """The last sweep of one account."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    batch_url: Url
    sweep_id: Id
    state: Phase
    started_at: Moment
    ended_at: Moment | None


class Summary(TypedDict):
    """The app in numbers."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    at: Moment
    queues: list[QueueDepth]
    dead_letters: DeadLetterCounts
    clean_ups: RunningCleanups
    sweeps: list[AccountSweep]
    version: str


LETTER_ANSWERS = (DeadLetter, DeadLetterPage, Redriven, RedrivenMany, SettledMany, Summary)

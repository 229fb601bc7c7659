"""What a message on the job-completion queue says: an event, or the app's own next step of a clean-up.

    {"page": {"v": 1, "event": {...}, "acceptedAt": "...", "step": 3, "continuation": "https://..."}}

A step is read as strictly as an event, and its continuation is followed only within the listing that it belongs to
(shared/batch/target.py), so a forged one gets nobody further than an event of their own would.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from shared.cleanup.event import (
    JobEvent,
    PartialEvent,
    SubscriptionValidation,
    TaskCompleted,
    partial_event,
    read_event,
    to_wire,
)
from shared.cleanup.record import Cleanup, new_cleanup
from shared.clock import to_text
from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput
from shared.ledger.work import MAX_MESSAGE_BYTES, moment_before
from shared.parsing.strict_json import refuse_faults
from shared.request.envelope import read_body
from shared.request.model import DeletionRequest, derived_id, with_own_account
from shared.settings import Settings

MAX_STEP = 1_000_000_000


@dataclass(frozen=True)
class Step:
    """One step of a clean-up: a poll of its job, or a page of its tasks."""

    cleanup: Cleanup
    """As the event alone begins it; the row knows the rest."""
    number: int = 0
    continuation: str | None = None


@dataclass(frozen=True)
class Refused:
    """A message that is no valid event."""

    fault: InvalidInput
    partial: PartialEvent


def write_step(cleanup: Cleanup, continuation: str | None) -> str:
    """The message for the step that comes next, ASCII."""
    page = {
        "v": 1,
        "event": to_wire(cleanup.event),
        "acceptedAt": to_text(cleanup.accepted_at),
        "step": cleanup.step,
        "continuation": continuation,
    }
    return json.dumps({"page": page}, separators=(",", ":"))


def read_cleanup_message(delivery: Delivery, settings: Settings, now: datetime) -> Step | DeletionRequest | Refused:
    """Reads a message by the rules of the contract. Never raises."""
    accounts = settings.batch_accounts
    value: object = None
    try:
        value = read_body(delivery.body, max_bytes=MAX_MESSAGE_BYTES)
        found = _read(value, accounts, delivery.inserted_at, now)
    except InvalidInput as fault:
        return Refused(fault, partial_event(value, accounts))
    if isinstance(found, Step):
        cleanup = replace(found.cleanup, event=found.cleanup.event.traced(delivery.traceparent))
        return replace(found, cleanup=cleanup)
    return found.traced(delivery.traceparent)


def read_step(body: bytes, settings: Settings, now: datetime) -> Step:
    """The step in a body that was read as one before. Raises InvalidInput when today's rules refuse it."""
    found = _read(read_body(body, max_bytes=MAX_MESSAGE_BYTES), settings.batch_accounts, now, now)
    if not isinstance(found, Step):
        raise InvalidInput.at("", "is about one task")
    return found


def _read(value: object, accounts: tuple[str, ...], inserted_at: datetime, now: datetime) -> Step | DeletionRequest:
    if isinstance(value, dict) and set(value) == {"page"}:
        refuse_faults(value)
        return _read_step(value["page"], accounts, now)
    event = read_event(value, accounts, inserted_at)
    if isinstance(event, SubscriptionValidation):
        raise InvalidInput.at("/eventType", "is answered over HTTP alone")
    if isinstance(event, TaskCompleted):
        return task_request(event, accounts)
    return Step(new_cleanup(event, inserted_at))


def task_request(completed: TaskCompleted, accounts: tuple[str, ...]) -> DeletionRequest:
    """The deletion of the one task that a diagnostic record of Batch is about, never of its job.

    Raises InvalidInput when the record names no task, or an account that is not on the allow list.
    """
    named = [url for url in accounts if url.partition("://")[2].partition(".")[0] == completed.account]
    if not named:
        raise InvalidInput.at("/resourceId", "must end in the name of an account that BATCH_ACCOUNT_URLS lists")
    if completed.job_id is None or completed.task_id is None:
        name = "jobId" if completed.job_id is None else "id"
        raise InvalidInput.at(f"/properties/{name}", "must be a valid id")
    parent = str(uuid5(NAMESPACE_URL, completed.identity))
    return DeletionRequest(
        client_request_id=derived_id(parent, completed.job_id, completed.task_id),
        job_id=completed.job_id,
        task_id=completed.task_id,
        batch_url=named[0],
    )


def _read_step(page: Any, accounts: tuple[str, ...], now: datetime) -> Step:
    if (
        not isinstance(page, dict)
        or set(page) != {"v", "event", "acceptedAt", "step", "continuation"}
        or page["v"] != 1
    ):
        raise InvalidInput.at("/page", "is not a step of this app")
    number, continuation = page["step"], page["continuation"]
    if type(number) is not int or not 0 <= number <= MAX_STEP:
        raise InvalidInput.at("/page/step", "must be a whole number")
    if not (continuation is None or isinstance(continuation, str)):
        raise InvalidInput.at("/page/continuation", "must be text or null")
    accepted_at = moment_before(page["acceptedAt"], now, "/page/acceptedAt")
    event = read_event(page["event"], with_own_account(accounts, page["event"]), accepted_at)
    if not isinstance(event, JobEvent):
        raise InvalidInput.at("/page/event", "must be a bare event")
    return Step(new_cleanup(event, accepted_at), number, continuation)

"""Messages on the job-completion queue: an event, a diagnostic record about one task, or the app's own next step.

    {"page": {"v": 1, "event": {...}, "acceptedAt": "...", "step": 3, "continuation": "https://..."}}
    {"task": {"v": 1, "record": {...}, "acceptedAt": "...", "attempts": 2, "generation": 0}}

A step is read as strictly as an event, and its continuation is followed only within the listing that it belongs to
(shared/batch/target.py), so forging one gains nothing over sending an event.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.cleanup.event import (
    JobEvent,
    PartialEvent,
    SubscriptionValidation,
    partial_event,
    read_event,
    to_wire,
)
from shared.cleanup.record import Cleanup, event_hash, new_cleanup
from shared.cleanup.task_record import TaskRecord, record_wire, task_request
from shared.clock import to_text
from shared.deletion.delivery import Delivery
from shared.errors import InvalidInput
from shared.ledger.work import MAX_GENERATION, MAX_MESSAGE_BYTES, moment_before
from shared.parsing.strict_json import refuse_faults
from shared.request.envelope import read_body
from shared.request.model import DeletionRequest, with_own_account

MAX_NUMBER = 1_000_000_000


@dataclass(frozen=True)
class Step:
    """One step of a clean-up: a poll of its job, or a page of its tasks."""

    event: JobEvent
    accepted_at: datetime
    number: int = 0
    continuation: str | None = None

    @classmethod
    def next_of(cls, cleanup: Cleanup, continuation: str | None) -> Step:
        """The next step of a clean-up."""
        return cls(cleanup.event, cleanup.accepted_at, cleanup.step, continuation)

    @property
    def payload_hash(self) -> str:
        return event_hash(self.event)

    def begun(self) -> Cleanup:
        """The clean-up in its initial state."""
        return new_cleanup(self.event, self.accepted_at)

    def text(self) -> str:
        """The message, ASCII."""
        page = {
            "v": 1,
            "event": to_wire(self.event),
            "acceptedAt": to_text(self.accepted_at),
            "step": self.number,
            "continuation": self.continuation,
        }
        return json.dumps({"page": page}, separators=(",", ":"))


@dataclass(frozen=True)
class TaskStep:
    """Reads the one task that a diagnostic record is about."""

    record: TaskRecord
    request: DeletionRequest
    """The deletion of that task, without the task's version so far."""
    accepted_at: datetime
    attempts: int = 0
    """Failed reads so far."""
    generation: int = 0

    def text(self) -> str:
        """The message, ASCII."""
        task = {
            "v": 1,
            "record": record_wire(self.record),
            "acceptedAt": to_text(self.accepted_at),
            "attempts": self.attempts,
            "generation": self.generation,
        }
        return json.dumps({"task": task}, separators=(",", ":"))


@dataclass(frozen=True)
class Refusal:
    """A message that is not a valid event."""

    fault: InvalidInput
    partial: PartialEvent


def read_cleanup_message(delivery: Delivery, accounts: tuple[str, ...], now: datetime) -> Step | TaskStep | Refusal:
    """Parses a message. Never raises."""
    value: object = None
    try:
        value = read_body(delivery.body, max_bytes=MAX_MESSAGE_BYTES)
        found = _read(value, accounts, delivery.inserted_at, now)
    except InvalidInput as fault:
        return Refusal(fault, partial_event(value, accounts))
    if isinstance(found, Step):
        return replace(found, event=found.event.traced(delivery.traceparent))
    return replace(found, request=found.request.traced(delivery.traceparent))


def read_again(body: bytes, accounts: tuple[str, ...], now: datetime) -> Step | TaskStep:
    """Parses a body that was valid when it arrived. Raises InvalidInput if the current rules refuse it."""
    return _read(read_body(body, max_bytes=MAX_MESSAGE_BYTES), accounts, now, now)


def _read(value: object, accounts: tuple[str, ...], inserted_at: datetime, now: datetime) -> Step | TaskStep:
    if isinstance(value, dict) and set(value) in ({"page"}, {"task"}):
        refuse_faults(value)
        return _read_page(value["page"], accounts, now) if "page" in value else _read_task(value["task"], accounts, now)
    event = read_event(value, accounts, inserted_at)
    if isinstance(event, SubscriptionValidation):
        raise InvalidInput.at("/eventType", "is supported over HTTP only")
    if isinstance(event, TaskRecord):
        return TaskStep(event, task_request(event, accounts), inserted_at)
    return Step(event, inserted_at)


def _read_page(page: Any, accounts: tuple[str, ...], now: datetime) -> Step:
    _check_own(page, {"v", "event", "acceptedAt", "step", "continuation"}, "/page")
    continuation = page["continuation"]
    if not (continuation is None or isinstance(continuation, str)):
        raise InvalidInput.at("/page/continuation", "must be text or null")
    number = _number(page["step"], "/page/step", MAX_NUMBER)
    accepted_at = moment_before(page["acceptedAt"], now, "/page/acceptedAt")
    event = read_event(page["event"], with_own_account(accounts, page["event"]), accepted_at, "/page/event")
    if not isinstance(event, JobEvent):
        raise InvalidInput.at("/page/event", "must be a bare event")
    return Step(event, accepted_at, number, continuation)


def _read_task(task: Any, accounts: tuple[str, ...], now: datetime) -> TaskStep:
    _check_own(task, {"v", "record", "acceptedAt", "attempts", "generation"}, "/task")
    attempts = _number(task["attempts"], "/task/attempts", MAX_NUMBER)
    generation = _number(task["generation"], "/task/generation", MAX_GENERATION)
    accepted_at = moment_before(task["acceptedAt"], now, "/task/acceptedAt")
    record = read_event(task["record"], accounts, accepted_at, "/task/record")
    if not isinstance(record, TaskRecord):
        raise InvalidInput.at("/task/record", "must be a diagnostic record about one task")
    return TaskStep(record, task_request(record, accounts), accepted_at, attempts, generation)


def _check_own(value: object, names: set[str], at: str) -> None:
    if not isinstance(value, dict) or set(value) != names or value["v"] != 1:
        raise InvalidInput.at(at, "is not a step of this app")


def _number(value: object, at: str, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise InvalidInput.at(at, "must be a whole number")
    return value

"""One step of a sweep: how its message relates to the row, what ends the sweep before it, and the row after it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.batch.reply import ErrorBody
from shared.parsing.retention_policy import digest_of, policies_of
from shared.request.model import DeletionRequest, derived_id
from shared.retention.judging import Rules
from shared.retention.message import SweepStep
from shared.retention.sweep import STUCK_AFTER, Asked, Phase, Sweep

POLICIES_CHANGED: Final = ErrorBody(
    "PoliciesChanged", "The account's policies have changed; the next sweep applies the new ones."
)
STOPPED: Final = ErrorBody("Stopped", "The sweep was cancelled.")
NOT_ALLOWED: Final = ErrorBody("AccountNotAllowed", "BATCH_ACCOUNT_URLS no longer lists the account.")
GIVEN_UP: Final = ErrorBody("GivenUp", "The host gave up the message of a step.")


class Standing(StrEnum):
    """How a message relates to its sweep."""

    NEXT = "next"
    AGAIN = "again"
    """A redelivery of the message that did the last step: the first delivery may have died halfway."""
    ENDED = "ended"
    PASSED = "passed"
    """Another message did this step, and sends the next one."""


def standing_of(sweep: Sweep, step: SweepStep, message_id: str) -> Standing:
    """How a message with this step relates to the row as read."""
    if sweep.has_ended:
        return Standing.ENDED
    if sweep.step == step.number:
        return Standing.NEXT
    again = sweep.step == step.number + 1 and sweep.step_message == message_id
    return Standing.AGAIN if again else Standing.PASSED


def at_step(sweep: Sweep, rules: Rules, accounts: Sequence[str], now: datetime) -> Sweep:
    """The sweep at the start of its next step; ended if it must not continue."""
    sweep = replace(sweep, asked=(), due_at=now)
    if sweep.is_stopping:
        return sweep.ended(Phase.CANCELLED, now, STOPPED)
    if sweep.account not in accounts:
        return sweep.ended(Phase.FAILED, now, NOT_ALLOWED)
    if digest_of(policies_of(rules.policies, sweep.account)) != sweep.policies_digest:
        return sweep.ended(Phase.CANCELLED, now, POLICIES_CHANGED)
    return sweep


def stepped(sweep: Sweep, message_id: str) -> Sweep:
    """The sweep, with this step recorded as done by this message."""
    return replace(sweep, step=sweep.step + 1, step_message=message_id)


def stopped(sweep: Sweep, now: datetime) -> Sweep:
    """The sweep after a cancellation. It ends now if it is waiting or its message is lost, else at its next step.

    A sweep that has already ended keeps its state, but its unclaimed requests still end as cancelled.
    """
    sweep = replace(sweep, is_stopping=True)
    is_idle = now < sweep.due_at or sweep.due_at + STUCK_AFTER <= now
    return sweep.ended(Phase.CANCELLED, now, STOPPED) if not sweep.has_ended and is_idle else sweep


def given_up(sweep: Sweep, step: SweepStep, now: datetime) -> Sweep | None:
    """The sweep after a step's message was moved to the poison queue; None if the sweep has moved on.

    A poison copy has a new message id, so a step that its original completed looks like another message's.
    """
    if sweep.has_ended:
        return sweep
    if step.number not in {sweep.step, sweep.step - 1}:
        return None
    return sweep.ended(Phase.FAILED, now, GIVEN_UP)


def requeued(sweep: Sweep, now: datetime) -> tuple[Sweep, SweepStep]:
    """A sweep whose message was lost, and a new message for its next step."""
    return replace(sweep, due_at=now), SweepStep(sweep.sweep_id, sweep.step, repeats=True)


def request_of(sweep: Sweep, asked: Asked) -> DeletionRequest:
    """The deletion request for the listed version of a task; the same at every repeat."""
    return DeletionRequest(
        client_request_id=derived_id(sweep.sweep_id, asked.job_id, asked.task_id),
        job_id=asked.job_id,
        task_id=asked.task_id,
        batch_url=sweep.account,
        if_match=asked.etag,
        metadata={"policy": asked.policy},
    )

"""One step of a sweep: what its message is to the row, what ends the sweep before it, what the row says after it. Pure."""

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

POLICIES_CHANGED: Final = ErrorBody("PoliciesChanged", "The account's policies changed: the next sweep judges anew.")
STOPPED: Final = ErrorBody("Stopped", "The sweep was stopped.")
NOT_ALLOWED: Final = ErrorBody("AccountNotAllowed", "BATCH_ACCOUNT_URLS no longer lists the account.")
GIVEN_UP: Final = ErrorBody("GivenUp", "The host gave up the message of a step.")


class Standing(StrEnum):
    """What a message is to its sweep."""

    NEXT = "next"
    AGAIN = "again"
    """A redelivery of the message that did the last step, which may have died before that step's end."""
    ENDED = "ended"
    PASSED = "passed"
    """Another message did this step, and its own successor is on its way."""


def standing_of(sweep: Sweep, step: SweepStep, message_id: str) -> Standing:
    """What a message with this step is to the row as just read."""
    if sweep.has_ended:
        return Standing.ENDED
    if sweep.step == step.number:
        return Standing.NEXT
    again = sweep.step == step.number + 1 and sweep.step_message == message_id
    return Standing.AGAIN if again else Standing.PASSED


def at_step(sweep: Sweep, rules: Rules, accounts: Sequence[str], now: datetime) -> Sweep:
    """The sweep as its next step begins: ended, where something speaks against going on."""
    sweep = replace(sweep, asked=(), due_at=now)
    if sweep.is_stopping:
        return sweep.ended(Phase.CANCELLED, now, STOPPED)
    if sweep.account not in accounts:
        return sweep.ended(Phase.FAILED, now, NOT_ALLOWED)
    if digest_of(policies_of(rules.policies, sweep.account)) != sweep.policies_digest:
        return sweep.ended(Phase.CANCELLED, now, POLICIES_CHANGED)
    return sweep


def stepped(sweep: Sweep, message_id: str) -> Sweep:
    """The sweep with this step done by this message."""
    return replace(sweep, step=sweep.step + 1, step_message=message_id)


def stopped(sweep: Sweep, now: datetime) -> Sweep:
    """The sweep when somebody asks it to stop: at once while it waits or its message is lost, else at its next step.

    One that has ended keeps its state; its requests that no claim has touched end as cancelled all the same.
    """
    sweep = replace(sweep, is_stopping=True)
    is_idle = now < sweep.due_at or sweep.due_at + STUCK_AFTER <= now
    return sweep.ended(Phase.CANCELLED, now, STOPPED) if not sweep.has_ended and is_idle else sweep


def given_up(sweep: Sweep, step: SweepStep, now: datetime) -> Sweep | None:
    """The sweep after a step that ended on the poison queue; None when it went on from there.

    The copy has a message id of its own, so that a step which its original had done looks like another message's.
    """
    if sweep.has_ended:
        return sweep
    if step.number not in {sweep.step, sweep.step - 1}:
        return None
    return sweep.ended(Phase.FAILED, now, GIVEN_UP)


def put_back(sweep: Sweep, now: datetime) -> tuple[Sweep, SweepStep]:
    """The sweep whose message was lost, and a message for the step that is due."""
    return replace(sweep, due_at=now), SweepStep(sweep.sweep_id, sweep.step, repeats=True)


def request_of(sweep: Sweep, asked: Asked) -> DeletionRequest:
    """The deletion request: the same at every repeat, for the version of the task that was listed."""
    return DeletionRequest(
        client_request_id=derived_id(sweep.sweep_id, asked.job_id, asked.task_id),
        job_id=asked.job_id,
        task_id=asked.task_id,
        batch_url=sweep.account,
        if_match=asked.etag,
        metadata={"policy": asked.policy},
    )

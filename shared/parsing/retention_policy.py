"""Retention policies: what they say, which jobs they match, and when a task is due. Pure.

For each job, only the first policy of its account whose `jobs` matches applies.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from shared.parsing import account_url, grammar, protection
from shared.parsing.strict_model import StrictModel

NEVER: Final = "never"
MOST_PATTERNS: Final = 20
MOST_PER_SWEEP: Final = 1_000_000
LONGEST_DELAY: Final = timedelta(days=3_650)

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class JobState(StrEnum):
    """Which job states a policy covers. Without one: every job except those whose tasks may still wait for each other."""

    COMPLETED = "completed"
    ANY = "any"


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError("must be 1 to 32 characters of a-z, 0-9 and '-', and not begin with a hyphen")
    return text


def _patterns(value: object) -> object:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise ValueError("must be a pattern or a list of patterns")
    if not 1 <= len(patterns) <= MOST_PATTERNS:
        raise ValueError(f"must have 1 to {MOST_PATTERNS} patterns")
    return tuple(protection.check_pattern(pattern) for pattern in patterns)


def _delay(value: object) -> timedelta:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 -- pydantic's way
    delay = grammar.duration(value)
    if delay > LONGEST_DELAY:
        raise ValueError(f"must be at most {LONGEST_DELAY.days} days")
    return delay


def _job_state(value: object) -> JobState:
    for state in JobState:
        if value == state:
            return state
    raise ValueError(f"must be {' or '.join(JobState)}")


Delay = Annotated[timedelta, BeforeValidator(_delay)]


class Delays(StrictModel):
    """How long a task is kept after it ends; None keeps tasks of that class forever."""

    succeeded: Delay | None = None
    failed: Delay | None = None


class Policy(StrictModel):
    """One policy, checked."""

    name: Annotated[str, AfterValidator(_name)]
    jobs: Annotated[tuple[str, ...], BeforeValidator(_patterns)]
    batch_url: Annotated[str | None, AfterValidator(lambda text: text and account_url.canonical(text))] = None
    """The one account that it covers; None means every account."""
    delete_after: Delays
    job_state: Annotated[JobState | None, BeforeValidator(_job_state)] = None
    most: Annotated[int | None, Field(ge=1, le=MOST_PER_SWEEP)] = None
    """The most deletions that one sweep requests; None means no limit."""
    dry_run: bool = False
    """Only count what would be deleted."""

    @field_validator("delete_after", mode="before")
    @classmethod
    def _for_both_classes(cls, value: object) -> object:
        if value == NEVER:
            return Delays()
        if isinstance(value, str):
            delay = _delay(value)
            return Delays.model_construct(succeeded=delay, failed=delay)
        if value == {}:
            raise ValueError(f"must name succeeded, failed or both; '{NEVER}' keeps both")
        if value is None or isinstance(value, dict | Delays):
            return value
        raise ValueError(f"must be a duration, '{NEVER}', or an object of succeeded and failed")

    @property
    def keeps_all(self) -> bool:
        """True for `"never"`: its jobs are not even listed."""
        return self.delete_after.succeeded is None and self.delete_after.failed is None

    def delay_of(self, *, succeeded: bool) -> timedelta | None:
        """How long a task of this class is kept after it ends; None means forever."""
        return self.delete_after.succeeded if succeeded else self.delete_after.failed

    def is_due(self, *, succeeded: bool, ended: datetime, at: datetime) -> bool:
        """Whether a task that ended at `ended` may be deleted at `at`."""
        delay = self.delay_of(succeeded=succeeded)
        return delay is not None and ended <= at - delay

    def ended_by(self, at: datetime) -> datetime | None:
        """The latest end time that a task due at this instant can have; None when all tasks are kept."""
        delays = [d for d in (self.delete_after.succeeded, self.delete_after.failed) if d is not None]
        return at - min(delays) if delays else None

    def matches(self, account: str, job_id: str) -> bool:
        """Whether it applies to a job, provided no earlier policy does."""
        # The patterns of PROTECTED_JOBS, matched in the same way.
        return self.is_for(account) and protection.is_protected(job_id, self.jobs) is not None

    def is_for(self, account: str) -> bool:
        """Whether it covers an account, given its canonical URL."""
        return self.batch_url in {None, account}

    @cached_property
    def digest(self) -> str:
        """32 hex digits that are equal for policies that mean the same, however they are written."""
        return _digest(document_of(self))


def policies_of(policies: Iterable[Policy], account: str) -> tuple[Policy, ...]:
    """The policies that cover an account, in order."""
    return tuple(policy for policy in policies if policy.is_for(account))


def first_match(policies: Iterable[Policy], account: str, job_id: str) -> Policy | None:
    """The policy that applies to a job, whatever its other fields say; None when there is none."""
    return next((policy for policy in policies if policy.matches(account, job_id)), None)


def is_in_force(policies: Iterable[Policy], account: str, job_id: str, digest: str) -> bool:
    """Whether the first policy that matches a job still has this digest, so is unchanged."""
    found = first_match(policies, account, job_id)
    return found is not None and found.digest == digest


def digest_of(policies: Iterable[Policy]) -> str:
    """The digest of several policies and their order."""
    return _digest([policy.digest for policy in policies])


def document_of(policy: Policy) -> dict[str, Any]:
    """A policy as the app understands it, for people and for its digest."""
    delays = {"succeeded": policy.delete_after.succeeded, "failed": policy.delete_after.failed}
    written = {name: _iso(delay) for name, delay in delays.items() if delay is not None}
    return {
        "name": policy.name,
        "jobs": list(policy.jobs),
        "batchUrl": policy.batch_url,
        "deleteAfter": written or NEVER,
        "deleteAfterSeconds": {
            name: None if delay is None else round(delay.total_seconds()) for name, delay in delays.items()
        },
        "jobState": policy.job_state,
        "most": policy.most,
        "dryRun": policy.dry_run,
    }


def _iso(delay: timedelta) -> str:
    return f"P{delay.days}D" + (f"T{delay.seconds}S" if delay.seconds else "")


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]

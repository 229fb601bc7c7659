"""What a sweep may touch: which jobs a policy takes, and which of their tasks are due. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.batch.job_listing import ListedJob
from shared.batch.listing import COMPLETED, CompletedTask
from shared.cleanup.selection import has_succeeded
from shared.parsing import grammar
from shared.parsing.protection import is_protected
from shared.parsing.retention_policy import JobState, Policy, first_match
from shared.request.model import readable

KEEP_MARK: Final = ("task-retention", "keep")
"""Metadata by which a job's owner keeps all of its tasks without an app setting; in any letter case."""
DELETING: Final = "deleting"


@dataclass(frozen=True)
class Rules:
    """The settings that a sweep goes by, as they are now."""

    policies: tuple[Policy, ...]
    """Of all accounts."""
    protected: tuple[str, ...]

    def policy(self, name: str) -> Policy:
        """The policy of this name. Raises KeyError."""
        found = {policy.name: policy for policy in self.policies}
        return found[name]


class Finding(StrEnum):
    """What becomes of a job."""

    TAKEN = "taken"
    NOWHERE = "nowhere"
    """No policy takes it, or it is on its way out: it is not counted."""
    PROTECTED = "protected"
    MARKED = "marked"
    DEPENDENCIES = "dependencies"
    UNLISTED = "unlisted"


def judge_job(job: ListedJob, account: str, rules: Rules) -> tuple[Policy | None, Finding]:
    """The policy that decides about a job, and whether it takes it; of several reasons against it the first counts."""
    policy = first_match(rules.policies, account, job.id)
    if policy is None:
        return None, Finding.NOWHERE
    if job.state == DELETING or (job.is_readable and policy.job_state is JobState.COMPLETED and job.state != COMPLETED):
        return policy, Finding.NOWHERE
    return policy, _left_alone(job, policy, rules) or Finding.TAKEN


def _left_alone(job: ListedJob, policy: Policy, rules: Rules) -> Finding | None:
    """The first reason that holds, also of a job that cannot be read: by its id, and by what of it can be."""
    if is_protected(job.id, rules.protected):
        return Finding.PROTECTED
    if any((name.lower(), value.lower()) == KEEP_MARK for name, value in job.metadata):
        return Finding.MARKED
    if job.is_readable and policy.job_state is None and job.uses_dependencies and job.state != COMPLETED:
        # What still waits may need its parents' files, and what deleting a parent does to it is not documented.
        return Finding.DEPENDENCIES
    if not job.is_readable or readable(job.id, grammar.job_id) is None:
        return Finding.UNLISTED
    return None


def due_tasks(policy: Policy, tasks: Iterable[CompletedTask], at: datetime) -> Iterator[tuple[str, str]]:
    """Id and version of each task that may go.

    Without an end time that can be read nobody knows when it may, and without a version it could be a task that runs
    again by the time of its deletion: both are left alone.
    """
    for task in tasks:
        task_id, etag = readable(task.id, grammar.task_id), readable(task.etag, grammar.etag)
        ended = _ended(task)
        if task_id is None or etag is None or ended is None:
            continue
        if policy.is_due(succeeded=has_succeeded(task), ended=ended, at=at):
            yield task_id, etag


def _ended(task: CompletedTask) -> datetime | None:
    try:
        return grammar.instant(task.end_time or "")
    except ValueError:
        return None

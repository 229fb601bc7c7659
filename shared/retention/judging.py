"""Decides which jobs a policy covers, and which of their tasks are due. Pure."""

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
from shared.request.model import parse_or_none

KEEP_MARK: Final = ("task-retention", "keep")
"""Metadata with which the owner of a job can keep all of its tasks, without an app setting. Any letter case."""
DELETING: Final = "deleting"


@dataclass(frozen=True)
class Rules:
    """The current settings that a sweep applies."""

    policies: tuple[Policy, ...]
    """Of all accounts."""
    protected: tuple[str, ...]

    def policy(self, name: str) -> Policy:
        """The policy of this name. Raises KeyError."""
        found = {policy.name: policy for policy in self.policies}
        return found[name]


class Finding(StrEnum):
    """What a sweep does with a job."""

    TAKEN = "taken"
    NOWHERE = "nowhere"
    """No policy covers it, or it is being deleted: it is not counted."""
    PROTECTED = "protected"
    MARKED = "marked"
    DEPENDENCIES = "dependencies"
    UNLISTED = "unlisted"


def judge_job(job: ListedJob, account: str, rules: Rules) -> tuple[Policy | None, Finding]:
    """The policy that applies to a job, and the finding. If there are several reasons to skip the job, the first counts."""
    policy = first_match(rules.policies, account, job.id)
    if policy is None:
        return None, Finding.NOWHERE
    if job.state == DELETING or (job.is_readable and policy.job_state is JobState.COMPLETED and job.state != COMPLETED):
        return policy, Finding.NOWHERE
    return policy, _left_alone(job, policy, rules) or Finding.TAKEN


def _left_alone(job: ListedJob, policy: Policy, rules: Rules) -> Finding | None:
    """The first reason to skip a job. One that cannot be read is judged by its id and by what can be read of it."""
    if is_protected(job.id, rules.protected):
        return Finding.PROTECTED
    if any((name.lower(), value.lower()) == KEEP_MARK for name, value in job.metadata):
        return Finding.MARKED
    if job.is_readable and policy.job_state is None and job.uses_dependencies and job.state != COMPLETED:
        # A waiting task may need its parents' files, and the effect of deleting a parent is not documented.
        return Finding.DEPENDENCIES
    if not job.is_readable or parse_or_none(job.id, grammar.job_id) is None:
        return Finding.UNLISTED
    return None


def due_tasks(policy: Policy, tasks: Iterable[CompletedTask], at: datetime) -> Iterator[tuple[str, str]]:
    """Id and version of each task that is due.

    Tasks without a valid end time or without a version are kept: it is unknown when the former are due, and the latter
    might be running again by the time of their deletion.
    """
    for task in tasks:
        task_id, etag = parse_or_none(task.id, grammar.task_id), parse_or_none(task.etag, grammar.etag)
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

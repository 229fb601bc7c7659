"""One sweep of one account as a value: where it stands, what it has counted, what its last step asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.batch.answer import clean
from shared.batch.reply import ErrorBody
from shared.parsing.retention_policy import Policy, digest_of, policies_of

STUCK_AFTER = timedelta(hours=1)
"""After so long without the step that is due its message is taken for lost."""
JOBS_PASSED_OVER = "JobsPassedOver"
MOST_SAMPLES = 20
MOST_NAMED = 100
"""So many jobs that were passed over are named; the others are counted."""
MOST_NEXT = 20
"""So many jobs behind the one at which `most` was reached are remembered."""
MOST_HELD_BACK = 10_000
"""So many jobs are remembered for the second lap; those beyond wait for the next sweep."""

MOST_MET = 10_000
"""So many jobs that were listed last are known when the service lists them again."""
MOST_TASKS_MET = 5_000
"""So many tasks of the job at hand that were listed last are known when the service lists them again."""


def mark_of(text: str) -> str:
    """A short digest of a link, or of an id: what a row remembers it by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def mark_of_id(text: str) -> str:
    """The mark of the id of a job or a task, whose letter case does not count."""
    return mark_of(text.lower())


class Phase(StrEnum):
    """Where a sweep stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Count:
    """What one policy came to."""

    name: str
    digest: str
    dry_run: bool
    """The stricter of the policy's and the sweep's."""
    jobs: int = 0
    requested: int = 0
    kept: int = 0
    sample: tuple[str, ...] = ()
    begin_after: tuple[str, ...] = ()
    """Marks of the job at which the last sweep reached `most`, and of the jobs that came next in the list then.

    This sweep begins with the job after the first of these, or, when that is gone, with the first of the others that it
    meets: the service promises no order by which the place of a job that is gone could be found.
    """
    is_begun: bool = True
    """Whether one of those jobs was met in the first lap; without any from the start."""
    held_back: int = 0
    """Jobs before the one with which it began, which wait for the second lap."""
    reached_at: tuple[str, ...] = ()
    """As `begin_after`, for the next sweep: where this one reached `most`."""
    reached_lap: int = 0
    """The lap in which that was: what a later one lists first comes before that place."""


@dataclass(frozen=True)
class LeftAlone:
    """Jobs that a policy of the sweep would have taken."""

    protected: int = 0
    marked: int = 0
    dependencies: int = 0
    unlisted: int = 0
    """Passed over after trouble."""


@dataclass(frozen=True)
class PendingJob:
    """A job of the present page whose tasks are still to be listed."""

    job_id: str
    policy: str


@dataclass(frozen=True)
class Asked:
    """One deletion that the last step asked for, by the version that was listed."""

    job_id: str
    task_id: str
    etag: str
    policy: str


@dataclass(frozen=True)
class Place:
    """How far the listing is."""

    lap: int = 1
    """The second one is for the jobs that were held back in the first."""
    jobs_page: str = ""
    """The link to the page of jobs that comes next; empty for the first."""
    jobs_end: bool = False
    """No page of jobs is left in this lap."""
    jobs_seen: tuple[str, ...] = ()
    """Digests of the links that were followed in this lap, so that one which leads back is known."""
    jobs_met: tuple[str, ...] = ()
    """Marks of the jobs that were listed last in the first lap: pages shift while jobs come, and list one twice."""
    held_back: tuple[str, ...] = ()
    """Marks of the jobs that wait for the second lap, or that it has not met yet."""
    pending: tuple[PendingJob, ...] = ()
    tasks_page: str = ""
    """The link to the next page of the first pending job's tasks; empty for the first."""
    tasks_seen: tuple[str, ...] = ()
    tasks_met: tuple[str, ...] = ()
    """Marks of the tasks of that job that were listed last."""


@dataclass(frozen=True)
class Sweep:
    """One row."""

    sweep_id: str
    account: str
    started_at: datetime
    """Also the instant at which tasks are due, on every page."""
    policies_digest: str
    """Of all policies of the account, in their order."""
    counts: tuple[Count, ...]
    """Of the policies of this sweep, in the order of the setting."""
    due_at: datetime
    """When the next step is due."""
    dry_run: bool = False
    policy: str = ""
    """The one policy that it is for; empty: all of the account's."""
    phase: Phase = Phase.RUNNING
    is_stopping: bool = False
    """Somebody has asked it to stop: the next step ends it, and its requests end before their first claim."""
    ended_at: datetime | None = None
    error: ErrorBody | None = None
    left_alone: LeftAlone = LeftAlone()
    passed_over: tuple[tuple[str, str], ...] = ()
    """The first jobs that were passed over, and why."""
    place: Place = Place()
    step: int = 0
    """The step that comes next."""
    step_message: str = ""
    """Id of the message that did the last one."""
    attempts: int = 0
    """Troubles of the account in a row."""
    tries: int = 0
    """Troubles in a row of the job, or of the list of jobs, that is at hand."""
    asked: tuple[Asked, ...] = ()
    """What the last step asked for: a repeat of that step asks for the same again, whatever is listed by then."""
    etag: str | None = field(default=None, compare=False)

    @property
    def moves_timer(self) -> bool:
        """Whether the timer counts from it: a dry run, and a sweep of one policy, leave its next where it is."""
        return not self.dry_run and not self.policy

    @property
    def has_ended(self) -> bool:
        return self.phase is not Phase.RUNNING

    @property
    def requested(self) -> int:
        """Deletions really asked for: those of dry runs are only counted."""
        return sum(count.requested for count in self.counts if not count.dry_run)

    def count_of(self, policy: str) -> Count | None:
        """What a policy came to; None when it is not one of this sweep."""
        return next((count for count in self.counts if count.name == policy), None)

    def counted(self, after: Count) -> Sweep:
        """The sweep with what one policy came to."""
        return replace(self, counts=tuple(after if c.name == after.name else c for c in self.counts))

    def ended(self, phase: Phase, now: datetime, error: ErrorBody | None = None) -> Sweep:
        """The sweep at its end, whose error names the jobs that were passed over, whatever ended it.

        What its last step asked for stays: whoever closes it asks for that once more.
        """
        return replace(self, phase=phase, ended_at=now, error=self._with_names(error), place=Place(), due_at=now)

    def _with_names(self, error: ErrorBody | None) -> ErrorBody | None:
        count = self.left_alone.unlisted
        if not count:
            return error
        error = error or ErrorBody(JOBS_PASSED_OVER, f"{count} jobs were passed over after trouble.")
        names = tuple((f"jobs/{clean(job_id, 128)}", reason) for job_id, reason in self.passed_over)
        return replace(error, values=(*error.values, *names))


def new_sweep(
    sweep_id: str,
    account: str,
    policies: tuple[Policy, ...],
    now: datetime,
    *,
    only: str = "",
    dry_run: bool = False,
    begin_after: Mapping[str, tuple[str, ...]] | None = None,
) -> Sweep:
    """The sweep that begins now, of all policies of its account or of one of them.

    `begin_after` says by a policy's digest where its last sweep reached `most`.
    """
    own = policies_of(policies, account)
    after = begin_after or {}
    counts = tuple(
        Count(
            policy.name,
            policy.digest,
            dry_run or policy.dry_run,
            begin_after=after.get(policy.digest, ()),
            is_begun=policy.digest not in after,
        )
        for policy in own
        if only in {"", policy.name}
    )
    return Sweep(sweep_id, account, now, digest_of(own), counts, now, dry_run, only)

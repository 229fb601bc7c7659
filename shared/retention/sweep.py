"""One sweep of one account as a value: its progress, its counts, and the requests of its last step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.batch.answer import clean
from shared.batch.listing import mark_of
from shared.batch.reply import ErrorBody
from shared.parsing.retention_policy import Policy, digest_of, policies_of

STUCK_AFTER = timedelta(hours=1)
"""How long after a step was due its message counts as lost."""
JOBS_PASSED_OVER = "JobsPassedOver"
MOST_SAMPLES = 20
MOST_NAMED = 100
"""The most skipped jobs that are named; the others are only counted."""
MOST_NEXT = 20
"""How many jobs after the one at which `most` was reached are remembered."""
MOST_HELD_BACK = 10_000
"""How many jobs are remembered for the second lap; any others wait for the next sweep."""

MOST_MET = 10_000
"""How many of the last listed jobs are recognised if the service lists them again."""
MOST_TASKS_MET = 5_000
"""How many of the last listed tasks of the current job are recognised if the service lists them again."""


def mark_of_id(text: str) -> str:
    """The mark of the id of a job or a task, whose letter case does not count."""
    return mark_of(text.lower())


class Phase(StrEnum):
    """The state of a sweep."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Count:
    """The counts of one policy, and where its listing begins."""

    name: str
    digest: str
    dry_run: bool
    """True if the policy or the sweep is a dry run."""
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
    """Jobs that a policy covers but that were skipped, by reason."""

    protected: int = 0
    marked: int = 0
    dependencies: int = 0
    unlisted: int = 0
    """Skipped after errors."""


@dataclass(frozen=True)
class PendingJob:
    """A job of the current page whose tasks have not been listed yet."""

    job_id: str
    policy: str


@dataclass(frozen=True)
class Asked:
    """One deletion requested by the last step, for the version that was listed."""

    job_id: str
    task_id: str
    etag: str
    policy: str


@dataclass(frozen=True)
class Place:
    """The progress of the listing."""

    lap: int = 1
    """The second lap lists the jobs that the first one held back."""
    jobs_page: str = ""
    """The link to the next page of jobs; empty for the first."""
    jobs_end: bool = False
    """Whether this lap has no more pages of jobs."""
    jobs_seen: tuple[str, ...] = ()
    """Digests of the links followed in this lap, to detect a link that leads back."""
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
    """Also the instant for which all pages decide whether a task is due."""
    policies_digest: str
    """The digest of all policies of the account, in order."""
    counts: tuple[Count, ...]
    """One for each policy of this sweep, in the order of `RETENTION_POLICIES`."""
    due_at: datetime
    """When the next step is due."""
    dry_run: bool = False
    policy: str = ""
    """The only policy to apply; empty for all policies of the account."""
    phase: Phase = Phase.RUNNING
    is_stopping: bool = False
    """It is being cancelled: the next step ends it, and its requests end unless they have been claimed."""
    ended_at: datetime | None = None
    error: ErrorBody | None = None
    left_alone: LeftAlone = LeftAlone()
    passed_over: tuple[tuple[str, str], ...] = ()
    """The first skipped jobs, and why."""
    place: Place = Place()
    step: int = 0
    """The number of the next step."""
    step_message: str = ""
    """Id of the message that did the previous step."""
    attempts: int = 0
    """Consecutive failures of the account."""
    tries: int = 0
    """Consecutive failures of the current list."""
    asked: tuple[Asked, ...] = ()
    """The requests of the last step: a repeat of that step sends the same ones, whatever a listing would find by then."""
    etag: str | None = field(default=None, compare=False)

    @property
    def moves_timer(self) -> bool:
        """Whether the timer counts from this sweep. Dry runs and sweeps of a single policy do not change the timer."""
        return not self.dry_run and not self.policy

    @property
    def has_ended(self) -> bool:
        return self.phase is not Phase.RUNNING

    @property
    def requested(self) -> int:
        """Deletions requested, without those that a dry run only counted."""
        return sum(count.requested for count in self.counts if not count.dry_run)

    def count_of(self, policy: str) -> Count | None:
        """The counts of a policy; None if it is not part of this sweep."""
        return next((count for count in self.counts if count.name == policy), None)

    def counted(self, after: Count) -> Sweep:
        """The sweep with new counts for one policy."""
        return replace(self, counts=tuple(after if c.name == after.name else c for c in self.counts))

    def ended(self, phase: Phase, now: datetime, error: ErrorBody | None = None) -> Sweep:
        """The sweep at its end. Its error names the skipped jobs, whatever ended it.

        The requests of its last step stay: closing it sends them once more.
        """
        return replace(self, phase=phase, ended_at=now, error=self._with_names(error), place=Place(), due_at=now)

    def _with_names(self, error: ErrorBody | None) -> ErrorBody | None:
        count = self.left_alone.unlisted
        if not count:
            return error
        error = error or ErrorBody(JOBS_PASSED_OVER, f"{count} jobs were skipped after errors.")
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
    """A new sweep that applies all policies of the account, or only one.

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

"""One sweep of one account as a value: its progress, its counts, and the requests of its last step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.batch.reply import ErrorBody
from shared.parsing.retention_policy import Policy, digest_of, policies_of

STUCK_AFTER = timedelta(hours=1)
"""How long after a step was due its message counts as lost."""
MOST_SAMPLES = 20
MOST_NAMED = 100
"""The most skipped jobs that are named; the others are only counted."""


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
    begin_after: str = ""
    """The job, in lower case, at which the last sweep reached `most`; this one begins after it."""
    is_begun: bool = True
    """Whether the first lap has passed that job; True from the start if there is none."""
    goes_on_at: str = ""
    """The next job after that one, in lower case: the second lap ends before it, or at its end if the job is gone."""
    held_back: int = 0
    """The number of jobs up to that one, which are left to the second lap."""
    reached_at: str = ""
    """The job, in lower case, at which this sweep reached `most`."""


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
    pending: tuple[PendingJob, ...] = ()
    tasks_page: str = ""
    """The link to the next page of the first pending job's tasks; empty for the first."""
    tasks_seen: tuple[str, ...] = ()


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
        """The sweep at its end. The requests of its last step stay: closing it sends them once more."""
        return replace(self, phase=phase, ended_at=now, error=error, place=Place(), due_at=now)


def new_sweep(
    sweep_id: str,
    account: str,
    policies: tuple[Policy, ...],
    now: datetime,
    *,
    only: str = "",
    dry_run: bool = False,
    begin_after: dict[str, str] | None = None,
) -> Sweep:
    """A new sweep that applies all policies of the account, or only one.

    `begin_after` has, by a policy's digest, the job at which its last sweep reached `most`.
    """
    own = policies_of(policies, account)
    after = begin_after or {}
    counts = tuple(
        Count(
            policy.name,
            policy.digest,
            dry_run or policy.dry_run,
            begin_after=after.get(policy.digest, ""),
            is_begun=policy.digest not in after,
        )
        for policy in own
        if only in {"", policy.name}
    )
    return Sweep(sweep_id, account, now, digest_of(own), counts, now, dry_run, only)

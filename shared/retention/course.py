"""The course of a sweep: which call is next, and how each page or failure changes the sweep. Pure.

    a page of jobs     jobs that a policy covers become pending; the others are counted or ignored
    a page of tasks    of the first pending job: the deletion of tasks that are due is requested
    the end            no page of jobs is left and no job is pending; then a second lap for jobs that were held back

A policy with `most` begins after the job at which its last sweep reached the limit, so that no job starves the others:
the jobs up to that one are held back for the second lap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.batch.job_listing import JobPage, ListedJob
from shared.batch.listing import TaskPage
from shared.parsing.protection import is_protected
from shared.parsing.retention_policy import Policy
from shared.retention.judging import Finding, Rules, due_tasks, judge_job
from shared.retention.sweep import MOST_NAMED, MOST_SAMPLES, Asked, Count, LeftAlone, PendingJob, Place, Sweep

FIRST_LAP, SECOND_LAP = 1, 2
COUNTED = frozenset({Finding.PROTECTED, Finding.MARKED, Finding.DEPENDENCIES, Finding.UNLISTED})


@dataclass(frozen=True)
class ListJobs:
    """List a page of the account's jobs."""

    continuation: str | None


@dataclass(frozen=True)
class ListTasks:
    """List a page of a job's completed tasks."""

    job_id: str
    policy: Policy
    continuation: str | None


def next_call(sweep: Sweep, rules: Rules) -> ListJobs | ListTasks | None:
    """The next call; None if everything is listed. For a sweep returned by `settled`."""
    place = sweep.place
    if place.pending:
        job = place.pending[0]
        return ListTasks(job.job_id, rules.policy(job.policy), place.tasks_page or None)
    return None if place.jobs_end else ListJobs(place.jobs_page or None)


def settled(sweep: Sweep, rules: Rules) -> Sweep:
    """The sweep without calls that are no longer needed or allowed."""
    while sweep.place.pending:
        job = sweep.place.pending[0]
        if is_protected(job.job_id, rules.protected):
            # Protected since it was listed. Protection is not part of the policies, so the sweep continues without the job.
            sweep = _left_alone(_job_dropped(sweep, job), Finding.PROTECTED)
        elif _is_full(sweep, rules.policy(job.policy)):
            sweep = _without_first(sweep)
        else:
            break
    place = sweep.place
    if not place.pending and place.jobs_end and place.lap == FIRST_LAP and _needs_second_lap(sweep, rules):
        return replace(sweep, place=Place(lap=SECOND_LAP))
    return sweep


def leads_back(link: str | None, seen: Sequence[str]) -> bool:
    """Whether a link to the next page has been followed before, so that the listing would never end."""
    return link is not None and _digest(link) in seen


def on_jobs(sweep: Sweep, page: JobPage, rules: Rules) -> Sweep:
    """The sweep after a page of jobs."""
    place = sweep.place
    for job in page.jobs:
        policy, finding = judge_job(job, sweep.account, rules)
        if policy is None or sweep.count_of(policy.name) is None:
            continue
        visit = _first_visit if place.lap == FIRST_LAP else _second_visit
        sweep = visit(sweep, job, policy, finding)
    link = page.continuation or ""
    seen = (*place.jobs_seen, _digest(link)) if link else ()
    place = replace(sweep.place, jobs_page=link, jobs_end=not link, jobs_seen=seen)
    return replace(sweep, place=place, tries=0, attempts=0)


def _first_visit(sweep: Sweep, job: ListedJob, policy: Policy, finding: Finding) -> Sweep:
    count = _count(sweep, policy.name)
    is_begun = count.is_begun
    if not is_begun and job.id.lower() == count.begin_after:
        count = replace(count, is_begun=True)
    elif is_begun and count.begin_after and not count.goes_on_at:
        count = replace(count, goes_on_at=job.id.lower())
    sweep = sweep.counted(count)
    if finding in COUNTED:
        return _left_alone(sweep, finding, job.id)
    if finding is Finding.NOWHERE:
        return sweep
    sweep = sweep.counted(replace(count, jobs=count.jobs + 1, held_back=count.held_back + (not is_begun)))
    if policy.keeps_all or not is_begun or _is_full(sweep, policy):
        return sweep
    return _with_pending(sweep, job, policy)


def _second_visit(sweep: Sweep, job: ListedJob, policy: Policy, finding: Finding) -> Sweep:
    """Takes only the jobs that were held back: those before the one with which the first lap began, or all if it is gone.

    Jobs were counted in the first lap. Which of them it skipped is not recorded.
    """
    count = _count(sweep, policy.name)
    if count.held_back == 0 or not count.begin_after:
        return sweep
    is_taken_before = job.id.lower() == count.goes_on_at
    if is_taken_before or job.id.lower() == count.begin_after:
        sweep = sweep.counted(replace(count, held_back=0))
    if is_taken_before or finding is not Finding.TAKEN or _is_full(sweep, policy):
        return sweep
    return _with_pending(sweep, job, policy)


def on_tasks(sweep: Sweep, page: TaskPage, rules: Rules) -> Sweep:
    """The sweep after a page of the first pending job's tasks."""
    place, job = sweep.place, sweep.place.pending[0]
    policy = rules.policy(job.policy)
    count = _count(sweep, policy.name)
    room = len(page.tasks) if policy.most is None else max(0, policy.most - count.requested)
    taken = _new_ones(sweep, job, page, policy)[:room]
    names = (f"jobs/{each.job_id}/tasks/{each.task_id}" for each in taken)
    count = replace(
        count,
        requested=count.requested + len(taken),
        kept=count.kept + len(page.tasks) - len(taken),
        sample=(*count.sample, *names)[:MOST_SAMPLES],
    )
    if taken and count.requested == policy.most:
        count = replace(count, reached_at=job.job_id.lower())
    sweep = replace(sweep.counted(count), tries=0, attempts=0)
    if not count.dry_run:
        sweep = replace(sweep, asked=(*sweep.asked, *taken))
    link = page.continuation
    if link is None or _is_full(sweep, policy):
        return _without_first(sweep)
    return replace(sweep, place=replace(place, tasks_page=link, tasks_seen=(*place.tasks_seen, _digest(link))))


def _new_ones(sweep: Sweep, job: PendingJob, page: TaskPage, policy: Policy) -> list[Asked]:
    """The page's tasks that are due, without those that this step has already requested: pages can shift and overlap."""
    known = {(each.job_id.lower(), each.task_id.lower()) for each in sweep.asked}
    found = []
    for task_id, etag in due_tasks(policy, page.tasks, sweep.started_at):
        key = (job.job_id.lower(), task_id.lower())
        if key not in known:
            known.add(key)
            found.append(Asked(job.job_id, task_id, etag, policy.name))
    return found


def on_job_gone(sweep: Sweep) -> Sweep:
    """The sweep after the first pending job turned out to be gone or being deleted: not an error, and not counted."""
    return replace(_job_dropped(sweep, sweep.place.pending[0]), attempts=0)


def on_job_passed_over(sweep: Sweep, reason: str) -> Sweep:
    """The sweep after the first pending job failed too often: it continues without it. Requests already made remain."""
    job = sweep.place.pending[0]
    return _left_alone(_job_dropped(sweep, job), Finding.UNLISTED, job.job_id, reason)


def _with_pending(sweep: Sweep, job: ListedJob, policy: Policy) -> Sweep:
    pending = (*sweep.place.pending, PendingJob(job.id, policy.name))
    return replace(sweep, place=replace(sweep.place, pending=pending))


def _without_first(sweep: Sweep) -> Sweep:
    place = replace(sweep.place, pending=sweep.place.pending[1:], tasks_page="", tasks_seen=())
    return replace(sweep, place=place, tries=0)


def _job_dropped(sweep: Sweep, job: PendingJob) -> Sweep:
    """Drops the first pending job, and uncounts it."""
    count = _count(sweep, job.policy)
    return _without_first(sweep.counted(replace(count, jobs=max(0, count.jobs - 1))))


def _left_alone(sweep: Sweep, finding: Finding, job_id: str = "", reason: str = "cannot be read") -> Sweep:
    before: LeftAlone = sweep.left_alone
    after = replace(before, **{finding.value: getattr(before, finding.value) + 1})
    passed_over = sweep.passed_over
    if finding is Finding.UNLISTED and len(passed_over) < MOST_NAMED:
        passed_over = (*passed_over, (job_id, reason))
    return replace(sweep, left_alone=after, passed_over=passed_over)


def _count(sweep: Sweep, policy: str) -> Count:
    return next(count for count in sweep.counts if count.name == policy)


def _is_full(sweep: Sweep, policy: Policy) -> bool:
    return policy.most is not None and _count(sweep, policy.name).requested >= policy.most


def _needs_second_lap(sweep: Sweep, rules: Rules) -> bool:
    return any(count.held_back and not _is_full(sweep, rules.policy(count.name)) for count in sweep.counts)


def _digest(link: str) -> str:
    return hashlib.sha256(link.encode("utf-8", "surrogatepass")).hexdigest()[:12]

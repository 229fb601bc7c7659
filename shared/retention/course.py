"""The course of a sweep: which call is next, and how each page or failure changes the sweep. Pure.

    a page of jobs     jobs that a policy covers become pending; the others are counted or ignored
    a page of tasks    of the first pending job: the deletion of tasks that are due is requested
    the end            no page of jobs is left and no job is pending; then a second lap for jobs that were held back

A policy with `most` begins after the job at which its last sweep reached the limit, so that no job starves the others:
the jobs up to that one are held back for the second lap, which takes no other jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from shared.batch.job_listing import JobPage, ListedJob
from shared.batch.listing import TaskPage, mark_of
from shared.parsing.protection import is_protected
from shared.parsing.retention_policy import Policy
from shared.retention.judging import Finding, Rules, due_tasks, judge_job
from shared.retention.sweep import (
    MOST_HELD_BACK,
    MOST_MET,
    MOST_NAMED,
    MOST_NEXT,
    MOST_SAMPLES,
    MOST_TASKS_MET,
    Asked,
    Count,
    LeftAlone,
    PendingJob,
    Place,
    Sweep,
    mark_of_id,
)

T = TypeVar("T")

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
            sweep = _without_first(_next_noted(sweep, job.policy, mark_of_id(job.job_id)))
        else:
            break
    place = sweep.place
    if not place.pending and place.jobs_end and place.lap == FIRST_LAP and _needs_second_lap(sweep, rules):
        return replace(sweep, place=Place(lap=SECOND_LAP, held_back=place.held_back))
    return sweep


def leads_back(link: str | None, seen: Sequence[str]) -> bool:
    """Whether a link to the next page has been followed before, so that the listing would never end."""
    return link is not None and mark_of(link) in seen


def on_jobs(sweep: Sweep, page: JobPage, rules: Rules) -> Sweep:
    """The sweep after a page of jobs."""
    sweep = (_first_lap if sweep.place.lap == FIRST_LAP else _second_lap)(sweep, page, rules)
    link, place = page.continuation or "", sweep.place
    seen = (*place.jobs_seen, mark_of(link)) if link else ()
    return replace(sweep, place=replace(place, jobs_page=link, jobs_end=not link, jobs_seen=seen), tries=0, attempts=0)


def _judged(sweep: Sweep, page: JobPage, rules: Rules) -> Iterator[tuple[ListedJob, Policy, Finding, str]]:
    """The jobs about which a policy of this sweep decides, each with its mark."""
    for job in page.jobs:
        policy, finding = judge_job(job, sweep.account, rules)
        if policy is not None and sweep.count_of(policy.name) is not None:
            yield job, policy, finding, mark_of_id(job.id)


def _first_lap(sweep: Sweep, page: JobPage, rules: Rules) -> Sweep:
    marked = ((judged[-1], judged) for judged in _judged(sweep, page, rules))
    new, met = _new_ones(sweep.place.jobs_met, marked, MOST_MET)
    for job, policy, finding, mark in new:
        sweep = _first_visit(sweep, job, policy, finding, mark)
    return replace(sweep, place=replace(sweep.place, jobs_met=met))


def _second_lap(sweep: Sweep, page: JobPage, rules: Rules) -> Sweep:
    """Takes only the jobs that were held back, which the first lap has already counted."""
    waiting = dict.fromkeys(sweep.place.held_back)
    for job, policy, finding, mark in _judged(sweep, page, rules):
        is_next = mark in waiting or _is_full(sweep, policy)
        waiting.pop(mark, None)
        if finding is Finding.TAKEN and is_next:
            sweep = _taken(sweep, job, policy, mark)
    return replace(sweep, place=replace(sweep.place, held_back=tuple(waiting)))


def _first_visit(sweep: Sweep, job: ListedJob, policy: Policy, finding: Finding, mark: str) -> Sweep:
    count = _count(sweep, policy.name)
    is_begun = count.is_begun
    if not is_begun and mark in count.begin_after:
        is_begun = mark != count.begin_after[0]
        count = replace(count, is_begun=True)
        sweep = sweep.counted(count)
    if finding in COUNTED:
        return _left_alone(sweep, finding, job.id)
    if finding is Finding.NOWHERE:
        return sweep
    sweep = sweep.counted(replace(count, jobs=count.jobs + 1))
    if policy.keeps_all:
        return sweep
    return _taken(sweep, job, policy, mark) if is_begun else _held_back(sweep, policy, mark)


def _held_back(sweep: Sweep, policy: Policy, mark: str) -> Sweep:
    held_back = sweep.place.held_back
    if len(held_back) == MOST_HELD_BACK:
        return sweep
    count = _count(sweep, policy.name)
    sweep = sweep.counted(replace(count, held_back=count.held_back + 1))
    return replace(sweep, place=replace(sweep.place, held_back=(*held_back, mark)))


def _taken(sweep: Sweep, job: ListedJob, policy: Policy, mark: str) -> Sweep:
    """Lists the job's tasks next; if `most` is reached, notes the job as a place where the next sweep may begin."""
    if _is_full(sweep, policy):
        return _next_noted(sweep, policy.name, mark)
    pending = (*sweep.place.pending, PendingJob(job.id, policy.name))
    return replace(sweep, place=replace(sweep.place, pending=pending))


def _next_noted(sweep: Sweep, policy: str, mark: str) -> Sweep:
    count = _count(sweep, policy)
    if count.reached_lap != sweep.place.lap or len(count.reached_at) > MOST_NEXT or mark in count.reached_at:
        return sweep
    return sweep.counted(replace(count, reached_at=(*count.reached_at, mark)))


def on_tasks(sweep: Sweep, page: TaskPage, rules: Rules) -> Sweep:
    """The sweep after a page of the first pending job's tasks."""
    place, job = sweep.place, sweep.place.pending[0]
    policy = rules.policy(job.policy)
    count = _count(sweep, policy.name)
    tasks, met = _new_ones(place.tasks_met, ((mark_of_id(task.id), task) for task in page.tasks), MOST_TASKS_MET)
    due = [
        Asked(job.job_id, task_id, etag, policy.name) for task_id, etag in due_tasks(policy, tasks, sweep.started_at)
    ]
    taken = due if policy.most is None else due[: max(0, policy.most - count.requested)]
    names = (f"jobs/{each.job_id}/tasks/{each.task_id}" for each in taken)
    count = replace(
        count,
        requested=count.requested + len(taken),
        kept=count.kept + len(tasks) - len(taken),
        sample=(*count.sample, *names)[:MOST_SAMPLES],
    )
    if taken and count.requested == policy.most:
        count = replace(count, reached_at=(mark_of_id(job.job_id),), reached_lap=place.lap)
    sweep = replace(sweep.counted(count), tries=0, attempts=0)
    if not count.dry_run:
        sweep = replace(sweep, asked=(*sweep.asked, *taken))
    link = page.continuation
    if link is None or _is_full(sweep, policy):
        return _without_first(sweep)
    seen = (*place.tasks_seen, mark_of(link))
    return replace(sweep, place=replace(place, tasks_page=link, tasks_seen=seen, tasks_met=met))


def _new_ones(met: Sequence[str], listed: Iterable[tuple[str, T]], most: int) -> tuple[list[T], tuple[str, ...]]:
    """The things, given with their marks, that are listed for the first time; and the last `most` marks met so far."""
    known, new = dict.fromkeys(met), []
    for mark, each in listed:
        if mark not in known:
            known[mark] = None
            new.append(each)
    return new, tuple(known)[-most:]


def on_job_gone(sweep: Sweep) -> Sweep:
    """The sweep after the first pending job turned out to be gone or being deleted: not an error, and not counted."""
    return replace(_job_dropped(sweep, sweep.place.pending[0]), attempts=0)


def on_job_passed_over(sweep: Sweep, reason: str) -> Sweep:
    """The sweep after the first pending job failed too often: it continues without it. Requests already made remain."""
    job = sweep.place.pending[0]
    return _left_alone(_job_dropped(sweep, job), Finding.UNLISTED, job.job_id, reason)


def _without_first(sweep: Sweep) -> Sweep:
    place = replace(sweep.place, pending=sweep.place.pending[1:], tasks_page="", tasks_seen=(), tasks_met=())
    return replace(sweep, place=place, tries=0)


def _job_dropped(sweep: Sweep, job: PendingJob) -> Sweep:
    """Removes the first pending job and its count."""
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

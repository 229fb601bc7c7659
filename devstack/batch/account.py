"""The jobs and tasks of one Batch account, and what each call does to them, without HTTP."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from devstack.batch.conditions import Conditions
from devstack.batch.errors import ServiceError
from devstack.batch.resources import Job, Task
from devstack.batch.seeding import JobSeed

Now = Callable[[], datetime]
_NO_CONDITIONS = Conditions()
_CLOSED_TO_NEW_TASKS = {"completed": "JobCompleted", "terminating": "JobBeingTerminated", "deleting": "JobBeingDeleted"}
MOST_TASKS_PER_COLLECTION = 100


class Account:
    """Ids are compared without case and kept as given. Every method is atomic; refusals raise ServiceError.

    A job that is being terminated or deleted takes `transition_seconds` for that.
    """

    def __init__(self, now: Now, transition_seconds: float = 0.5) -> None:
        self.now = now
        self._transition = timedelta(seconds=transition_seconds)
        self._jobs: dict[str, Job] = {}
        self._settling: set[str] = set()
        """Keys of the jobs that are terminating or being deleted, so that the thousands of others are not searched."""
        self._sequence = itertools.count(1)
        self._lock = threading.RLock()

    def add_job(self, definition: Mapping[str, Any]) -> Job:
        """A new, active job. Raises JobExists and InvalidPropertyValue."""
        with self._lock:
            job_id = _new_id(definition)
            self._settle()
            if job_id.lower() in self._jobs:
                raise ServiceError("JobExists")
            now = self.now()
            job = Job(job_id, "active", now, now, definition=dict(definition), sequence=next(self._sequence))
            self._jobs[job_id.lower()] = job
            return job

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        with self._lock:
            self._settle()
            return list(self._jobs.values())

    def job(self, job_id: str) -> Job:
        """The job, or JobNotFound."""
        with self._lock:
            self._settle()
            job = self._jobs.get(job_id.lower())
            if job is None:
                raise ServiceError("JobNotFound")
            return job

    def terminate_job(self, job_id: str, reason: str | None = None, conditions: Conditions = _NO_CONDITIONS) -> None:
        """Starts to terminate a job. Raises JobNotFound, ConditionNotMet, and 409 for a job that is already ending."""
        with self._lock:
            job = self.job(job_id)
            if job.state in _CLOSED_TO_NEW_TASKS:
                raise ServiceError(_CLOSED_TO_NEW_TASKS[job.state])
            conditions.check(job.etag, job.last_modified)
            job.terminate_reason = reason
            self._begin(job, "terminating")

    def delete_job(self, job_id: str, conditions: Conditions = _NO_CONDITIONS) -> None:
        """Starts to delete a job with its tasks. Raises JobNotFound, JobBeingDeleted, ConditionNotMet."""
        with self._lock:
            job = self.job(job_id)
            if job.state == "deleting":
                raise ServiceError("JobBeingDeleted")
            conditions.check(job.etag, job.last_modified)
            self._begin(job, "deleting")

    def add_task(self, job_id: str, definition: Mapping[str, Any]) -> Task:
        """Adds an active task. Raises JobNotFound, TaskExists, and 409 for a job that accepts no tasks."""
        with self._lock:
            job = self.job(job_id)
            if job.state in _CLOSED_TO_NEW_TASKS:
                raise ServiceError(_CLOSED_TO_NEW_TASKS[job.state])
            task_id = _new_id(definition)
            if task_id.lower() in job.tasks:
                raise ServiceError("TaskExists")
            now = self.now()
            task = Task(task_id, "active", now, now, definition=dict(definition), sequence=next(self._sequence))
            job.tasks[task_id.lower()] = task
            return task

    def task(self, job_id: str, task_id: str) -> Task:
        """The task. Raises JobNotFound or TaskNotFound."""
        with self._lock:
            return _task_of(self.job(job_id), task_id)

    def tasks(self, job_id: str) -> list[Task]:
        """The job's tasks in their order of listing, or JobNotFound."""
        with self._lock:
            return list(self.job(job_id).tasks.values())

    def delete_task(self, job_id: str, task_id: str, conditions: Conditions = _NO_CONDITIONS) -> None:
        """Deletes a task at once, whatever its state.

        A missing task is TaskNotFound, whatever the conditions: a conditional call that is repeated after a lost answer
        gets 404, not 412.
        A job that is ending refuses with 409; whether the real service refuses while `terminating` is not documented.
        """
        with self._lock:
            job = self.job(job_id)
            if job.state in ("deleting", "terminating"):
                raise ServiceError(_CLOSED_TO_NEW_TASKS[job.state])
            task = _task_of(job, task_id)
            conditions.check(task.etag, task.last_modified)
            del job.tasks[task_id.lower()]

    def place(self, seed: JobSeed) -> int:
        """Seeds a job and tasks in any state; an existing task is replaced. Returns the number of tasks.

        A job that exists keeps its other tasks, and its state if the seed names none.
        """
        now = self.now()
        with self._lock:
            self._settle()
            job = self._jobs.get(seed.id.lower())
            if job is None:
                job = Job(seed.id, "active", now, now, definition={"poolInfo": {"poolId": "pool-1"}})
                job.sequence = next(self._sequence)
                self._jobs[seed.id.lower()] = job
            if seed.state is not None:
                job.state, job.state_changed, job.settles_at = seed.state, now, None
            job.definition.update(seed.definition)
            placed = 0
            for task in seed.tasks(now):
                key = task.id.lower()
                replaced = job.tasks.get(key)
                task.sequence = replaced.sequence if replaced else next(self._sequence)
                job.tasks[key] = task
                placed += 1
            return placed

    def remove(self, job_id: str | None = None) -> None:
        """Removes a job, or all of them, at once and without a trace."""
        with self._lock:
            if job_id is None:
                self._jobs.clear()
            else:
                self._jobs.pop(job_id.lower(), None)

    def _begin(self, job: Job, state: str) -> None:
        now = self.now()
        job.state, job.state_changed, job.settles_at = state, now, now + self._transition
        self._settling.add(job.id.lower())

    def _settle(self) -> None:
        for key in list(self._settling):
            job = self._jobs.get(key)
            if job is None or job.settles_at is None:
                self._settling.remove(key)
            elif self.now() >= job.settles_at:
                self._end(job, job.settles_at)

    def _end(self, job: Job, moment: datetime) -> None:
        if job.state == "deleting":
            del self._jobs[job.id.lower()]
        else:
            job.state, job.state_changed, job.settles_at = "completed", moment, None
            _complete_tasks(job, moment)


def _task_of(job: Job, task_id: str) -> Task:
    task = job.tasks.get(task_id.lower())
    if task is None:
        raise ServiceError("TaskNotFound")
    return task


def _complete_tasks(job: Job, now: datetime) -> None:
    """Ends the tasks that were still running when their job was terminated; they count as failures."""
    for task in job.tasks.values():
        if task.state != "completed":
            task.state, task.state_changed, task.ended = "completed", now, now


def _new_id(definition: Mapping[str, Any]) -> str:
    value = definition.get("id")
    if not isinstance(value, str) or not is_valid_id(value):
        raise ServiceError("InvalidPropertyValue", [("PropertyName", "id"), ("PropertyValue", str(value))])
    return value


def is_valid_id(text: str) -> bool:
    """Letters, digits, hyphen and underscore of ASCII, 1 to 64; a colon too, as in jobs made by a schedule."""
    return 0 < len(text) <= 64 and text.isascii() and all(c.isalnum() or c in "-_:" for c in text)

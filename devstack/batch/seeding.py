"""Jobs and tasks that are put there in any state, many at once, for a test or a demonstration to begin with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from devstack.batch.resources import Task

_STARTED = ("running", "completed")
_RUN_TIME = timedelta(minutes=1)
_QUEUE_TIME = timedelta(minutes=1)
_JOB_FIELDS = {"id", "state", "tasks"}
_TASK_FIELDS = {"id", "count", "prefix", "first", "state", "exitCode", "endTime", "creationTime", "eTag"}


class InvalidSeed(Exception):
    """Raised when the description of jobs and tasks cannot be read; the text says where."""


@dataclass(frozen=True)
class TaskSeed:
    """One task (`id`), or `count` tasks named `<prefix><number>` from `first` on."""

    id: str | None = None
    count: int = 1
    prefix: str = "task-"
    first: int = 1
    state: str = "completed"
    exit_code: int = 0
    end_time: datetime | None = None
    creation_time: datetime | None = None
    etag: str | None = None

    def tasks(self, now: datetime) -> Iterator[Task]:
        """The tasks; one that is completed ended at `end_time` or now, after a minute's wait and a minute's run."""
        completed = self.state == "completed"
        ended = (self.end_time or now) if completed else None
        started = (ended or now) - _RUN_TIME if self.state in _STARTED else None
        created = self.creation_time or (started - _QUEUE_TIME if started else now)
        exit_code = self.exit_code if completed else None
        for task_id in self._ids():
            task = Task(task_id, self.state, created, ended or started or created, started, ended, exit_code)
            task.definition = {"commandLine": "/bin/true" if self.exit_code == 0 else "/bin/false"}
            if self.etag is not None:
                task.etag = self.etag
            yield task

    def _ids(self) -> Iterator[str]:
        if self.id is not None:
            yield self.id
        else:
            yield from (f"{self.prefix}{number}" for number in range(self.first, self.first + self.count))


@dataclass(frozen=True)
class JobSeed:
    """A job and the tasks to put into it; `state` None leaves a job that exists as it is."""

    id: str
    state: str | None = None
    task_seeds: tuple[TaskSeed, ...] = ()

    def tasks(self, now: datetime) -> Iterator[Task]:
        """All tasks of all seeds, in order."""
        for seed in self.task_seeds:
            yield from seed.tasks(now)


def read_job_seed(description: Mapping[str, Any]) -> JobSeed:
    """Reads `{id, state?, tasks?}`; raises InvalidSeed.

    `tasks` is one description or a list of them: an id, or `{id | count, prefix, first}` with
    `state` ("completed"), `exitCode` (0), `endTime`, `creationTime` (ISO 8601) and `eTag`.
    """
    _refuse_unknown(description, _JOB_FIELDS)
    job_id = description.get("id")
    if not isinstance(job_id, str) or not job_id:
        raise InvalidSeed("id: a job needs one")
    tasks = description.get("tasks", [])
    if isinstance(tasks, str | Mapping):
        tasks = [tasks]
    if not isinstance(tasks, Sequence):
        raise InvalidSeed("tasks: neither an object nor a list")
    return JobSeed(job_id, description.get("state"), tuple(_read_task_seed(task) for task in tasks))


def _read_task_seed(description: str | Mapping[str, Any]) -> TaskSeed:
    if isinstance(description, str):
        return TaskSeed(id=description)
    _refuse_unknown(description, _TASK_FIELDS)
    return TaskSeed(
        id=description.get("id"),
        count=int(description.get("count", 1)),
        prefix=description.get("prefix", TaskSeed.prefix),
        first=int(description.get("first", TaskSeed.first)),
        state=description.get("state", TaskSeed.state),
        exit_code=int(description.get("exitCode", TaskSeed.exit_code)),
        end_time=_read_instant(description, "endTime"),
        creation_time=_read_instant(description, "creationTime"),
        etag=description.get("eTag"),
    )


def _read_instant(description: Mapping[str, Any], name: str) -> datetime | None:
    value = description.get(name)
    if value is None or isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidSeed(f"{name}: not an ISO 8601 instant: {value!r}") from error
    if moment.tzinfo is None:
        raise InvalidSeed(f"{name}: needs Z or an offset: {value!r}")
    return moment


def _refuse_unknown(description: Mapping[str, Any], known: set[str]) -> None:
    unknown = set(description) - known
    if unknown:
        raise InvalidSeed(f"unknown field {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")

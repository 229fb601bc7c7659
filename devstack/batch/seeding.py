"""Seeds jobs and tasks in any state, many at once, as the start of a test or a demonstration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from devstack.batch.resources import Task

_STARTED = ("running", "completed")
_RUN_TIME = timedelta(minutes=1)
_QUEUE_TIME = timedelta(minutes=1)
_JOB_STATES = ("active", "disabling", "disabled", "enabling", "terminating", "completed", "deleting")
_TASK_STATES = ("active", "preparing", "running", "completed")
_RESULTS = ("success", "failure")
_JOB_FIELDS = {"id", "state", "tasks", "metadata", "usesTaskDependencies", "poolId"}
_TASK_FIELDS = {"id", "count", "prefix", "first", "state", "exitCode", "result", "endTime", "creationTime", "eTag"}


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
    result: str | None = None
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
        # One instance shared by all tasks: an account may have a million.
        definition = {"commandLine": "/bin/true" if self.exit_code == 0 else "/bin/false"}
        for task_id in self._ids():
            task = Task(task_id, self.state, created, ended or started or created, started, ended, exit_code)
            task.definition = definition
            task.own_result = self.result
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
    """A job and its tasks; with `state` None, an existing job keeps its state."""

    id: str
    state: str | None = None
    task_seeds: tuple[TaskSeed, ...] = ()
    definition: Mapping[str, Any] = field(default_factory=dict)
    """The properties that the seed sets, in the form in which the service returns them."""

    def tasks(self, now: datetime) -> Iterator[Task]:
        """All tasks of all seeds, in order."""
        for seed in self.task_seeds:
            yield from seed.tasks(now)


def read_job_seed(description: Mapping[str, Any]) -> JobSeed:
    """Reads `{id, state?, metadata?, usesTaskDependencies?, poolId?, tasks?}`; raises InvalidSeed.

    `metadata` is an object of texts. `tasks` is one description or a list of them: an id, or
    `{id | count, prefix, first}` with `state` ("completed"), `exitCode` (0), `result` (by the exit code), `endTime`,
    `creationTime` (ISO 8601, in the past too) and `eTag`.
    """
    if not isinstance(description, Mapping):
        raise InvalidSeed("a job is an object")
    _refuse_unknown(description, _JOB_FIELDS)
    tasks = description.get("tasks", [])
    if isinstance(tasks, str | Mapping):
        tasks = [tasks]
    if not isinstance(tasks, Sequence):
        raise InvalidSeed("tasks: neither an object nor a list")
    return JobSeed(
        _text(description, "id"),
        _one_of(description, "state", _JOB_STATES),
        tuple(_read_task_seed(task) for task in tasks),
        _definition(description),
    )


def _definition(description: Mapping[str, Any]) -> dict[str, Any]:
    definition: dict[str, Any] = {}
    metadata = description.get("metadata")
    if metadata is not None:
        if not isinstance(metadata, Mapping) or not all(isinstance(value, str) for value in metadata.values()):
            raise InvalidSeed("metadata: no object of texts")
        definition["metadata"] = [{"name": name, "value": value} for name, value in metadata.items()]
    if description.get("usesTaskDependencies") is not None:
        definition["usesTaskDependencies"] = _kind(description, "usesTaskDependencies", bool, None)
    if description.get("poolId") is not None:
        definition["poolInfo"] = {"poolId": _text(description, "poolId")}
    return definition


def _read_task_seed(description: str | Mapping[str, Any]) -> TaskSeed:
    if isinstance(description, str):
        return TaskSeed(id=description)
    if not isinstance(description, Mapping):
        raise InvalidSeed("tasks: each is an id or an object")
    _refuse_unknown(description, _TASK_FIELDS)
    return TaskSeed(
        id=None if description.get("id") is None else _text(description, "id"),
        count=_kind(description, "count", int, 1),
        prefix=_kind(description, "prefix", str, TaskSeed.prefix),
        first=_kind(description, "first", int, TaskSeed.first),
        state=_one_of(description, "state", _TASK_STATES) or TaskSeed.state,
        exit_code=_kind(description, "exitCode", int, TaskSeed.exit_code),
        result=_one_of(description, "result", _RESULTS),
        end_time=_read_instant(description, "endTime"),
        creation_time=_read_instant(description, "creationTime"),
        etag=_kind(description, "eTag", str, None),
    )


def _kind(description: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = description.get(name, default)
    if value is not default and type(value) is not kind:
        raise InvalidSeed(f"{name}: {value!r} is no {kind.__name__}")
    return value


def _text(description: Mapping[str, Any], name: str) -> str:
    text = _kind(description, name, str, "")
    if not text:
        raise InvalidSeed(f"{name}: is needed, and not empty")
    return str(text)


def _one_of(description: Mapping[str, Any], name: str, words: Sequence[str]) -> str | None:
    word = description.get(name)
    if word is not None and word not in words:
        raise InvalidSeed(f"{name}: {word!r} is none of {', '.join(words)}")
    return word


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

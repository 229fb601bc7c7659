"""Jobs and tasks as the service keeps them, and the JSON in which it shows them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from devstack.batch.errors import instant

_etags = itertools.count(0x8DE2A1C000000000)


def new_etag() -> str:
    """An ETag that no other version of any resource has; without quotes, as the service shows it."""
    return f"0x{next(_etags):X}"


@dataclass(slots=True)
class Task:
    """One task. `definition` holds what its creator sent, which the service returns unread."""

    id: str
    state: str
    created: datetime
    state_changed: datetime
    started: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None
    definition: dict[str, Any] = field(default_factory=dict)
    etag: str = field(default_factory=new_etag)
    sequence: int = 0
    """The task's place in listings of the job."""
    own_result: str | None = None
    """A result other than the exit code implies: when outputs could not be uploaded, for instance."""

    @property
    def last_modified(self) -> datetime:
        """When its definition last changed; a change of state does not count, as the REST reference says."""
        return self.created

    @property
    def result(self) -> str | None:
        """`success` or `failure` once the task is completed."""
        if self.state != "completed":
            return None
        return self.own_result or ("success" if self.exit_code == 0 else "failure")

    def document(self, job_url: str) -> dict[str, Any]:
        """The task as Task - Get and Task - List show it."""
        return {
            **self.definition,
            "id": self.id,
            "url": f"{job_url}/tasks/{self.id}",
            "eTag": self.etag,
            "creationTime": instant(self.created),
            "lastModified": instant(self.last_modified),
            "state": self.state,
            "stateTransitionTime": instant(self.state_changed),
            "executionInfo": self._execution(),
        }

    def _execution(self) -> dict[str, Any]:
        execution: dict[str, Any] = {"retryCount": 0, "requeueCount": 0}
        if self.started:
            execution["startTime"] = instant(self.started)
        if self.ended:
            execution["endTime"] = instant(self.ended)
        if self.exit_code is not None:
            execution["exitCode"] = self.exit_code
        if self.result:
            execution["result"] = self.result
        if self.result == "failure":
            failure = {"category": "usererror", "code": "FailureExitCode", "message": "The task exited with a failure."}
            execution["failureInfo"] = failure
        return execution


@dataclass(slots=True)
class Job:
    """One job with its tasks, by task id in lower case, since ids are compared without case."""

    id: str
    state: str
    created: datetime
    state_changed: datetime
    definition: dict[str, Any] = field(default_factory=dict)
    etag: str = field(default_factory=new_etag)
    tasks: dict[str, Task] = field(default_factory=dict)
    settles_at: datetime | None = None
    """When a job that is `deleting` is removed, or one that is `terminating` is completed; None: never."""
    terminate_reason: str | None = None
    sequence: int = 0
    """The job's place in listings of the account."""

    @property
    def last_modified(self) -> datetime:
        """When its definition last changed."""
        return self.created

    @property
    def ended(self) -> datetime | None:
        """When it was completed; None before."""
        return self.state_changed if self.state == "completed" else None

    @property
    def pool_id(self) -> str:
        """The pool that its definition names."""
        return str(self.definition.get("poolInfo", {}).get("poolId", ""))

    def document(self, base_url: str) -> dict[str, Any]:
        """The job as Job - Get and Job - List show it."""
        execution: dict[str, Any] = {"startTime": instant(self.created), "poolId": self.pool_id}
        if self.ended:
            execution["endTime"] = instant(self.ended)
            execution["terminateReason"] = self.terminate_reason or "UserTerminate"
        return {
            **self.definition,
            "id": self.id,
            "url": f"{base_url}/jobs/{self.id}",
            "eTag": self.etag,
            "creationTime": instant(self.created),
            "lastModified": instant(self.last_modified),
            "state": self.state,
            "stateTransitionTime": instant(self.state_changed),
            "executionInfo": execution,
        }

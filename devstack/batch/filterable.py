"""By which properties, and how, the lists of jobs and of tasks can be filtered.

The tables of https://learn.microsoft.com/rest/api/batchservice/odata-filters-in-batch; `ne` for a state is of its
present version.
"""

from __future__ import annotations

from datetime import datetime

from devstack.batch.filters import EQUALITY, Properties, Property
from devstack.batch.resources import Job, Task

TASKS: Properties[Task] = {
    "id": Property(lambda task: task.id, str, has_prefixes=True),
    "state": Property(lambda task: task.state, str, EQUALITY),
    "stateTransitionTime": Property(lambda task: task.state_changed, datetime),
    "creationTime": Property(lambda task: task.created, datetime),
    "lastModifiedTime": Property(lambda task: task.last_modified, datetime),
    "executionInfo/startTime": Property(lambda task: task.started, datetime),
    "executionInfo/endTime": Property(lambda task: task.ended, datetime),
    "executionInfo/exitCode": Property(lambda task: task.exit_code, int),
    "executionInfo/result": Property(lambda task: task.result, str, EQUALITY),
}
"""`lastModifiedTime` is so named in filters alone; the property that a task shows is `lastModified`."""

JOBS: Properties[Job] = {
    "id": Property(lambda job: job.id, str, has_prefixes=True),
    "state": Property(lambda job: job.state, str, EQUALITY),
    "stateTransitionTime": Property(lambda job: job.state_changed, datetime),
    "creationTime": Property(lambda job: job.created, datetime),
    "lastModified": Property(lambda job: job.last_modified, datetime),
    "executionInfo/startTime": Property(lambda job: job.created, datetime),
    "executionInfo/endTime": Property(lambda job: job.ended, datetime),
    "executionInfo/poolId": Property(lambda job: job.pool_id, str, has_prefixes=True),
}

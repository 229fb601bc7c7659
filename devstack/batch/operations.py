"""The operations of the service: each takes a checked call, and returns an answer and its effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devstack.batch import filterable
from devstack.batch.account import MOST_TASKS_PER_COLLECTION, Account
from devstack.batch.errors import ServiceError, instant
from devstack.batch.listing import cut_page, next_link, select
from devstack.batch.protocol import Call, json_answer, resource_headers
from devstack.batch.resources import Job, Task, new_etag
from devstack.http1 import Answer


@dataclass(frozen=True)
class Outcome:
    """An answer, and the call's effect on the account (None: none)."""

    answer: Answer
    effect: str | None = None


def perform(call: Call, account: Account) -> Outcome:
    """Carries out the call; refusals raise ServiceError."""
    return _OPERATIONS[call.route.operation](call, account)


def _list_jobs(call: Call, account: Account) -> Outcome:
    page = cut_page(account.jobs(), call.query, filterable.JOBS)
    return _listed(call, account, "jobs", [job.document(call.base_url) for job in page.found], page.next_token)


def _add_job(call: Call, account: Account) -> Outcome:
    job = account.add_job(_object(call.body))
    return Outcome(Answer(201, _headers_of(job, _job_url(call, job.id))), "job-added")


def _get_job(call: Call, account: Account) -> Outcome:
    job = account.job(call.route.job)
    call.conditions.check(job.etag, job.last_modified, reading=True)
    document = select(job.document(call.base_url), call.query.get("$select"))
    document["odata.metadata"] = f"{call.base_url}/$metadata#jobs/@Element"
    return Outcome(_json(document, _headers_of(job, _job_url(call, job.id))))


def _terminate_job(call: Call, account: Account) -> Outcome:
    reason = _object(call.body).get("terminateReason") if call.body else None
    account.terminate_job(call.route.job, reason, call.conditions)
    return Outcome(Answer(202), "job-terminated")


def _delete_job(call: Call, account: Account) -> Outcome:
    account.delete_job(call.route.job, call.conditions)
    return Outcome(Answer(202), "job-deleted")


def _list_tasks(call: Call, account: Account) -> Outcome:
    page = cut_page(account.tasks(call.route.job), call.query, filterable.TASKS)
    job_url = _job_url(call, account.job(call.route.job).id)
    return _listed(call, account, "tasks", [task.document(job_url) for task in page.found], page.next_token)


def _listed(
    call: Call, account: Account, kind: str, documents: list[dict[str, Any]], next_token: str | None
) -> Outcome:
    names = call.query.get("$select")
    document: dict[str, Any] = {
        "odata.metadata": f"{call.base_url}/$metadata#{kind}",
        "value": [select(each, names) for each in documents],
    }
    if call.next_link:
        document["odata.nextLink"] = call.next_link
    elif next_token:
        document["odata.nextLink"] = next_link(call.base_url, call.path, call.query, next_token)
    return Outcome(_json(document, resource_headers(new_etag(), account.now())))


def _add_task(call: Call, account: Account) -> Outcome:
    task = account.add_task(call.route.job, _object(call.body))
    return Outcome(Answer(201, _headers_of(task, _task_url(call, task.id))), "task-added")


def _add_tasks(call: Call, account: Account) -> Outcome:
    definitions = _object(call.body).get("value")
    if not isinstance(definitions, list) or not all(isinstance(item, dict) for item in definitions):
        raise ServiceError("InvalidRequestBody")
    if len(definitions) > MOST_TASKS_PER_COLLECTION:
        raise ServiceError("InvalidRequestBody", [("Reason", f"more than {MOST_TASKS_PER_COLLECTION} tasks")])
    account.job(call.route.job)
    results = [_add_one(call, account, definition) for definition in definitions]
    added = any(result["status"] == "success" for result in results)
    return Outcome(_json({"value": results}), "tasks-added" if added else None)


def _add_one(call: Call, account: Account, definition: Mapping[str, Any]) -> dict[str, Any]:
    try:
        task = account.add_task(call.route.job, definition)
    except ServiceError as error:
        problem = {"code": error.code, "message": {"lang": "en-US", "value": error.text}}
        return {"status": "clienterror", "taskId": str(definition.get("id")), "error": problem}
    return {
        "status": "success",
        "taskId": task.id,
        "eTag": task.etag,
        "lastModified": instant(task.last_modified),
        "location": _task_url(call, task.id),
    }


def _get_task(call: Call, account: Account) -> Outcome:
    task = account.task(call.route.job, call.route.task)
    call.conditions.check(task.etag, task.last_modified, reading=True)
    job_url = _job_url(call, account.job(call.route.job).id)
    document = select(task.document(job_url), call.query.get("$select"))
    document["odata.metadata"] = f"{call.base_url}/$metadata#tasks/@Element"
    return Outcome(_json(document, _headers_of(task, f"{job_url}/tasks/{task.id}")))


def _delete_task(call: Call, account: Account) -> Outcome:
    account.delete_task(call.route.job, call.route.task, call.conditions)
    return Outcome(Answer(200), "task-deleted")


_OPERATIONS: dict[str, Callable[[Call, Account], Outcome]] = {
    "job-list": _list_jobs,
    "job-add": _add_job,
    "job-get": _get_job,
    "job-terminate": _terminate_job,
    "job-delete": _delete_job,
    "task-list": _list_tasks,
    "task-add": _add_task,
    "task-add-collection": _add_tasks,
    "task-get": _get_task,
    "task-delete": _delete_task,
}


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ServiceError("InvalidRequestBody") from error
    if not isinstance(document, dict):
        raise ServiceError("InvalidRequestBody")
    return document


def _json(document: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return json_answer(200, json.dumps(document).encode(), headers)


def _headers_of(resource: Job | Task, url: str) -> dict[str, str]:
    return resource_headers(resource.etag, resource.last_modified, url)


def _job_url(call: Call, job_id: str) -> str:
    return f"{call.base_url}/jobs/{job_id}"


def _task_url(call: Call, task_id: str) -> str:
    return f"{_job_url(call, call.route.job)}/tasks/{task_id}"

"""The official azure-batch client against the simulated account, with a token of the real azure-identity library.

What the official client can do here is evidence that the simulator speaks the service's protocol.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch._operations import _operations
from azure.batch.models import BatchJobCreateOptions, BatchPoolInfo, BatchTaskCreateOptions
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity import ManagedIdentityCredential

from devstack.batch import API_VERSION, BatchSimulator
from devstack.batch.errors import ServiceError
from devstack.batch.routes import OPERATIONS, find_route
from devstack.identity import IdentityEndpoint


class AllowPlainHttp(SansIOHTTPPolicy):  # type: ignore[type-arg]
    """Lets a bearer token travel without TLS, which the library refuses otherwise, also for polling calls."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context.options["enforce_https"] = False


@pytest.fixture
def client(
    batch_simulator: BatchSimulator, identity_endpoint: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BatchClient]:
    """The official client, authenticated by managed identity."""
    for name, value in identity_endpoint.environment.items():
        monkeypatch.setenv(name, value)
    with (
        ManagedIdentityCredential() as credential,
        BatchClient(
            batch_simulator.url,
            credential,
            api_version=API_VERSION,
            per_call_policies=[AllowPlainHttp()],
            retry_total=0,
        ) as made,
    ):
        yield made


def make_job(client: BatchClient, *task_ids: str) -> None:
    """A job `render-7` with these tasks."""
    client.create_job(BatchJobCreateOptions(id="render-7", pool_info=BatchPoolInfo(pool_id="p1")))
    for task_id in task_ids:
        client.create_task("render-7", BatchTaskCreateOptions(id=task_id, command_line="/bin/true"))


def status_and_code(caught: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str | None]:
    """The status and code that the service sent, whichever exception class the client raised."""
    return caught.value.status_code, caught.value.error.code if caught.value.error else None


def test_a_job_and_its_tasks_are_created_read_and_deleted(client: BatchClient, batch_simulator: BatchSimulator) -> None:
    """The official client can create, read and delete tasks; a deleted task is not found any more."""
    make_job(client, "frame-1", "frame-2")
    task = client.get_task("render-7", "FRAME-1")
    assert (task.id, task.state, task.command_line) == ("frame-1", "active", "/bin/true")
    client.delete_task("render-7", "frame-1", service_timeout=15)
    with pytest.raises(ResourceNotFoundError) as caught:
        client.get_task("render-7", "frame-1")
    assert status_and_code(caught) == (404, "TaskNotFound")
    assert batch_simulator.task_ids("render-7") == ["frame-2"]
    assert "timeOut=15" in batch_simulator.deletes("frame-1")[0].target


def test_the_token_s_audience_ends_with_a_slash(client: BatchClient, identity_endpoint: IdentityEndpoint) -> None:
    """The official client asks once for a token, for Batch's resource with its final slash, and it is accepted."""
    make_job(client, "frame-1")
    assert [request.resource for request in identity_endpoint.requests] == ["https://batch.core.windows.net/"]


def test_many_tasks_are_created_in_one_call(client: BatchClient, batch_simulator: BatchSimulator) -> None:
    """The official client creates 150 tasks at once; creating an existing one is refused."""
    make_job(client)
    tasks = [BatchTaskCreateOptions(id=f"t{n}", command_line="/bin/true") for n in range(150)]
    client.create_tasks("render-7", tasks)
    assert len(batch_simulator.task_ids("render-7")) == 150
    with pytest.raises(ResourceExistsError):
        client.create_task("render-7", tasks[0])


def test_completed_tasks_are_listed_over_pages(client: BatchClient, batch_simulator: BatchSimulator) -> None:
    """The official client lists completed tasks over several pages, with its filter and selected fields kept."""
    batch_simulator.seed(id="done", state="completed", tasks=[{"count": 25}, {"id": "busy", "state": "running"}])
    listed = list(
        client.list_tasks("done", max_results=10, filter="state eq 'completed'", select=["id", "executionInfo"])
    )
    assert [task.id for task in listed] == [f"task-{number}" for number in range(1, 26)]
    assert {task.execution_info.result for task in listed if task.execution_info} == {"success"}
    assert {task.state for task in listed} == {None}
    assert len(batch_simulator.journal.entries("task-list")) == 3


def test_jobs_are_listed_over_pages(client: BatchClient, batch_simulator: BatchSimulator) -> None:
    """The official client lists all jobs over several pages, with state, metadata and dependencies."""
    for number in range(25):
        batch_simulator.seed(id=f"job-{number}", state="completed" if number % 2 else "active")
    batch_simulator.seed(id="marked", metadata={"task-retention": "keep"}, usesTaskDependencies=True)
    names = ["id", "state", "metadata", "usesTaskDependencies"]
    listed = list(client.list_jobs(max_results=10, select=names))
    assert [job.id for job in listed] == [*(f"job-{number}" for number in range(25)), "marked"]
    assert len(batch_simulator.journal.entries("job-list")) == 3
    *_, marked = listed
    assert marked.uses_task_dependencies
    assert [(item.name, item.value) for item in marked.metadata or []] == [("task-retention", "keep")]
    completed = list(client.list_jobs(max_results=10, filter="state eq 'completed'", select=["id"]))
    assert [job.id for job in completed] == [f"job-{number}" for number in range(1, 25, 2)]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("state eq 'completed'", ["old-good", "old-bad", "new-good"]),
        ("state eq 'completed' and executionInfo/endTime lt DateTime'2026-11-20T00:00:00Z'", ["old-good", "old-bad"]),
        (
            "executionInfo/endTime le DateTime'2026-11-23T12:00:00.000Z' and executionInfo/result eq 'Success'",
            ["old-good", "new-good"],
        ),
        ("startswith(id,'old-') and executionInfo/exitCode ne 0", ["old-bad"]),
    ],
)
def test_tasks_are_listed_by_when_and_how_they_ended(
    client: BatchClient, batch_simulator: BatchSimulator, text: str, ids: list[str]
) -> None:
    """The simulator applies the documented filters on end time, state and result, sent by the official client."""
    old, new = "2026-11-10T12:00:00Z", "2026-11-23T12:00:00Z"
    tasks = [
        {"id": "old-good", "endTime": old},
        {"id": "old-bad", "endTime": old, "exitCode": 1},
        {"id": "new-good", "endTime": new},
        {"id": "busy", "state": "running"},
    ]
    batch_simulator.seed(id="j", tasks=tasks)
    listed = client.list_tasks("j", filter=text, select=["id", "state", "eTag", "executionInfo"])
    assert [task.id for task in listed] == ids


@pytest.mark.parametrize("text", ["executionInfo/endTime lt '2026-11-20'", "metadata eq 'x'", "not state eq 'active'"])
def test_a_filter_that_the_service_does_not_document_is_refused(
    client: BatchClient, batch_simulator: BatchSimulator, text: str
) -> None:
    """A filter that Batch does not document is refused with 400, for jobs and tasks, rather than ignored."""
    batch_simulator.seed(id="j")
    for listing in (client.list_jobs(filter=text), client.list_tasks("j", filter=text)):
        with pytest.raises(HttpResponseError) as caught:
            list(listing)
        assert status_and_code(caught) == (400, "InvalidQueryParameterValue")


def test_each_operation_of_the_client_is_simulated_or_said_not_to_be() -> None:
    """Each operation in the official client's code is simulated or answers 501, so new operations are noticed."""
    source = inspect.getsource(_operations)
    found = re.findall(
        r'def build_batch_\w+_request\(.*?_url = "([^"]+)".*?HttpRequest\(method="(\w+)"', source, re.DOTALL
    )
    assert len(found) > 60
    answers = {(method, url): _answer(method, re.sub(r"\{\w+\}", "x", url)) for url, method in found}
    assert {key for key, answer in answers.items() if answer not in {*OPERATIONS, "OperationNotSimulated"}} == set()
    assert answers["GET", "/jobs"] == "job-list"


def _answer(method: str, path: str) -> str:
    try:
        return find_route(method, path).operation
    except ServiceError as error:
        return error.code


def test_a_condition_protects_a_task_that_was_made_again(client: BatchClient, batch_simulator: BatchSimulator) -> None:
    """The ETag of a deleted task does not delete its successor with the same id; the successor's own does."""
    make_job(client, "frame-1")
    old = client.get_task("render-7", "frame-1").etag
    client.delete_task("render-7", "frame-1")
    client.create_task("render-7", BatchTaskCreateOptions(id="frame-1", command_line="/bin/true"))
    with pytest.raises(HttpResponseError) as caught:
        client.delete_task("render-7", "frame-1", etag=old, match_condition=MatchConditions.IfNotModified)
    assert status_and_code(caught) == (412, "ConditionNotMet")
    assert batch_simulator.task_ids("render-7") == ["frame-1"]
    new = client.get_task("render-7", "frame-1").etag
    client.delete_task("render-7", "frame-1", etag=new, match_condition=MatchConditions.IfNotModified)
    assert batch_simulator.task_ids("render-7") == []


def test_a_task_that_is_newer_than_the_date_is_kept(client: BatchClient, batch_simulator: BatchSimulator) -> None:
    """`If-Unmodified-Since` keeps a task that changed after that date and lets an older one be deleted."""
    make_job(client, "frame-1")
    now = datetime.now(UTC)
    with pytest.raises(HttpResponseError) as caught:
        client.delete_task("render-7", "frame-1", if_unmodified_since=now - timedelta(hours=1))
    assert caught.value.status_code == 412
    client.delete_task("render-7", "frame-1", if_unmodified_since=now + timedelta(hours=1))
    assert batch_simulator.task_ids("render-7") == []


def test_a_job_is_deleted_in_the_background(client: BatchClient) -> None:
    """The official client's poller waits for a job's deletion, after which the job is not found."""
    make_job(client, "frame-1")
    client.begin_delete_job("render-7", polling_interval=0.1).result(timeout=90)  # type: ignore[arg-type]
    with pytest.raises(ResourceNotFoundError) as caught:
        client.get_job("render-7")
    assert status_and_code(caught) == (404, "JobNotFound")


def test_a_dot_segment_as_task_id_deletes_the_whole_job(client: BatchClient, batch_simulator: BatchSimulator) -> None:
    """With `..` as task id, the official client deletes the whole job, which the simulator makes visible."""
    make_job(client, "frame-1")
    with pytest.raises(HttpResponseError) as caught:
        client.delete_task("render-7", "..")
    assert caught.value.status_code == 202
    assert batch_simulator.journal.counters().effects["job-deleted"] == 1


def test_a_fault_reaches_the_client_as_the_service_s_own(client: BatchClient, batch_simulator: BatchSimulator) -> None:
    """A simulated fault reaches the official client with status, code and Retry-After, and ends after its times."""
    make_job(client, "frame-1")
    batch_simulator.fault(task="frame-1", status=429, retry_after=3, times=1)
    with pytest.raises(HttpResponseError) as caught:
        client.delete_task("render-7", "frame-1")
    assert status_and_code(caught) == (429, "TooManyRequests")
    response: Any = caught.value.response
    assert response.headers["Retry-After"] == "3"
    client.delete_task("render-7", "frame-1")
    assert [entry.effect for entry in batch_simulator.deletes()] == [None, "task-deleted"]

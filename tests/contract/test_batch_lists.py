"""How sweeps list an account's jobs and their tasks, against the simulated service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from devstack.batch import API_VERSION, BatchSimulator
from shared.batch.job_listing import ListedJob
from shared.batch.reply import Kind
from shared.batch.transport import UNSAFE_TARGET
from tests.contract.batch_calls import CountedTokens, client, within
from tests.contract.recording_server import RecordingServer, whole

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_jobs_are_listed_page_by_page_with_their_marks(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """Listing jobs follows the service's links and returns each job once, with its state and owner's marks."""
    for number in range(1_002):
        batch_simulator.seed(id=f"job-{number}", state="completed" if number else "active")
    batch_simulator.seed(id="marked", metadata={"task-retention": "keep"}, usesTaskDependencies=True)
    caller = client(batch_simulator.url, CountedTokens(batch_token))
    first = caller.list_jobs(batch_simulator.url, None, within(10))
    second = caller.list_jobs(batch_simulator.url, first.continuation, within(10))
    assert (len(first.jobs), len(second.jobs), second.continuation) == (1_000, 3, None)
    assert first.jobs[0] == ListedJob("job-0", "active")
    assert second.jobs[-1] == ListedJob("marked", "active", (("task-retention", "keep"),), True)


def test_the_list_of_jobs_asks_for_what_a_policy_needs() -> None:
    """The job list selects only what policies need, and has no id filter, which would be sensitive to letter case."""
    with RecordingServer(lambda _: whole(body=b'{"value": []}')) as server:
        client(server.url).list_jobs(server.url, None, within(5))
        path, _, query = server.seen[0].target.partition("?")
    assert path == "/jobs"
    assert dict(parse_qsl(query)) == {
        "$select": "id,state,metadata,usesTaskDependencies",
        "maxresults": "1000",
        "api-version": API_VERSION,
    }


def test_a_link_of_the_list_of_jobs_that_leads_elsewhere_is_refused(
    batch_simulator: BatchSimulator, batch_token: str
) -> None:
    """A next-page link of the job list to another host or list is refused, and no token is asked for."""
    tokens = CountedTokens(batch_token)
    caller = client(batch_simulator.url, tokens)
    for link in ("http://127.0.0.1:9/jobs?x=1", f"{batch_simulator.url}/jobs/j/tasks?x=1"):
        page = caller.list_jobs(batch_simulator.url, link, within(5))
        assert page.reply.error is not None
        assert page.reply.error.code == UNSAFE_TARGET
    assert (tokens.asked, batch_simulator.journal.entries()) == (0, [])


def test_tasks_that_ended_later_are_not_even_listed(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """With `ended_by`, only completed tasks that ended by then are listed, which spares pages of young tasks."""
    tasks = [{"id": f"t{n}", "endTime": NOON - timedelta(hours=n)} for n in range(4)]
    batch_simulator.seed(id="j", tasks=[*tasks, {"id": "busy", "state": "running"}])
    caller = client(batch_simulator.url, CountedTokens(batch_token))
    limit = NOON - timedelta(hours=2)
    page = caller.list_completed_tasks(batch_simulator.url, "j", None, within(10), ended_by=limit)
    assert [task.id for task in page.tasks] == ["t2", "t3"]


@pytest.mark.parametrize(
    ("moment", "text"),
    [(NOON, "2026-11-24T12:00:00Z"), (NOON + timedelta(microseconds=1), "2026-11-24T12:00:01Z")],
)
def test_the_filter_never_hides_a_task_that_is_due(moment: datetime, text: str) -> None:
    """The end time in a listing's filter is rounded up to whole seconds, so no due task is left out."""
    with RecordingServer(lambda _: whole(body=b'{"value": []}')) as server:
        client(server.url).list_completed_tasks(server.url, "j", None, within(5), ended_by=moment)
        query = dict(parse_qsl(server.seen[0].target.partition("?")[2]))
    assert query["$filter"] == f"state eq 'completed' and executionInfo/endTime le DateTime'{text}'"


def test_a_fault_is_told_as_of_any_call(batch_simulator: BatchSimulator, batch_token: str) -> None:
    """A refused job list gives a reply with its kind and Batch's code, and no jobs."""
    batch_simulator.fault(operation="job-list", status=403, code="InsufficientAccountPermissions")
    page = client(batch_simulator.url, CountedTokens(batch_token)).list_jobs(batch_simulator.url, None, within(5))
    assert (page.reply.kind, page.reply.batch_code, page.jobs) == (Kind.ACCESS, "InsufficientAccountPermissions", ())

"""Lists of the simulated Batch service: filters, pages and selected fields."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

from devstack.batch.account import Account
from devstack.batch.errors import ServiceError
from devstack.batch.filterable import JOBS, TASKS
from devstack.batch.filters import read_filter
from devstack.batch.listing import cut_page, next_link, select
from devstack.batch.seeding import read_job_seed

SEEDS = [
    {"id": "Good", "endTime": "2026-11-24T08:00:00Z"},
    {"id": "bad", "exitCode": 3, "endTime": "2026-11-24T09:00:00Z"},
    {"id": "busy", "state": "running"},
    {"id": "it-waits", "state": "active"},
]


@pytest.fixture
def account() -> Account:
    """An account with one job that has a task of each kind."""
    made = Account(lambda: datetime(2026, 11, 24, 12, tzinfo=UTC))
    made.place(read_job_seed({"id": "j", "tasks": SEEDS}))
    return made


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("state eq 'completed'", ["Good", "bad"]),
        ("state eq 'Completed'", ["Good", "bad"]),
        ("state ne 'completed'", ["busy", "it-waits"]),
        ("executionInfo/exitCode eq 0", ["Good"]),
        ("executionInfo/exitCode ne 0", ["bad", "busy", "it-waits"]),
        ("state eq 'completed' and executionInfo/exitCode gt 0", ["bad"]),
        ("executionInfo/result eq 'success' or state eq 'active'", ["Good", "it-waits"]),
        ("executionInfo/endTime lt datetime'2026-11-24T08:30:00Z'", ["Good"]),
        ("executionInfo/endTime ge DateTime'2026-11-24T09:00:00.0000000Z'", ["bad"]),
        ("startswith(id,'b') and (state ne 'running')", ["bad"]),
        ("startswith(id, 'B')", []),
        ("id eq 'GOOD'", ["Good"]),
        ("id ge 'BUSY' and id lt 'h'", ["Good", "busy"]),
        ("id eq 'it''s'", []),
        ("executionInfo/result ne 'failure'", ["Good", "busy", "it-waits"]),
        ("lastModifiedTime lt DateTime'2026-11-24T08:00:00Z'", ["Good"]),
        ("(state eq 'running' or state eq 'active') and id ne 'busy'", ["it-waits"]),
    ],
)
def test_a_filter_picks_tasks(account: Account, text: str, ids: list[str]) -> None:
    """Filters of tasks support comparisons with and, or and brackets, ignoring the letter case of values."""
    holds = read_filter(text, TASKS)
    assert [task.id for task in account.tasks("j") if holds(task)] == ids


@pytest.mark.parametrize(
    "text",
    [
        *(
            "state",
            "state eq",
            "state is 'completed'",
            "status eq 'completed'",
            "state eq completed",
            "state eq 'a' and",
        ),
        *("(state eq 'a'", "state eq 'a')", "executionInfo/exitCode eq '0'", "state eq 3", "startswith(id 'x')", "%"),
        "executionInfo/endTime lt datetime'2026-11-24T08:30:00'",
        "executionInfo/endTime lt datetime'soon'",
        "executionInfo/endTime lt '2026-11-24T08:30:00Z'",
        *("", "not state eq 'completed'", "displayName eq 'x'", "executionInfo/retryCount eq 0"),
        *("lastModified lt DateTime'2026-11-24T08:00:00Z'", "state lt 'completed'", "startswith(state, 'c')"),
        *("executionInfo/result gt 'failure'", "executionInfo/poolId eq 'p'", "id eq 7"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(text: str) -> None:
    """A filter that is malformed, or not documented for Batch, is refused."""
    with pytest.raises(ServiceError) as caught:
        read_filter(text, TASKS)
    assert caught.value.code == "InvalidQueryParameterValue"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("state eq 'Completed'", ["old", "New"]),
        ("state ne 'completed'", ["busy"]),
        ("startswith(id,'n')", []),
        ("id eq 'new'", ["New"]),
        ("executionInfo/poolId eq 'POOL-2'", ["New"]),
        ("startswith(executionInfo/poolId, 'pool-')", ["old", "New", "busy"]),
        ("state eq 'completed' and executionInfo/endTime lt DateTime'2026-11-24T10:00:00Z'", ["old"]),
        ("executionInfo/startTime le DateTime'2026-11-24T09:00:00Z'", ["old"]),
        ("lastModified gt DateTime'2026-11-24T09:00:00Z'", ["New", "busy"]),
    ],
)
def test_a_filter_picks_jobs(text: str, ids: list[str]) -> None:
    """Jobs can be filtered by their properties, including pool and times."""
    times = [datetime(2026, 11, 24, 9, tzinfo=UTC), datetime(2026, 11, 24, 12, tzinfo=UTC)]
    account = Account(lambda: times[0])
    account.place(read_job_seed({"id": "old", "state": "completed"}))
    times.pop(0)
    account.place(read_job_seed({"id": "New", "state": "completed", "poolId": "pool-2"}))
    account.place(read_job_seed({"id": "busy"}))
    holds = read_filter(text, JOBS)
    assert [job.id for job in account.jobs() if holds(job)] == ids


@pytest.mark.parametrize("text", ["executionInfo/result eq 'success'", "lastModifiedTime gt DateTime'2026-11-24Z'"])
def test_a_property_of_tasks_is_none_of_jobs(text: str) -> None:
    """A filter of jobs that uses a property of tasks is refused."""
    with pytest.raises(ServiceError, match="InvalidQueryParameterValue"):
        read_filter(text, JOBS)


def test_jobs_come_in_pages(account: Account) -> None:
    """Jobs are listed in pages in the order of creation; one deleted between two pages hides no other."""
    for name in ("b", "a", "c"):
        account.place(read_job_seed({"id": name}))
    first = cut_page(account.jobs(), {"maxresults": "2"}, JOBS)
    account.remove("b")
    second = cut_page(account.jobs(), {"maxresults": "2", "$skiptoken": str(first.next_token)}, JOBS)
    assert [[job.id for job in page.found] for page in (first, second)] == [["j", "b"], ["a", "c"]]
    assert second.next_token is None


def test_pages_neither_skip_nor_repeat_when_tasks_go_between_them(account: Account) -> None:
    """Tasks deleted between two pages make the next page neither skip nor repeat others."""
    first = cut_page(account.tasks("j"), {"maxresults": "2"}, TASKS)
    account.delete_task("j", "Good")
    account.delete_task("j", "bad")
    second = cut_page(account.tasks("j"), {"maxresults": "2", "$skiptoken": str(first.next_token)}, TASKS)
    assert [task.id for task in first.found] == ["Good", "bad"]
    assert [task.id for task in second.found] == ["busy", "it-waits"]
    assert second.next_token is None


def test_a_page_that_is_just_full_has_no_successor(account: Account) -> None:
    """A page that holds exactly the last matching tasks has no next page."""
    page = cut_page(account.tasks("j"), {"maxresults": "2", "$filter": "state eq 'completed'"}, TASKS)
    assert (len(page.found), page.next_token) == (2, None)


def test_the_link_to_the_next_page_survives_another_encoding(account: Account) -> None:
    """The next-page link still works after a client has decoded and re-encoded it."""
    page = cut_page(account.tasks("j"), {"maxresults": "1"}, TASKS)
    query = {"api-version": "2024-07-01.20.0", "$filter": "state eq 'completed'", "maxresults": "1"}
    link = next_link("http://127.0.0.1:1", "/jobs/j/tasks", query, str(page.next_token))
    again = quote(unquote(urlsplit(link).query), safe="/=&$'!")
    sent = {name: values[0] for name, values in parse_qs(again).items()}
    assert {name: sent[name] for name in query} == query
    assert [task.id for task in cut_page(account.tasks("j"), sent, TASKS).found] == ["bad"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"maxresults": "0"}, "OutOfRangeQueryParameterValue"),
        ({"maxresults": "1001"}, "OutOfRangeQueryParameterValue"),
        ({"maxresults": "ten"}, "InvalidQueryParameterValue"),
        ({"maxresults": ""}, "InvalidQueryParameterValue"),
        ({"$skiptoken": "rubbish"}, "InvalidQueryParameterValue"),
    ],
)
def test_a_page_that_cannot_be_is_refused(account: Account, query: dict[str, str], code: str) -> None:
    """A page size outside 1 to 1,000, or a token that the service did not make, is refused."""
    with pytest.raises(ServiceError) as caught:
        cut_page(account.tasks("j"), query, TASKS)
    assert caught.value.code == code


def test_a_selection_shows_what_it_names(account: Account) -> None:
    """`$select` shows the named fields; a nested name shows its whole parent."""
    document = account.task("j", "bad").document("http://127.0.0.1:1/jobs/j")
    assert set(select(document, "id, executionInfo/exitCode")) == {"id", "executionInfo"}
    assert select(document, None)["executionInfo"]["failureInfo"]["code"] == "FailureExitCode"

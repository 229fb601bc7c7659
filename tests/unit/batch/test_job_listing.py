"""Pages of jobs as the service returns them, however malformed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from shared.batch.job_listing import JobPage, ListedJob
from shared.batch.reply import ErrorBody, Reply, Sent

OK = Reply(Sent.ANSWERED, 200, request_id="batch-1")


def page(*items: object, **fields: object) -> Reply:
    """An answer with these jobs."""
    return replace(OK, body=json.dumps({"value": items, **fields}).encode())


def test_a_page_tells_what_a_policy_needs() -> None:
    """A page of jobs gives each job's id, state, metadata and dependencies, and the link to the next page."""
    found = JobPage.of(
        page(
            {"id": "a", "state": "Active", "metadata": [{"name": "n", "value": "v"}], "usesTaskDependencies": True},
            {"id": "b", "state": "completed", "metadata": None},
            **{"odata.nextLink": "https://x/jobs?$skiptoken=1"},
        )
    )
    assert found.jobs == (ListedJob("a", "active", (("n", "v"),), True), ListedJob("b", "completed"))
    assert found.continuation == "https://x/jobs?$skiptoken=1"
    assert JobPage.of(page()).continuation is None


@pytest.mark.parametrize(
    "item",
    [
        {"id": "a"},
        {"id": "a", "state": 1},
        {"id": "a", "state": "active", "metadata": {"task-retention": "keep"}},
        {"id": "a", "state": "active", "metadata": ["keep"]},
        {"id": "a", "state": "active", "metadata": [{"name": 1, "value": "keep"}]},
        {"id": "a", "state": "active", "metadata": [{"name": "task-retention", "value": ["keep"]}]},
        {"id": "a", "state": "active", "usesTaskDependencies": "true"},
    ],
)
def test_a_job_whose_marks_cannot_be_read_is_not_one_without_marks(item: object) -> None:
    """A job whose metadata or state cannot be read is marked unreadable, as its owner may want to keep it."""
    assert JobPage.of(page(item)).jobs == (ListedJob("a", "", is_readable=False),)


@pytest.mark.parametrize("field", [{"state": None}, {"state": "active", "usesTaskDependencies": "true"}])
def test_a_job_that_cannot_be_read_keeps_the_marks_that_can(field: dict[str, object]) -> None:
    """An unreadable job keeps the metadata that can be read, such as its owner's wish to keep its tasks."""
    item = {"id": "a", "metadata": [{"name": "task-retention", "value": "keep"}], **field}
    assert JobPage.of(page(item)).jobs == (ListedJob("a", "", (("task-retention", "keep"),), is_readable=False),)


def test_an_item_without_an_id_is_no_job() -> None:
    """An item of a job list without a valid id is dropped."""
    assert JobPage.of(page({"state": "active"}, 7, {"id": 3})).jobs == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"value": {}}', b'{"value": [], "odata.nextLink": 1}', b"\xff"])
def test_a_body_that_is_no_page_counts_as_no_answer(body: bytes) -> None:
    """A job list whose body is malformed is an error, not an account without jobs."""
    found = JobPage.of(replace(OK, body=body))
    assert found.reply.error is not None
    assert found.reply.error.code == "UnreadableAnswer"


def test_a_refusal_is_passed_on() -> None:
    """A refused job list has no jobs and passes the refusal on."""
    reply = Reply(Sent.ANSWERED, 403, ErrorBody("AuthenticationFailed", "No."), True)
    assert JobPage.of(replace(reply, body=b'{"value": [{"id": "a"}]}')).jobs == ()
    assert JobPage.of(reply).reply is reply

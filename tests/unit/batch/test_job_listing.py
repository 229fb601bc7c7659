"""Pages of jobs as the service answers them, whatever stands in them."""

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
    """Id, state, the owner's marks, dependencies, and the link to the next page."""
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
    """It may be its owner's wish to keep it."""
    assert JobPage.of(page(item)).jobs == (ListedJob("a", "", is_readable=False),)


@pytest.mark.parametrize("field", [{"state": None}, {"state": "active", "usesTaskDependencies": "true"}])
def test_a_job_that_cannot_be_read_keeps_the_marks_that_can(field: dict[str, object]) -> None:
    """Its owner has said what is to become of it."""
    item = {"id": "a", "metadata": [{"name": "task-retention", "value": "keep"}], **field}
    assert JobPage.of(page(item)).jobs == (ListedJob("a", "", (("task-retention", "keep"),), is_readable=False),)


def test_an_item_without_an_id_is_no_job() -> None:
    """There is nothing that could be asked about it."""
    assert JobPage.of(page({"state": "active"}, 7, {"id": 3})).jobs == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"value": {}}', b'{"value": [], "odata.nextLink": 1}', b"\xff"])
def test_a_body_that_is_no_page_counts_as_no_answer(body: bytes) -> None:
    """An empty list would be an account without jobs."""
    found = JobPage.of(replace(OK, body=body))
    assert found.reply.error is not None
    assert found.reply.error.code == "UnreadableAnswer"


def test_a_refusal_is_passed_on() -> None:
    """With no jobs in it."""
    reply = Reply(Sent.ANSWERED, 403, ErrorBody("AuthenticationFailed", "No."), True)
    assert JobPage.of(replace(reply, body=b'{"value": [{"id": "a"}]}')).jobs == ()
    assert JobPage.of(reply).reply is reply

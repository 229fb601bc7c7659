"""Which tasks a clean-up asks for, and when."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.batch.listing import CompletedTask
from shared.cleanup.event import JobEvent, read_event
from shared.cleanup.selection import has_succeeded, requests_of
from shared.request.model import derived_id

ACCOUNT = "https://acct.region.batch.azure.com"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
EVENT_ID = str(uuid.UUID(int=7))

GOOD = CompletedTask("good", 0, "success", "2026-11-24T07:00:00Z")
BAD = CompletedTask("bad", 3, "failure", "2026-11-24T07:30:00.1234567Z")
NEVER_RAN = CompletedTask("never-ran", None, "failure", "2026-11-24T07:00:00Z")
CONTAINER = CompletedTask("container", None, "success", "2026-11-24T07:00:00Z")
TASKS = (GOOD, BAD, NEVER_RAN, CONTAINER)


def event(**fields: object) -> JobEvent:
    """An event for one job."""
    found = read_event({"clientRequestId": EVENT_ID, "jobId": "Render-7", **fields}, (ACCOUNT,), NOW)
    assert isinstance(found, JobEvent)
    return found


@pytest.mark.parametrize(
    ("select", "chosen"),
    [
        ("completed", ["good", "bad", "never-ran", "container"]),
        ("succeeded", ["good", "container"]),
        ("failed", ["bad", "never-ran"]),
    ],
)
def test_select_takes_tasks_by_exit_code_or_result(select: str, chosen: list[str]) -> None:
    """Exit code 0 is success; where a task has none, the service's own result tells."""
    assert [request.task_id for request in requests_of(event(select=select), TASKS, NOW)] == chosen


def test_an_exit_code_counts_for_more_than_the_result() -> None:
    """A task that ended with 0 has succeeded, whatever else is said of it."""
    assert has_succeeded(CompletedTask("t", 0, "failure", None))
    assert not has_succeeded(CompletedTask("t", 1, "success", None))


def test_ids_are_derived_from_the_event_and_the_ids_in_lower_case() -> None:
    """The same event makes the same requests, so that a repeat changes nothing."""
    first, second = (requests_of(event(), [GOOD], NOW)[0] for _ in range(2))
    assert first == second
    assert first.client_request_id == derived_id(EVENT_ID, "render-7", "good")
    assert first.job_id == "Render-7"


def test_retention_counts_from_each_tasks_end_and_by_class() -> None:
    """Succeeded tasks after three days, failed ones after seven, each from its own end."""
    wanted = event(deleteAfter={"succeeded": "P3D", "failed": "P7D"})
    dues = {request.task_id: request.delete_after for request in requests_of(wanted, TASKS, NOW)}
    assert dues["good"] == "2026-11-27T07:00:00.000Z"
    assert dues["bad"] == "2026-12-01T07:30:00.123Z"


def test_a_class_left_out_is_kept() -> None:
    """An object form without `failed` never asks for failed tasks."""
    wanted = event(deleteAfter={"succeeded": "P3D"})
    assert {request.task_id for request in requests_of(wanted, TASKS, NOW)} == {"good", "container"}


def test_without_an_end_time_the_acceptance_counts() -> None:
    """What cannot be read must not make a task be deleted earlier than it should."""
    wanted = event(deleteAfter="P1D")
    (request,) = requests_of(wanted, [CompletedTask("t", 0, None, "nonsense")], NOW)
    assert request.delete_after == "2026-11-25T08:00:00.000Z"


def test_a_task_that_is_deleted_later_is_deleted_only_as_it_was_listed() -> None:
    """Its version goes along, whether the delay has passed or not; what is no version does not, nor one at once."""
    listed = replace(GOOD, etag="0x8DE2A1C000000007")
    assert [r.if_match for r in requests_of(event(deleteAfter="P1D"), [listed, GOOD], NOW)] == [listed.etag, None]
    assert requests_of(event(deleteAfter="PT1S"), [listed], NOW)[0].if_match == listed.etag
    assert requests_of(event(), [listed], NOW)[0].if_match is None
    assert requests_of(event(deleteAfter="P1D"), [replace(GOOD, etag="a\r\nb")], NOW)[0].if_match is None


def test_dry_run_and_metadata_are_copied() -> None:
    """Each request carries what the event says for all of them."""
    (request,) = requests_of(event(dryRun=True, metadata={"team": "fx"}), [GOOD], NOW)
    assert request.dry_run
    assert request.metadata == {"team": "fx"}

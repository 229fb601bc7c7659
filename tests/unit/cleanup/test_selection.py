"""Which tasks a clean-up requests to delete, and when."""

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

GOOD = CompletedTask("good", 0, "success", "2026-11-24T07:00:00Z", "0x8D1")
BAD = CompletedTask("bad", 3, "failure", "2026-11-24T07:30:00.1234567Z", "0x8D2")
NEVER_RAN = CompletedTask("never-ran", None, "failure", "2026-11-24T07:00:00Z", "0x8D3")
CONTAINER = CompletedTask("container", None, "success", "2026-11-24T07:00:00Z", "0x8D4")
NOT_UPLOADED = CompletedTask("not-uploaded", 0, "failure", "2026-11-24T07:00:00Z", "0x8D5")
OLD = CompletedTask("old", 0, None, "2026-11-24T07:00:00Z", "0x8D6")
TASKS = (GOOD, BAD, NEVER_RAN, CONTAINER, NOT_UPLOADED, OLD)


def event(**fields: object) -> JobEvent:
    """An event for one job."""
    found = read_event({"clientRequestId": EVENT_ID, "jobId": "Render-7", **fields}, (ACCOUNT,), NOW)
    assert isinstance(found, JobEvent)
    return found


@pytest.mark.parametrize(
    ("select", "chosen"),
    [
        ("completed", ["good", "bad", "never-ran", "container", "not-uploaded", "old"]),
        ("succeeded", ["good", "container", "old"]),
        ("failed", ["bad", "never-ran", "not-uploaded"]),
    ],
)
def test_select_takes_tasks_by_the_services_result(select: str, chosen: list[str]) -> None:
    """`select` classifies a task by the service's `result`, or by exit code 0 if there is none."""
    assert [request.task_id for request in requests_of(event(select=select), TASKS, NOW)] == chosen


def test_a_task_whose_outputs_were_not_uploaded_has_failed() -> None:
    """A task with result `failure` has failed even with exit code 0, as when its outputs were not uploaded."""
    assert not has_succeeded(CompletedTask("t", 0, "failure", None))
    assert has_succeeded(CompletedTask("t", 1, "success", None))
    assert has_succeeded(CompletedTask("t", 0, None, None))
    assert not has_succeeded(CompletedTask("t", None, None, None))


def test_ids_are_derived_from_the_event_and_the_ids_in_lower_case() -> None:
    """The same event derives the same request ids from lower-case job and task ids."""
    first, second = (requests_of(event(), [GOOD], NOW)[0] for _ in range(2))
    assert first == second
    assert first.client_request_id == derived_id(EVENT_ID, "render-7", "good")
    assert first.job_id == "Render-7"


def test_retention_counts_from_each_tasks_end_and_by_class() -> None:
    """Each task's delay depends on its class and counts from its own end."""
    wanted = event(deleteAfter={"succeeded": "P3D", "failed": "P7D"})
    dues = {request.task_id: request.delete_after for request in requests_of(wanted, TASKS, NOW)}
    assert dues["good"] == "2026-11-27T07:00:00.000Z"
    assert dues["bad"] == "2026-12-01T07:45:00.000Z"


def test_a_class_left_out_is_kept() -> None:
    """If `deleteAfter` leaves out a class, tasks of that class are not requested."""
    wanted = event(deleteAfter={"succeeded": "P3D"})
    assert {request.task_id for request in requests_of(wanted, TASKS, NOW)} == {"good", "container", "old"}


def test_without_an_end_time_the_acceptance_counts() -> None:
    """If a task's end time cannot be read, its delay counts from the event's acceptance."""
    wanted = event(deleteAfter="P1D")
    (request,) = requests_of(wanted, [CompletedTask("t", 0, None, "nonsense", "0x8D1")], NOW)
    assert request.delete_after == "2026-11-25T08:00:00.000Z"


@pytest.mark.parametrize("fields", [{}, {"deleteAfter": "PT0S"}, {"deleteAfter": "P1D"}, {"dryRun": True}])
def test_a_task_is_deleted_only_as_it_was_listed(fields: dict[str, object]) -> None:
    """Every request carries the listed ETag as `ifMatch`, so a task that runs again is kept."""
    (request,) = requests_of(event(**fields), [GOOD], NOW)
    assert request.if_match == "0x8D1"


@pytest.mark.parametrize("etag", [None, "", "a\r\nb"])
def test_a_task_without_a_version_is_left_alone(etag: str | None) -> None:
    """A task without a usable ETag is not requested."""
    assert requests_of(event(), [replace(GOOD, etag=etag), BAD], NOW) == requests_of(event(), [BAD], NOW)


def test_a_task_whose_id_makes_no_url_is_left_alone() -> None:
    """A task whose id is unsafe in a URL is not requested; the others of its page are."""
    assert [r.task_id for r in requests_of(event(), [replace(GOOD, id=".."), BAD], NOW)] == ["bad"]


def test_due_times_meet_on_a_grid() -> None:
    """Due times are rounded up, to minutes for delays under a day and to quarters of an hour for others."""
    ends = ["2026-11-24T07:00:00.000Z", "2026-11-24T07:00:00.001Z", "2026-11-24T07:14:59Z", "2026-11-24T07:15:01Z"]
    tasks = [replace(GOOD, id=f"t-{n}", end_time=end) for n, end in enumerate(ends)]

    def dues(delay: str) -> list[str]:
        found = [request.delete_after or "" for request in requests_of(event(deleteAfter=delay), tasks, NOW)]
        return [due.removeprefix("2026-11-").removesuffix(":00.000Z") for due in found]

    assert dues("PT23H59M59S") == ["25T07:00", "25T07:00", "25T07:15", "25T07:15"]
    assert dues("PT1S") == ["24T07:01", "24T07:01", "24T07:15", "24T07:16"]
    assert dues("P1D") == ["25T07:00", "25T07:15", "25T07:15", "25T07:30"]
    assert dues("2026-11-26T07:01:00Z") == ["26T07:15"] * 4


def test_a_later_listing_takes_what_an_earlier_one_could_have_found() -> None:
    """A later listing takes only tasks that ended before the first one, and none without an end time."""
    tasks = [GOOD, BAD, replace(GOOD, id="unknown", end_time=None)]
    before = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    assert [r.task_id for r in requests_of(event(), tasks, before, ended_before=before)] == ["good"]
    assert len(requests_of(event(), tasks, NOW)) == 3


def test_dry_run_and_metadata_are_copied() -> None:
    """An event's dry run and metadata are copied into each of its requests."""
    (request,) = requests_of(event(dryRun=True, metadata={"team": "fx"}), [GOOD], NOW)
    assert request.dry_run
    assert request.metadata == {"team": "fx"}

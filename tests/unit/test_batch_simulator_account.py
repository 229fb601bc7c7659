"""The simulated Batch account: what calls do to its jobs and tasks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from devstack.batch.account import Account
from devstack.batch.conditions import Conditions
from devstack.batch.errors import ServiceError
from devstack.batch.seeding import InvalidSeed, read_job_seed

NOON = datetime(2026, 11, 24, 12, 0, 0, 500_000, tzinfo=UTC)


class Hands:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Hands:
    """Half a second past noon."""
    return Hands()


@pytest.fixture
def account(clock: Hands) -> Account:
    """An account with one job of three completed tasks."""
    made = Account(clock, transition_seconds=2)
    made.place(read_job_seed({"id": "Render-7", "tasks": {"count": 3, "prefix": "Frame-"}}))
    return made


def refusal(call: object, *arguments: object) -> tuple[int, str]:
    """Status and code of the error that a call raises."""
    with pytest.raises(ServiceError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.status, caught.value.code


def test_ids_are_compared_without_case_and_kept_as_given(account: Account) -> None:
    """Ids are compared without letter case, and shown as their creator wrote them."""
    assert account.task("RENDER-7", "frame-2").id == "Frame-2"
    assert account.job("render-7").id == "Render-7"


def test_a_deleted_task_is_gone_at_once(account: Account) -> None:
    """A deleted task is gone at once: deleting it again is TaskNotFound, and the other tasks stay."""
    account.delete_task("render-7", "FRAME-2")
    assert refusal(account.delete_task, "render-7", "frame-2") == (404, "TaskNotFound")
    assert [task.id for task in account.tasks("render-7")] == ["Frame-1", "Frame-3"]


def test_a_task_of_an_unknown_job_is_a_missing_job(account: Account) -> None:
    """Deleting a task of an unknown job answers 404 JobNotFound."""
    assert refusal(account.delete_task, "nope", "frame-1") == (404, "JobNotFound")


def test_a_missing_task_is_not_found_whatever_the_conditions(account: Account) -> None:
    """Deleting a missing task answers 404, not 412, whatever its conditions."""
    assert refusal(account.delete_task, "render-7", "nope", Conditions(if_match="*")) == (404, "TaskNotFound")


def test_a_deletion_whose_condition_does_not_hold_changes_nothing(account: Account) -> None:
    """A deletion whose ETag does not match answers 412 and deletes nothing."""
    etag = account.task("render-7", "frame-1").etag
    assert refusal(account.delete_task, "render-7", "frame-1", Conditions(if_match='"0x0"')) == (412, "ConditionNotMet")
    account.delete_task("render-7", "frame-1", Conditions(if_match=f'"{etag}"'))
    assert len(account.tasks("render-7")) == 2


def test_a_deleted_job_is_deleting_for_a_while_and_then_gone(account: Account, clock: Hands) -> None:
    """A job that is being deleted answers 409 to deletions of its tasks until it is gone."""
    account.delete_job("render-7")
    assert account.job("render-7").state == "deleting"
    assert refusal(account.delete_task, "render-7", "frame-1") == (409, "JobBeingDeleted")
    assert refusal(account.delete_job, "render-7") == (409, "JobBeingDeleted")
    clock.forward(2)
    assert refusal(account.job, "render-7") == (404, "JobNotFound")


def test_a_terminated_job_becomes_completed_and_so_do_its_tasks(account: Account, clock: Hands) -> None:
    """A terminated job becomes completed, and its running tasks fail and can then be deleted."""
    account.place(read_job_seed({"id": "render-7", "tasks": {"id": "late", "state": "running"}}))
    account.terminate_job("render-7", "enough")
    assert refusal(account.delete_task, "render-7", "late") == (409, "JobBeingTerminated")
    clock.forward(2)
    assert account.job("render-7").state == "completed"
    assert account.task("render-7", "late").result == "failure"
    account.delete_task("render-7", "late")
    assert refusal(account.terminate_job, "render-7") == (409, "JobCompleted")


def test_a_completed_job_takes_no_new_task(account: Account) -> None:
    """Adding a task to a completed job answers 409."""
    account.place(read_job_seed({"id": "done", "state": "completed"}))
    assert refusal(account.add_task, "done", {"id": "t"}) == (409, "JobCompleted")


def test_an_id_that_is_taken_is_refused_in_any_letter_case(account: Account) -> None:
    """Creating a job or task with an existing id, in any letter case, answers 409."""
    assert refusal(account.add_job, {"id": "RENDER-7"}) == (409, "JobExists")
    assert refusal(account.add_task, "render-7", {"id": "FRAME-1"}) == (409, "TaskExists")


@pytest.mark.parametrize("task_id", ["", "a b", "a/b", "..", "é", "x" * 65, None, 7])
def test_an_id_with_other_characters_is_refused(account: Account, task_id: object) -> None:
    """A task id with other characters than letters, digits, hyphen and underscore is refused."""
    assert refusal(account.add_task, "render-7", {"id": task_id}) == (400, "InvalidPropertyValue")


def test_a_task_that_is_made_again_is_another_task(account: Account, clock: Hands) -> None:
    """A task created again under an old id has another ETag and time, so old conditions protect it."""
    old = account.task("render-7", "frame-1")
    account.delete_task("render-7", "frame-1")
    clock.forward(5)
    new = account.add_task("render-7", {"id": "frame-1"})
    assert new.etag != old.etag
    stale = Conditions(if_unmodified_since=NOON)
    assert refusal(account.delete_task, "render-7", "frame-1", stale) == (412, "ConditionNotMet")


def test_seeded_tasks_have_a_history_that_fits_their_state(account: Account) -> None:
    """A seeded completed task has creation, start and end in order, and a result that fits its exit code."""
    account.place(read_job_seed({"id": "mixed", "tasks": ["good", {"id": "bad", "exitCode": 3}]}))
    good, bad = account.tasks("mixed")
    assert (good.result, bad.result) == ("success", "failure")
    assert good.started is not None
    assert good.ended == NOON
    assert good.created < good.started < good.ended


def test_a_seeded_task_replaces_the_one_of_its_id_in_its_place(account: Account) -> None:
    """A seeded task replaces the one with its id, at the same place in the list, with a new ETag."""
    before = account.task("render-7", "frame-2").etag
    account.place(read_job_seed({"id": "render-7", "tasks": {"id": "Frame-2", "state": "active"}}))
    assert [task.id for task in account.tasks("render-7")] == ["Frame-1", "Frame-2", "Frame-3"]
    assert account.task("render-7", "frame-2").etag != before


@pytest.mark.parametrize(
    "description",
    [
        *({}, [], {"id": 7}, {"id": ""}, {"id": "j", "task": 1}, {"id": "j", "tasks": 3}, {"id": "j", "tasks": [3]}),
        *({"id": "j", "tasks": {"endtime": "x"}}, {"id": "j", "tasks": {"endTime": "today"}}),
        *({"id": "j", "tasks": {"endTime": "2026-11-24T08:00:00"}}, {"id": "j", "tasks": {"count": "3"}}),
        *(
            {"id": "j", "tasks": {"state": "done"}},
            {"id": "j", "tasks": {"result": "ok"}},
            {"id": "j", "state": "done"},
        ),
        *({"id": "j", "metadata": ["keep"]}, {"id": "j", "metadata": {"a": 1}}, {"id": "j", "usesTaskDependencies": 1}),
    ],
)
def test_a_seed_that_cannot_be_read_is_refused(description: dict[str, object]) -> None:
    """A seed with a misspelled or invalid field is refused."""
    with pytest.raises(InvalidSeed):
        read_job_seed(description)


def test_a_seeded_job_shows_its_marks(account: Account) -> None:
    """A seeded job shows its metadata, dependencies and pool; an existing one takes them on."""
    account.place(read_job_seed({"id": "render-7", "metadata": {"a": "b"}, "usesTaskDependencies": True}))
    account.place(read_job_seed({"id": "render-7", "poolId": "pool-2"}))
    shown = account.job("render-7").document("http://127.0.0.1:1")
    assert (shown["id"], shown["metadata"], shown["usesTaskDependencies"]) == (
        "Render-7",
        [{"name": "a", "value": "b"}],
        True,
    )
    assert shown["executionInfo"]["poolId"] == "pool-2"
    assert len(account.tasks("render-7")) == 3


def test_a_seeded_task_may_have_ended_long_ago_and_otherwise_than_its_exit_code_says(account: Account) -> None:
    """A task can be seeded with any end time, and with a result that differs from its exit code."""
    account.place(read_job_seed({"id": "old", "tasks": {"endTime": "2026-11-01T00:00:00Z", "result": "failure"}}))
    (task,) = account.tasks("old")
    shown = task.document("http://127.0.0.1:1/jobs/old")["executionInfo"]
    assert (shown["endTime"], shown["exitCode"], shown["result"]) == ("2026-11-01T00:00:00.0000000Z", 0, "failure")
    assert task.created < datetime(2026, 11, 1, tzinfo=UTC)

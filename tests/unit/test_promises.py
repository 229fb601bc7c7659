"""The judge of a run finds each broken promise from the results and the account's journal."""

from __future__ import annotations

from typing import Any

import pytest

from devstack.promises import judge_run

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
BEFORE, END, LATER = (f"2026-11-24T07:30:0{second}.5" for second in range(3))


def result(result_id: str = "r-1", **data: Any) -> dict[str, Any]:
    """A result message."""
    told = {"clientRequestId": ID, "outcome": "deleted", "certainty": "confirmed", "attempts": 1, "jobId": "j"}
    return {
        "type": "batch.task-deletion.done",
        "id": result_id,
        "data": {**told, "taskId": "t", "completedAt": f"{END}Z", "replayed": False, **data},
    }


def delete(time: str = BEFORE, **fields: Any) -> dict[str, Any]:
    """A DELETE in the account's journal."""
    headers = {"client-request-id": ID}
    return {
        "time": f"{time}+00:00",
        "headers": headers,
        "effect": "task-deleted",
        "status": 200,
        "dropped": False,
    } | fields


def test_a_run_that_kept_its_promises_has_nothing_to_show() -> None:
    """A run with one DELETE and one result, published twice and marked as replayed, breaks no promise."""
    assert judge_run([ID], [result(), result(replayed=True)], [delete()]) == []


@pytest.mark.parametrize(
    ("results", "deletes", "broken"),
    [
        ([], [delete()], "was lost"),
        ([result()], [delete(), delete(LATER, effect=None, status=404)], "a DELETE was sent after the outcome"),
        ([result(), result("r-2")], [delete()], "has 2 outcomes in 1 generation"),
        ([result(), result("r-2", outcome="failed")], [delete()], "and then as"),
        ([result(), result(attempts=2)], [delete()], "emissions that differ"),
        ([result()], [delete(dropped=True)], "deleted for certain, but nobody said so"),
        ([result(outcome="failed")], [delete(dropped=True)], "failed for certain, but it deleted the task"),
        ([result(outcome="notFound")], [delete(dropped=True)], "notFound, but its task was there"),
        ([result(outcome="failed", certainty="unknown", attempts=0)], [], "nothing was ever tried"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_broken_promise_is_named(results: list[dict[str, Any]], deletes: list[dict[str, Any]], broken: str) -> None:
    """Each broken promise, such as a lost request or a DELETE after its outcome, is found and named."""
    assert any(broken in fault for fault in judge_run([ID], results, deletes))


def test_a_conflict_is_no_end_of_the_request_whose_id_it_bears() -> None:
    """A conflict result under a request's id does not count as a second outcome of that request."""
    assert judge_run([ID], [result(), result("r-2", outcome="conflict", attempts=0)], [delete()]) == []

"""What each safeguard of a sweep is for: without it, some order of events breaks a promise.

Each is removed in turn; the story breaks no promise with the safeguard, and the expected one without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, find, settings

from shared.parsing.retention_policy import Policy
from shared.retention import agenda, course, judging, step, sweeper
from shared.retention import sweep as sweeps
from shared.retention.closing import SweepCloser
from shared.retention.judging import Finding
from tests.fakes.app import ACCOUNT
from tests.fakes.batch import refused
from tests.unit.retention.swept_account import DAY
from tests.unit.retention.test_any_order import ORDERS, RUN, Judge, faults_of

Patch = pytest.MonkeyPatch
OLD = {"hours": 100, "succeeded": True, "can_go": True}
STUCK = {**OLD, "can_go": False}
ALL = {"name": "all", "jobs": "*", "deleteAfter": "P1D"}
Story = Callable[[], list[str]]
UNSHRUNK = settings(RUN, max_examples=1_000, phases=[Phase.generate])
"""One example is enough: nobody has to read it."""


def job(*tasks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A job with these tasks."""
    return {"tasks": list(tasks), "state": "active", "marked": False, "uses_dependencies": False, **fields}


def told(judge: Judge) -> list[str]:
    """The broken promises once everything has ended."""
    judge.finish()
    return judge.faults


def simple(*jobs: dict[str, Any], wish: dict[str, Any] | None = None) -> Story:
    """One sweep after another, without faults."""

    def story() -> list[str]:
        judge = Judge([wish or ALL], list(jobs))
        judge.play("begin", False)
        return told(judge)

    return story


def crashing(moment: int) -> Story:
    """A process dies at a moment of the step that requests deletions; meanwhile somebody deletes the first task."""

    def story() -> list[str]:
        judge = Judge([ALL], [job(OLD, OLD, OLD)])
        judge.play("begin", False)
        judge.play("crash", moment)
        judge.play("run again", 0)
        return told(judge)

    return story


def crash_in_the_first_step() -> list[str]:
    """A crash at each moment of the first step in turn."""
    return [fault for moment in range(12) for fault in crashing(moment)()]


def stopped() -> list[str]:
    """A sweep is stopped while its next step waits for its message."""
    judge = Judge([ALL], [job(OLD)])
    judge.play("begin", False)
    judge.play("stop", None)
    judge.world.settle()
    asked = sum(judge.world.asked.values())
    return [*judge.faults, *(["asked for after it was stopped"] if asked else [])]


def lost_message() -> list[str]:
    """The message of the next step is lost."""
    judge = Judge([ALL], [job(OLD)])
    judge.play("begin", False)
    judge.play("lose", 0)
    return told(judge)


def stuck_job() -> list[str]:
    """A job with a task that cannot be deleted, and a cap of one task per sweep."""
    return simple(job(STUCK), job(OLD), wish={**ALL, "most": 1})()


def bad_job() -> list[str]:
    """A job whose list never answers, before one with due tasks."""
    judge = Judge([ALL], [job(OLD), job(OLD)])
    judge.world.jobs["a-1"].refusal = refused(500)
    judge.play("begin", False)
    judge.finish()
    return [fault for fault in judge.faults if "a-1" not in fault]


def early_first_sweep() -> list[str]:
    """The timer looks at new policies at once and an hour later, which is too early for a sweep."""
    judge = Judge([ALL], [job(OLD)])
    for hours in (0, 1):
        judge.play("tick", hours)
        judge.world.settle()
    return ["asked for at once"] if judge.world.requests else []


def two_at_once() -> list[str]:
    """A second sweep is requested while one runs."""
    judge = Judge([ALL], [job(OLD)])
    judge.play("begin", False)
    second = judge.world.timer().begin(ACCOUNT)
    return ["two sweeps run"] if second else []


# The safeguards, taken out


def without_marks(patch: Patch) -> None:
    """Mutation: an owner's mark on a job is ignored."""
    patch.setattr(judging, "KEEP_MARK", ("", ""))


def without_dependencies(patch: Patch) -> None:
    """Mutation: jobs whose tasks depend on each other are swept like the others."""
    real = judging._left_alone
    patch.setattr(judging, "_left_alone", lambda *what: None if real(*what) is Finding.DEPENDENCIES else real(*what))


def without_the_check_of_what_is_listed(patch: Patch) -> None:
    """Mutation: the service's filter is trusted, although it uses the shorter delay alone."""
    patch.setattr(Policy, "is_due", lambda *_, **__: True)


def without_the_outbox(patch: Patch) -> None:
    """Mutation: a repeated step goes on without sending what the first try may not have sent."""
    patch.setattr(SweepCloser, "close", close_alone)
    real = step.standing_of

    def standing_of(*what: Any) -> Any:
        found = real(*what)
        return step.Standing.PASSED if found is step.Standing.AGAIN else found

    patch.setattr(sweeper, "standing_of", standing_of)


def close_alone(self: Any, sweep: Any) -> None:
    """Ends the sweep without sending what may not have been sent."""
    self._outlet.send_result(self._text(sweep))
    self._note(sweep)


def without_stopping(patch: Patch) -> None:
    """Mutation: a stop is recorded but ignored."""
    patch.setattr(sweeper, "at_step", lambda sweep, *_: replace(sweep, asked=(), is_stopping=False))


def without_requeue(patch: Patch) -> None:
    """Mutation: the timer never requeues a sweep that seems to run."""
    patch.setattr(agenda, "STUCK_AFTER", 1_000 * DAY)


def without_turns(patch: Patch) -> None:
    """Mutation: each sweep begins with the first job."""
    patch.setattr(agenda, "_begin_after", lambda *_: {})


def without_passing_over(patch: Patch) -> None:
    """Mutation: a job whose list fails is retried for ever, or ends the sweep."""
    patch.setattr(course, "on_job_passed_over", lambda sweep, _: sweep.ended(sweeps.Phase.FAILED, sweep.started_at))


def without_the_first_interval(patch: Patch) -> None:
    """Mutation: new policies are carried out as soon as the timer looks."""
    patch.setattr(agenda.Agenda, "next_sweep_at", lambda self, _: self.first_seen_at)


def without_one_at_a_time(patch: Patch) -> None:
    """Mutation: a sweep starts even if another one runs."""
    real = agenda.AgendaStore.read

    def read(self: Any, account: str) -> Any:
        found = real(self, account)
        return found and replace(found, running="")

    patch.setattr(agenda.AgendaStore, "read", read)


@pytest.mark.parametrize(
    ("story", "mutation", "broken"),
    [
        (simple(job(OLD, marked=True)), without_marks, "was marked or waited for"),
        (simple(job(OLD, uses_dependencies=True)), without_dependencies, "was marked or waited for"),
        (
            simple(
                job({**OLD, "succeeded": False, "hours": 30}, OLD),
                wish={**ALL, "deleteAfter": {"succeeded": "PT1H", "failed": "P3D"}},
            ),
            without_the_check_of_what_is_listed,
            "was not due",
        ),
        (stopped, without_stopping, "asked for after it was stopped"),
        (lost_message, without_requeue, "never ends"),
        (stuck_job, without_turns, "is left"),
        (bad_job, without_passing_over, "is left"),
        (early_first_sweep, without_the_first_interval, "asked for at once"),
        (two_at_once, without_one_at_a_time, "two sweeps run"),
        (crash_in_the_first_step, without_the_outbox, "counted"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_safeguard_is_needed(
    story: Story, mutation: Callable[[Patch], None], broken: str, monkeypatch: Patch
) -> None:
    """The story breaks no promise with the safeguard, and the expected one without it."""
    assert story() == []
    mutation(monkeypatch)
    assert any(broken in fault for fault in story())


@pytest.mark.parametrize(
    ("mutation", "broken"),
    [
        (without_marks, "was marked or waited for"),
        (without_the_check_of_what_is_listed, "was not due"),
        (without_the_outbox, "counted"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_hypothesis_finds_it_too(mutation: Callable[[Patch], None], broken: str, monkeypatch: Patch) -> None:
    """Hypothesis finds an order of events that breaks the promise without the safeguard, but not with it."""
    mutation(monkeypatch)
    found = find(ORDERS, lambda order: any(broken in fault for fault in faults_of(*order)), settings=UNSHRUNK)
    monkeypatch.undo()
    assert faults_of(*found) == []

"""One sweep from its first page of jobs to its closing event: what it requests, skips and counts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from shared.batch.job_listing import JobPage, ListedJob
from shared.batch.listing import CompletedTask, TaskPage
from shared.batch.reply import ErrorBody, Reply, Sent
from shared.retention import course
from shared.retention.sweep import LeftAlone, Phase, Place, Sweep, mark_of_id
from tests.fakes.app import ACCOUNT
from tests.fakes.batch import DELETED, refused
from tests.unit.retention.sweep_world import SweepWorld
from tests.unit.retention.swept_account import DAY, FakeTask

RENDER = {"name": "render", "jobs": "render-*", "deleteAfter": {"succeeded": "P3D", "failed": "P7D"}}
REST = {"name": "rest", "jobs": "*", "deleteAfter": "P3D"}
NO_ANSWER = Reply(Sent.UNANSWERED, error=ErrorBody("NoAnswer", "The service did not answer."))
NO_TOKEN = Reply(Sent.FAILED, error=ErrorBody("TokenUnavailable", "No token."))


def counts(sweep: Sweep) -> list[tuple[str, int, int, int]]:
    """Name, jobs, requested and kept of each policy."""
    return [(count.name, count.jobs, count.requested, count.kept) for count in sweep.counts]


def asked(world: SweepWorld) -> list[str]:
    """The requested deletions, as job/task."""
    return [f"{each.request.job_id}/{each.request.task_id}" for each in world.requests.values()]


def left_alone(sweep: Sweep) -> dict[str, int]:
    """The counts of skipped jobs that are not zero, by reason."""
    return {reason: count for reason, count in asdict(sweep.left_alone).items() if count}


# What goes and what stays


def test_each_completed_task_goes_when_its_class_s_delay_has_passed() -> None:
    """Completed tasks are deleted once their class's delay has passed; running tasks are left alone."""
    world = SweepWorld(RENDER)
    world.job(
        "render-7",
        world.ended("old", 4 * DAY),
        world.ended("new", 2 * DAY),
        world.ended("bad", 4 * DAY, succeeded=False),
        world.ended("worse", 8 * DAY, succeeded=False),
        FakeTask("busy", None),
    )
    sweep = world.sweep()
    assert (sweep.phase, sweep.error) == (Phase.DONE, None)
    assert asked(world) == ["render-7/old", "render-7/worse"]
    assert counts(sweep) == [("render", 1, 2, 1)]
    world.carry_out_all()
    assert world.left() == ["render-7/new", "render-7/bad", "render-7/busy"]


def test_due_is_judged_at_the_start_of_the_sweep_on_every_page() -> None:
    """All pages use the instant at which the sweep began, so a dry run counts the same tasks."""
    world = SweepWorld(RENDER)
    world.job("render-7", *(world.ended(f"t{n}", 3 * DAY - timedelta(minutes=n - 1)) for n in range(4)))
    world.answers = [None, lambda: world.clock.advance(3_600), lambda: world.clock.advance(3_600)]
    world.sweep()
    assert asked(world) == ["render-7/t0", "render-7/t1"]


def test_a_request_is_for_the_version_that_was_listed() -> None:
    """A request carries the listed ETag as `ifMatch` and the policy as metadata; a changed task is kept."""
    world = SweepWorld(RENDER)
    world.job("render-7", world.ended("a"), world.ended("b"))
    sweep = world.sweep()
    (first, _) = world.requests.values()
    assert (first.request.if_match, first.request.metadata) == ("0x0001", {"policy": "render"})
    assert first.request.batch_url == ACCOUNT
    assert (first.request.delete_after, first.request.dry_run) == (None, False)
    world.jobs["render-7"].tasks["a"].version = 2
    world.carry_out_all()
    assert list(world.done.values()) == ["preconditionFailed", "deleted"]
    assert world.open_of(sweep) == 0


@pytest.mark.parametrize(
    "task",
    [
        CompletedTask("t", 0, "success", None, "0x1"),
        CompletedTask("t", 0, "success", "yesterday", "0x1"),
        CompletedTask("t", 0, "success", "2026-01-01T00:00:00Z", None),
        CompletedTask("t", 0, "success", "2026-01-01T00:00:00Z", " "),
        CompletedTask("..", 0, "success", "2026-01-01T00:00:00Z", "0x1"),
    ],
)
def test_a_task_that_cannot_be_judged_is_left_alone(task: CompletedTask) -> None:
    """A task without a valid end time, ETag or id is kept and counted as kept."""
    world = SweepWorld(RENDER)
    world.job("render-7")
    world.answers = [None, TaskPage(DELETED, (task,))]
    assert counts(world.sweep()) == [("render", 1, 0, 1)]
    assert asked(world) == []


def test_what_the_service_lists_is_checked_again() -> None:
    """A listed task that is not due is kept, even if the service's filter let it through."""
    world = SweepWorld(RENDER)
    world.job("render-7")
    young = CompletedTask("t", 0, "success", "2026-11-24T07:00:00Z", "0x1")
    world.answers = [None, TaskPage(DELETED, (young,))]
    assert counts(world.sweep()) == [("render", 1, 0, 1)]


def test_the_first_match_alone_decides() -> None:
    """A job that matches a policy which keeps everything is counted there, not listed, and matches no later one."""
    world = SweepWorld({"name": "gold", "jobs": "render-gold-*", "deleteAfter": "never"}, RENDER, REST)
    for job_id in ("render-gold-1", "RENDER-7", "other"):
        world.job(job_id, world.ended("t"))
    sweep = world.sweep()
    assert counts(sweep) == [("gold", 1, 0, 0), ("render", 1, 1, 0), ("rest", 1, 1, 0)]
    assert asked(world) == ["RENDER-7/t", "other/t"]
    assert "render-gold-1" not in world.calls


@pytest.mark.parametrize(
    ("fields", "policy", "reason"),
    [
        ({"marked": True}, {}, "marked"),
        ({"uses_dependencies": True}, {}, "dependencies"),
        ({"uses_dependencies": True, "state": "completed"}, {}, None),
        ({"uses_dependencies": True}, {"jobState": "any"}, None),
        ({"marked": True}, {"jobState": "any"}, "marked"),
        ({"state": "disabled"}, {}, None),
    ],
)
def test_a_job_is_left_alone_for_a_reason_that_is_counted(
    fields: dict[str, Any], policy: dict[str, Any], reason: str | None
) -> None:
    """A marked job is skipped; one with dependencies is, unless completed or its policy says `any`."""
    world = SweepWorld({**RENDER, **policy})
    world.job("render-7", world.ended("t"), **fields)
    sweep = world.sweep()
    assert left_alone(sweep) == ({reason: 1} if reason else {})
    assert counts(sweep) == [("render", 0 if reason else 1, 0 if reason else 1, 0)]


def test_a_job_that_the_wanted_state_excludes_counts_nowhere() -> None:
    """A job excluded by `jobState` is not counted, and does not fall through to the next policy."""
    world = SweepWorld({**RENDER, "jobState": "completed"}, REST)
    world.job("render-1", world.ended("t"), marked=True)
    world.job("render-2", world.ended("t"), state="completed")
    world.job("render-3", world.ended("t"), state="deleting")
    sweep = world.sweep()
    assert counts(sweep) == [("render", 1, 1, 0), ("rest", 0, 0, 0)]
    assert sweep.left_alone == LeftAlone()


def test_of_several_reasons_the_first_counts() -> None:
    """A job with several reasons to be skipped counts under the first: protected, marked, dependencies."""
    world = SweepWorld(RENDER, protected=("RENDER-1",))
    for job_id in ("render-1", "render-2", "render-3", "other"):
        world.job(job_id, marked=job_id != "render-3", uses_dependencies=True)
    assert left_alone(world.sweep()) == {"protected": 1, "marked": 1, "dependencies": 1}


def test_a_protected_job_is_no_trouble_though_its_marks_cannot_be_read() -> None:
    """A protected job is counted as protected even if its metadata cannot be read."""
    world = SweepWorld(RENDER, protected=("render-1",))
    world.answers = [JobPage(DELETED, (ListedJob("render-1", "", is_readable=False),))]
    sweep = world.sweep()
    assert (left_alone(sweep), sweep.error) == ({"protected": 1}, None)


def test_a_job_that_cannot_be_read_counts_by_the_first_reason_that_holds() -> None:
    """An unreadable job counts as protected or marked before unlisted; if `jobState` excludes it, nowhere."""
    keep = (("task-retention", "keep"),)
    world = SweepWorld(RENDER, {**REST, "jobState": "completed"}, protected=("render-1*",))
    jobs = (
        ListedJob("render-1.x", "active", keep),
        ListedJob("render-2.x", "active", keep, True),
        ListedJob("render-3", "", keep, is_readable=False),
        ListedJob("render-4.x", "active", (), True),
        ListedJob("render-5.x", "deleting"),
        ListedJob("x.y", "active"),
        ListedJob("x.z", "completed"),
    )
    world.answers = [JobPage(DELETED, jobs)]
    sweep = world.sweep()
    assert left_alone(sweep) == {"protected": 1, "marked": 2, "dependencies": 1, "unlisted": 1}
    assert sweep.passed_over == (("x.z", "cannot be read"),)


def test_a_job_whose_marks_cannot_be_read_is_left_alone_and_named() -> None:
    """A job whose metadata or id cannot be read is skipped and named; the other jobs are swept."""
    world = SweepWorld(RENDER)
    world.job("render-2", world.ended("t"))
    bad = ListedJob("render-1", "", is_readable=False)
    world.answers = [JobPage(DELETED, (bad, ListedJob("render-../2", "active"), world.jobs["render-2"].listed()))]
    sweep = world.sweep()
    assert asked(world) == ["render-2/t"]
    assert left_alone(sweep) == {"unlisted": 2}
    assert sweep.error == ErrorBody(
        "JobsPassedOver",
        "2 jobs were skipped after errors.",
        (("jobs/render-1", "cannot be read"), ("jobs/render-../2", "cannot be read")),
    )


def test_protection_that_comes_meanwhile_takes_the_job_out() -> None:
    """A job that becomes protected during a sweep is skipped and counted as protected."""
    world = SweepWorld(RENDER)
    world.page_size = 10
    for number in (1, 2):
        world.job(f"render-{number}", world.ended("t"))
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    world.answers = [None, refused(500)]
    world.deliver(world.messages[0])
    world.set_rules(RENDER, protected=("render-1",))
    world.settle()
    sweep = world.row(begun.sweep_id)
    assert (sweep.phase, left_alone(sweep)) == (Phase.DONE, {"protected": 1})
    assert counts(sweep) == [("render", 1, 1, 0)]
    assert asked(world) == ["render-2/t"]


def test_a_sweep_of_one_policy_takes_only_its_jobs() -> None:
    """A sweep of one policy takes only jobs whose first match is that policy."""
    world = SweepWorld(RENDER, REST)
    for job_id in ("render-1", "other"):
        world.job(job_id, world.ended("t"), marked=False)
    world.job("render-2", marked=True)
    sweep = world.sweep(only="rest")
    assert counts(sweep) == [("rest", 1, 1, 0)]
    assert asked(world) == ["other/t"]
    assert sweep.left_alone == LeftAlone()


# Dry runs


@pytest.mark.parametrize("page_size", [1, 2, 100])
def test_a_dry_run_counts_what_a_sweep_would_ask_for(page_size: int) -> None:
    """A dry run counts exactly what the real sweep then requests, with a sample, and requests nothing."""
    world = SweepWorld({**RENDER, "most": 3}, REST)
    world.page_size = page_size
    for job_id in ("render-1", "render-2", "other", "render-3"):
        world.job(
            job_id,
            *(world.ended(f"t{n}") for n in range(2)),
            world.ended("new", DAY),
            world.ended("b", 4 * DAY, succeeded=False),
        )
    dry = world.sweep(dry_run=True)
    assert (asked(world), dry.requested) == ([], 0)
    real = world.sweep()
    assert counts(dry) == counts(real)
    assert dry.counts[0].sample == ("jobs/render-1/tasks/t0", "jobs/render-1/tasks/t1", "jobs/render-2/tasks/t0")


def test_a_policy_that_only_counts_asks_for_nothing() -> None:
    """If either the policy or the sweep is a dry run, nothing is requested."""
    world = SweepWorld({**RENDER, "dryRun": True}, REST)
    for job_id in ("render-1", "other"):
        world.job(job_id, world.ended("t"))
    sweep = world.sweep()
    assert [(count.dry_run, count.requested) for count in sweep.counts] == [(True, 1), (False, 1)]
    assert asked(world) == ["other/t"]
    assert sweep.requested == 1


def test_a_sample_has_twenty_tasks() -> None:
    """A policy's sample holds at most twenty tasks."""
    world = SweepWorld(RENDER)
    world.job("render-1", *(world.ended(f"t{n}") for n in range(30)))
    sweep = world.sweep()
    assert (sweep.counts[0].requested, len(sweep.counts[0].sample)) == (30, 20)


# most


def test_a_cap_ends_a_policy_s_asking_and_the_next_sweep_begins_after_it() -> None:
    """The next sweep begins after the job that reached `most`, so no job starves the others."""
    world = SweepWorld({**RENDER, "most": 3}, REST)
    for number in range(4):
        world.job(f"render-{number}", *(world.ended(f"t{n}") for n in range(2)))
    world.job("other", *(world.ended(f"t{n}") for n in range(4)))
    first = world.sweep()
    assert counts(first) == [("render", 4, 3, 1), ("rest", 1, 4, 0)]
    assert asked(world) == ["render-0/t0", "render-0/t1", "render-1/t0", *(f"other/t{n}" for n in range(4))]
    world.requests.clear()
    second = world.sweep()
    assert counts(second)[0] == ("render", 4, 3, 1)
    assert asked(world)[:2] == ["render-2/t0", "render-2/t1"]
    assert "render-3/t0" in asked(world)
    world.requests.clear()
    world.sweep()
    assert [each for each in asked(world) if "render" in each] == ["render-0/t0", "render-0/t1", "render-1/t0"]


def test_a_sweep_that_begins_in_the_middle_comes_round_to_the_rest() -> None:
    """A sweep that begins in the middle of the list goes through it again for the jobs before that."""
    world = SweepWorld({**RENDER, "most": 3})
    for number in range(3):
        world.job(f"render-{number}", *(world.ended(f"t{n}") for n in range(2)))
    world.sweep()
    world.carry_out_all()
    assert world.left() == ["render-1/t1", "render-2/t0", "render-2/t1"]
    second = world.sweep()
    assert counts(second) == [("render", 3, 3, 0)]
    world.carry_out_all()
    assert world.left() == []


def test_a_job_that_is_left_alone_counts_once_though_the_list_is_gone_through_twice() -> None:
    """A skipped job is counted once over both laps, and does not reduce the count of covered jobs."""
    world = SweepWorld({**RENDER, "most": 2}, protected=("render-0",))
    world.job("render-0", world.ended("t"))
    world.job("render-1", world.ended("t"), marked=True)
    world.job("render-2", world.ended("t"), uses_dependencies=True)
    for number in range(3, 6):
        world.job(f"render-{number}", world.ended("t"))
    world.sweep()
    second = world.sweep()
    assert counts(second) == [("render", 3, 2, 0)]
    assert left_alone(second) == {"protected": 1, "marked": 1, "dependencies": 1}


def test_a_job_whose_marks_cannot_be_read_is_named_once_though_the_list_is_gone_through_twice() -> None:
    """An unreadable job is counted and named once, even if the list of jobs is gone through twice."""
    world = SweepWorld({**RENDER, "most": 1})
    world.page_size = 10
    for number in range(1, 3):
        world.job(f"render-{number}", world.ended("t"))
    world.sweep()
    world.carry_out_all()
    jobs = (ListedJob("render-0", "", is_readable=False), *(job.listed() for job in world.jobs.values()))
    world.answers = [JobPage(DELETED, jobs[:2]), JobPage(DELETED, jobs)]
    sweep = world.sweep()
    assert left_alone(sweep) == {"unlisted": 1}
    assert sweep.passed_over == (("render-0", "cannot be read"),)


def test_a_job_that_goes_between_the_laps_does_not_make_the_others_count_twice() -> None:
    """If a job is deleted between the two laps of a sweep, the other jobs are still counted once."""
    world = SweepWorld({**RENDER, "most": 4})
    world.page_size = 10
    world.job("render-0", *(world.ended(f"t{n}") for n in range(4)))
    for number in range(1, 3):
        world.job(f"render-{number}", world.ended("t"))
    world.sweep()
    world.carry_out_all()
    world.requests.clear()

    def gone() -> None:
        del world.jobs["render-0"]

    world.answers = [None, None, gone]
    assert counts(world.sweep()) == [("render", 3, 2, 0)]
    assert asked(world) == ["render-1/t", "render-2/t"]


def with_first(world: SweepWorld, job_id: str, *tasks: FakeTask) -> None:
    """A new job that the service lists before all others."""
    others = dict(world.jobs)
    world.jobs.clear()
    world.job(job_id, *tasks)
    world.jobs.update(others)


@pytest.mark.parametrize("page_size", [1, 2, 10])
def test_a_cap_starves_no_job_though_the_one_where_it_was_reached_is_gone(page_size: int) -> None:
    """If the job that reached `most` is gone, the next sweep still continues after its place."""
    world = SweepWorld({**RENDER, "most": 1})
    world.page_size = page_size
    for number in range(3):
        world.job(f"render-{number}", world.ended("t"))
    first = []
    for number in range(3):
        world.requests.clear()
        world.sweep()
        first += asked(world)
        world.carry_out_all()
        del world.jobs[first[-1].partition("/")[0]]
        with_first(world, f"render-new-{number}", world.ended("t"))
    assert first == ["render-0/t", "render-1/t", "render-2/t"]


def test_the_jobs_that_came_next_are_gone_too() -> None:
    """If the next jobs are gone too, the sweep begins with the first remembered one that is left."""
    world = SweepWorld({**RENDER, "most": 2})
    for number in range(6):
        world.job(f"render-{number}", world.ended("t"))
    world.sweep()
    world.carry_out_all()
    world.requests.clear()
    for number in (1, 2, 3):
        del world.jobs[f"render-{number}"]
    world.jobs["render-0"].tasks["t"] = world.ended("t")
    world.sweep()
    assert asked(world) == ["render-4/t", "render-5/t"]
    world.requests.clear()
    world.carry_out_all()
    world.sweep()
    assert asked(world)[0] == "render-0/t"


def test_what_comes_next_is_never_what_comes_first() -> None:
    """The remembered next jobs are those after the place where `most` was reached, even with a second lap."""
    world = SweepWorld({**RENDER, "most": 1}, {**REST, "most": 2})
    for number in range(4):
        world.job(f"render-{number}", world.ended("t"), world.ended("t2"))
    world.job("other-0", world.ended("t"), world.ended("t2"))
    world.job("other-1", world.ended("t"))
    world.sweep()
    world.carry_out_all()
    second = world.sweep()
    assert second.counts[0].reached_at == tuple(mark_of_id(f"render-{number}") for number in (1, 2, 3))
    del world.jobs["render-1"]
    world.requests.clear()
    world.sweep()
    assert asked(world)[0] == "render-2/t"


def test_so_many_jobs_behind_the_place_are_remembered() -> None:
    """For each policy, the place where `most` was reached and the twenty jobs after it are remembered."""
    world = SweepWorld({**RENDER, "most": 1})
    world.page_size = 7
    for number in range(30):
        world.job(f"render-{number}", world.ended("t"))
    assert len(world.sweep().counts[0].reached_at) == 21


def test_a_sweep_none_of_whose_remembered_jobs_is_left_takes_all_of_them() -> None:
    """If none of the remembered jobs is left, the sweep begins with the first job."""
    world = SweepWorld({**RENDER, "most": 1})
    for number in range(2):
        world.job(f"render-{number}", world.ended("t"))
    world.sweep()
    world.carry_out_all()
    world.jobs.clear()
    world.job("render-7", world.ended("t"))
    assert counts(world.sweep()) == [("render", 1, 1, 0)]
    assert asked(world)[-1] == "render-7/t"


def test_a_job_that_came_between_the_laps_waits_for_the_next_sweep() -> None:
    """A job that appears between the two laps of a sweep is left for the next sweep."""
    world = SweepWorld({**RENDER, "most": 2})
    world.page_size = 10
    for number in range(2):
        world.job(f"render-{number}", world.ended("t"))
    world.sweep()
    world.carry_out_all()
    world.requests.clear()
    for job in world.jobs.values():
        job.tasks["t"] = world.ended("t")
    world.answers = [None, lambda: with_first(world, "render-new", world.ended("t"))]
    assert counts(world.sweep()) == [("render", 2, 2, 0)]
    assert sorted(asked(world)) == ["render-0/t", "render-1/t"]


def test_jobs_that_go_between_the_laps_make_no_other_count_twice() -> None:
    """If several jobs are deleted between the two laps, over several steps, the others are counted once."""
    world = SweepWorld({**RENDER, "most": 6})
    world.page_size = 10
    for number in range(6):
        world.job(f"render-{number}", *(world.ended(f"t{n}") for n in range(2)))
    world.sweep()
    world.carry_out_all()
    for number in (0, 3, 4, 5):
        world.jobs[f"render-{number}"].tasks = {"new": world.ended("new")}
    world.requests.clear()

    def gone() -> None:
        del world.jobs["render-2"], world.jobs["render-3"]

    world.answers = [None, None, None, lambda: world.clock.advance(5), gone]
    sweep = world.sweep()
    assert counts(sweep) == [("render", 6, 4, 0)]
    assert world.asked[sweep.sweep_id] == 4


def test_tasks_that_cannot_go_do_not_hold_the_others_up() -> None:
    """Tasks that cannot be deleted do not block others, as long as a job has fewer of them than `most`."""
    world = SweepWorld({**RENDER, "most": 2})
    world.job("render-0", world.ended("stuck", can_go=False), world.ended("b"), world.ended("c"))
    world.job("render-1", world.ended("stuck", can_go=False), world.ended("b"))
    for _ in range(6):
        world.sweep()
        world.carry_out_all()
    assert world.left() == ["render-0/stuck", "render-1/stuck"]


def test_a_dry_run_does_not_move_where_the_next_begins() -> None:
    """A dry run does not change where the next sweep begins."""
    world = SweepWorld({**RENDER, "most": 1})
    for number in range(2):
        world.job(f"render-{number}", world.ended("t"))
    for _ in range(2):
        world.sweep(dry_run=True)
    world.sweep()
    assert asked(world) == ["render-0/t"]


# Pages that shift and repeat


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("step_seconds", [0, 5])
def test_a_task_that_is_listed_on_two_pages_counts_once(dry_run: bool, step_seconds: int) -> None:
    """A task that is listed on two pages is counted once, requested or kept, also in a dry run."""
    world = SweepWorld(RENDER)
    world.job("render-1", world.ended("old"), world.ended("new", DAY))
    tasks = tuple(task.listed() for task in world.jobs["render-1"].tasks.values())
    pages = [TaskPage(DELETED, tasks, "x|1"), TaskPage(DELETED, tasks, "x|2"), TaskPage(DELETED, tasks)]

    def next_page(*_: object, **__: object) -> TaskPage:
        world.clock.advance(step_seconds)
        return pages.pop(0)

    world.list_completed_tasks = next_page  # type: ignore[method-assign]
    sweep = world.sweep(dry_run=dry_run)
    assert (counts(sweep), sweep.counts[0].sample) == ([("render", 1, 1, 1)], ("jobs/render-1/tasks/old",))
    world.carry_out_all()
    assert world.open_of(sweep) == 0


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("step_seconds", [0, 5])
def test_a_job_that_is_listed_on_two_pages_counts_once(dry_run: bool, step_seconds: int) -> None:
    """A job that shifts onto the next page is counted once, swept or skipped."""
    world = SweepWorld(RENDER)
    world.pages_by_offset = True
    world.job("render-0", world.ended("t"))
    world.job("render-1", marked=True)
    for number in range(2, 4):
        world.job(f"render-{number}", world.ended("t"))

    def shifted() -> None:
        world.clock.advance(step_seconds)
        with_first(world, "render-new", world.ended("t"))

    world.answers = [None, shifted]
    sweep = world.sweep(dry_run=dry_run)
    assert (counts(sweep), left_alone(sweep)) == ([("render", 3, 3, 0)], {"marked": 1})
    assert len(set(sweep.counts[0].sample)) == 3
    world.carry_out_all()
    assert world.open_of(sweep) == 0


def test_what_a_row_remembers_of_a_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep's row remembers a bounded number of listed jobs, listed tasks, and jobs for the second lap."""
    monkeypatch.setattr(course, "MOST_MET", 4)
    monkeypatch.setattr(course, "MOST_TASKS_MET", 3)
    monkeypatch.setattr(course, "MOST_HELD_BACK", 2)
    world = SweepWorld({**RENDER, "most": 5})
    for number in range(6):
        world.job(f"render-{number}", *(world.ended(f"t{n}") for n in range(8 if number == 5 else 1)))
    world.sweep()
    world.carry_out_all()
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    places: list[Place] = []
    while world.messages:
        world.answers = [lambda: world.clock.advance(5)]
        world.deliver(world.messages[0])
        places.append(world.row(begun.sweep_id).place)
    assert max(len(place.jobs_met) for place in places) == 4
    assert max(len(place.tasks_met) for place in places) == 3
    assert max(len(place.held_back) for place in places) == 2


# Trouble


@pytest.mark.parametrize(
    "reply",
    [
        *(
            refused(429, "TooManyRequests", 30),
            refused(503, "ServerBusy"),
            refused(403, "InsufficientAccountPermissions"),
        ),
        *(refused(401, "AuthenticationFailed"), refused(400, "InvalidAuthenticationInfo"), NO_ANSWER, NO_TOKEN),
    ],
)
@pytest.mark.parametrize("at_jobs", [True, False])
def test_trouble_of_the_account_is_waited_out(reply: Reply, at_jobs: bool) -> None:
    """A failure of the account delays any list, and no count is lost or doubled."""
    world = SweepWorld(RENDER)
    for number in range(2):
        world.job(f"render-{number}", world.ended("t"))
    world.answers = [reply, None, reply] if at_jobs else [None, reply, None, reply, reply]
    sweep = world.sweep()
    assert (sweep.phase, sweep.error, counts(sweep)) == (Phase.DONE, None, [("render", 2, 2, 0)])
    assert sweep.ended_at is not None
    assert sweep.ended_at > sweep.started_at


def test_a_retry_after_is_obeyed() -> None:
    """After a 429, the sweep's next step is due when `Retry-After` says."""
    world = SweepWorld(RENDER)
    world.answers = [refused(429, "TooManyRequests", 120)]
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    world.deliver(world.messages[0])
    assert world.messages[0].visible_at - world.clock.now() == timedelta(seconds=120)


def test_trouble_of_the_account_that_stays_ends_the_sweep_as_failed() -> None:
    """If the account keeps failing, the sweep fails, and earlier requests stay."""
    world = SweepWorld(RENDER)
    for number in range(2):
        world.job(f"render-{number}", world.ended("t"))
    world.answers = [None, None, *[refused(403, "AuthenticationFailed")] * 4]
    sweep = world.sweep()
    assert (sweep.phase, sweep.error and sweep.error.code) == (Phase.FAILED, "AuthenticationFailed")
    assert asked(world) == ["render-0/t"]
    assert (sweep.requested, world.asked[sweep.sweep_id]) == (1, 1)


BAD_PAGES = [
    refused(500),
    refused(404),
    refused(400, "InvalidQueryParameterValue"),
    refused(501, "NotImplemented"),
    Reply(Sent.UNANSWERED, error=ErrorBody("UnreadableAnswer", "No list.")),
    Reply(Sent.REFUSED, error=ErrorBody("UnsafeTarget", "Elsewhere.")),
]


@pytest.mark.parametrize("reply", BAD_PAGES, ids=lambda reply: f"{reply.status} {reply.error.code}")
def test_a_job_that_makes_trouble_is_tried_three_times_and_passed_over(reply: Reply) -> None:
    """A job whose tasks cannot be listed is tried three times, then skipped and named; others go on."""
    world = SweepWorld(RENDER)
    for number in range(2):
        world.job(f"render-{number}", world.ended("t"))
    world.page_size = 10
    world.answers = [None, reply, reply, reply]
    sweep = world.sweep()
    assert [call for call in world.calls if call == "render-0"] == ["render-0"] * 3
    assert asked(world) == ["render-1/t"]
    assert (sweep.phase, counts(sweep), left_alone(sweep)) == (Phase.DONE, [("render", 1, 1, 0)], {"unlisted": 1})
    assert sweep.error is not None
    ((key, text),) = sweep.error.values
    assert key == "jobs/render-0"
    assert reply.error is not None
    assert reply.error.code in text


def test_a_job_that_recovers_in_time_is_swept() -> None:
    """A job whose list fails twice and then succeeds is swept."""
    world = SweepWorld(RENDER)
    world.job("render-0", world.ended("t"))
    world.answers = [None, refused(500), refused(500)]
    sweep = world.sweep()
    assert (sweep.error, asked(world)) == (None, ["render-0/t"])


@pytest.mark.parametrize("is_stopped", [True, False])
def test_the_jobs_that_were_passed_over_are_named_whatever_ends_the_sweep(is_stopped: bool) -> None:
    """Skipped jobs are named in the sweep's error, also if it fails or is stopped."""
    world = SweepWorld(RENDER)
    for number in range(2):
        world.job(f"render-{number}", world.ended("t"))
    account = Reply(Sent.ANSWERED, 403, ErrorBody("NoRight", "No.", (("Reason", "Role"),)), True)
    world.answers = [None, *[refused(500, "InternalError")] * 3, *[account] * 4]
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    for _ in range(3):
        world.deliver(world.messages[0])
        world.next_message()
    if is_stopped:
        world.stop(begun.sweep_id)
    world.settle()
    sweep = world.row(begun.sweep_id)
    assert sweep.error is not None
    own = () if is_stopped else (("Reason", "Role"),)
    assert (sweep.error.code, sweep.error.values) == (
        "Stopped" if is_stopped else "NoRight",
        (*own, ("jobs/render-0", "InternalError: Refused.")),
    )
    assert world.results[0]["data"]["error"]["values"][-1] == {
        "key": "jobs/render-0",
        "value": "InternalError: Refused.",
    }


def test_what_was_asked_for_before_a_job_is_passed_over_stays() -> None:
    """Deletions requested before their job is skipped are counted and carried out."""
    world = SweepWorld(RENDER)
    world.job("render-0", *(world.ended(f"t{n}") for n in range(4)))
    world.answers = [None, None, refused(500), refused(500), refused(500)]
    sweep = world.sweep()
    assert (counts(sweep), left_alone(sweep)) == ([("render", 0, 2, 0)], {"unlisted": 1})
    assert asked(world) == ["render-0/t0", "render-0/t1"]


@pytest.mark.parametrize("reply", [refused(404, "JobNotFound"), refused(409, "JobBeingDeleted")])
def test_a_job_that_is_gone_is_no_trouble(reply: Reply) -> None:
    """A job that is gone or being deleted when its tasks are listed is counted nowhere."""
    world = SweepWorld(RENDER)
    world.job("render-0", world.ended("t"))
    world.answers = [None, reply]
    sweep = world.sweep()
    assert (sweep.phase, sweep.error, counts(sweep)) == (Phase.DONE, None, [("render", 0, 0, 0)])
    assert sweep.left_alone == LeftAlone()


@pytest.mark.parametrize("reply", BAD_PAGES, ids=lambda reply: f"{reply.status} {reply.error.code}")
def test_a_list_of_jobs_that_stays_bad_ends_the_sweep_as_failed(reply: Reply) -> None:
    """If the list of jobs fails three times, the sweep fails."""
    world = SweepWorld(RENDER)
    world.answers = [reply] * 3
    sweep = world.sweep()
    assert (sweep.phase, sweep.error, world.calls) == (Phase.FAILED, reply.error, ["jobs"] * 3)


def test_a_link_that_leads_back_does_not_go_round_for_ever() -> None:
    """A link to the same or an earlier page makes the sweep skip the job, and no task is counted twice."""
    world = SweepWorld(RENDER)
    world.job("render-0")
    pages = [
        TaskPage(DELETED, (world.ended(name).listed(),), link)
        for name, link in (("a", "two"), ("b", "three"), ("c", "two"))
    ]
    world.answers = [None, *pages, pages[2], pages[2]]
    sweep = world.sweep()
    assert (counts(sweep), left_alone(sweep)) == ([("render", 0, 2, 0)], {"unlisted": 1})
    assert sweep.error is not None
    assert sweep.error.values[0][1].startswith("ContinuationLeadsBack")


def test_a_list_of_jobs_that_leads_back_ends_the_sweep_as_failed() -> None:
    """A list of jobs whose link leads back fails the sweep, like any failure of that list."""
    world = SweepWorld(RENDER)
    world.answers = [JobPage(DELETED, (), "two"), *[JobPage(DELETED, (), "two")] * 3]
    sweep = world.sweep()
    assert (sweep.phase, sweep.error and sweep.error.code) == (Phase.FAILED, "ContinuationLeadsBack")


def test_a_call_that_the_app_could_not_make_in_time_counts_as_nothing() -> None:
    """Calls that the app itself could not start in time do not count as failures of the account."""
    world = SweepWorld(RENDER)
    world.job("render-0", world.ended("t"))
    busy = Reply(Sent.HELD, error=ErrorBody("TooManyInFlight", "No place."))
    world.answers = [busy] * 50
    assert world.sweep().phase is Phase.DONE


# Steps


def test_a_step_is_bounded_by_time_and_by_what_it_asks_for() -> None:
    """A step ends after four seconds or a thousand deletions, and the next message continues."""
    world = SweepWorld(RENDER)
    world.page_size = 400
    world.job("render-0", *(world.ended(f"t{n}") for n in range(3_000)))
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    world.deliver(world.messages[0])
    assert world.asked[begun.sweep_id] == 1_200
    world.answers = [lambda: world.clock.advance(5)]
    world.deliver(world.messages[0])
    assert world.asked[begun.sweep_id] == 1_600
    world.settle()
    assert world.row(begun.sweep_id).requested == 3_000


def test_a_job_with_nothing_due_costs_one_list_call() -> None:
    """A sweep makes one list call per job with nothing due, and one per page of jobs."""
    world = SweepWorld(RENDER)
    for number in range(10):
        world.job(f"render-{number}", world.ended("new", DAY))
    world.sweep()
    assert (world.calls.count("jobs"), len(world.calls)) == (5, 15)


def test_a_task_that_shifts_into_the_next_page_of_a_step_is_asked_for_once() -> None:
    """A task listed twice within a step is requested once."""
    world = SweepWorld(RENDER)
    world.job("render-0")
    task = world.ended("t").listed()
    world.answers = [None, TaskPage(DELETED, (task, task), "two"), TaskPage(DELETED, (task,))]
    sweep = world.sweep()
    assert (counts(sweep), asked(world)) == ([("render", 1, 1, 0)], ["render-0/t"])


def test_a_message_of_an_unknown_sweep_is_dropped() -> None:
    """A step of an unknown sweep, forged or purged, is dropped."""
    world = SweepWorld(RENDER)
    begun = world.timer().begin(ACCOUNT)
    assert begun is not None
    world.table.rows.clear()
    world.settle()
    assert (world.calls, world.results) == ([], [])

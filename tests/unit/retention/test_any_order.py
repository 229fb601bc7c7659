"""Whatever the jobs, tasks, policies and times, and in any order of events, only due tasks are deleted.

Hypothesis makes the account, the policies and the events: crashes before and after any operation, messages delivered
twice and while another delivery is at its list call, messages lost, sweeps stopped, policies and protection changed,
tasks that run again or are made anew, pages that shift while jobs and their tasks come and go. The judge of what was
allowed is a second, plain implementation of the rules.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.retention.sweep import Sweep
from tests.chaos.faults import Fault, FaultInjector, after, at, disturbed, everywhere
from tests.fakes.app import ACCOUNT
from tests.unit.retention.sweep_world import INTERVAL, Request, SweepWorld
from tests.unit.retention.swept_account import FakeTask

NAMES = ["a-1", "A-2", "b-1", "b-2", "c"]
PATTERNS = ["a-*", "B-*", "*", "?", "*-1", "c"]
DELAYS = ["PT0S", "PT1H", "P1D", "P3D"]
HOURS = [0, 1, 2, 23, 24, 48, 71, 72, 100]

BEYOND_LISTS = ("row", "ask", "send", "host")
"""Operations after which a death leaves something behind."""

Patch = pytest.MonkeyPatch

policy = st.fixed_dictionaries(
    {
        "jobs": st.one_of(st.sampled_from(PATTERNS), st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2)),
        "deleteAfter": st.one_of(
            st.sampled_from([*DELAYS, "never"]),
            st.fixed_dictionaries({"succeeded": st.sampled_from(DELAYS)}),
            st.fixed_dictionaries({"succeeded": st.sampled_from(DELAYS), "failed": st.sampled_from(DELAYS)}),
        ),
    },
    optional={
        "jobState": st.sampled_from(["completed", "any"]),
        "most": st.integers(1, 3),
        "dryRun": st.booleans(),
    },
)
policies = st.lists(policy, min_size=1, max_size=3).map(
    lambda wishes: [{**wish, "name": f"p{number}"} for number, wish in enumerate(wishes)]
)
task = st.fixed_dictionaries(
    {
        "hours": st.one_of(st.none(), st.sampled_from(HOURS)),
        "succeeded": st.booleans(),
        "can_go": st.sampled_from([True, True, False]),
    }
)
job = st.fixed_dictionaries(
    {
        "tasks": st.lists(task, max_size=4),
        "state": st.sampled_from(["active", "completed"]),
        "marked": st.sampled_from([False, False, False, True]),
        "uses_dependencies": st.sampled_from([False, False, True]),
    }
)
NEW_JOB = {
    "tasks": [{"hours": 100, "succeeded": True, "can_go": True}],
    "state": "active",
    "marked": False,
    "uses_dependencies": False,
}
protected = st.sampled_from([(), (), ("a-1",), ("B-*",)])
event = st.one_of(
    st.tuples(st.just("deliver"), st.integers(0, 3)),
    st.tuples(st.just("deliver"), st.integers(0, 3)),
    st.tuples(st.just("crash"), st.integers(0, 11)),
    st.tuples(st.just("overlap"), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.integers(0, 3)),
    st.tuples(st.just("carry out"), st.integers(0, 9)),
    st.tuples(st.just("run again"), st.integers(0, 9)),
    st.tuples(st.just("mark"), st.integers(0, 4)),
    st.tuples(st.just("appear"), st.integers(0, 4)),
    st.tuples(st.just("vanish"), st.integers(0, 4)),
    st.tuples(st.just("tick"), st.integers(0, 8)),
    st.tuples(st.just("begin"), st.booleans()),
    st.tuples(st.just("stop"), st.none()),
    st.tuples(st.just("policies"), policies),
    st.tuples(st.just("protect"), protected),
)


class Judge:
    """A world whose deletions are judged, each at the moment at which it takes effect."""

    def __init__(self, wishes: list[dict[str, Any]], jobs: list[dict[str, Any]], *, by_offset: bool = False) -> None:
        self.wishes = wishes
        self.protected: tuple[str, ...] = ()
        self.world = SweepWorld(*wishes)
        self.world.pages_by_offset = by_offset
        self.faults: list[str] = []
        self.sweep_wishes: dict[str, list[dict[str, Any]]] = {}
        self.listed: dict[tuple[str, str], bool] = {}
        """By sweep and job whether it was marked or waited for when that sweep last listed it."""
        for number, made in enumerate(jobs):
            self._put(NAMES[number], made)
        self._noted: set[str] = set()
        self.world.passage = FaultInjector(everywhere(after(self._note_marks), "ask"))

    def _put(self, job_id: str, made: dict[str, Any]) -> None:
        tasks = []
        for number, each in enumerate(made["tasks"]):
            ended = None if each["hours"] is None else self.world.clock.now() - timedelta(hours=each["hours"])
            tasks.append(FakeTask(f"t{number}", ended, each["succeeded"], can_go=each["can_go"]))
        fields = {name: made[name] for name in ("state", "marked", "uses_dependencies")}
        self.world.job(job_id, *tasks, **fields)

    def _note_marks(self) -> None:
        """Records the owner's marks under which each new request was made."""
        for request_id in set(self.world.requests) - self._noted:
            asked = self.world.requests[request_id]
            seen = self.world.seen_as[self.world.jobs_by_id(asked)]
            self.listed[asked.sweep_id, seen.id] = self._is_kept(asked.sweep_id, seen)
        self._noted = set(self.world.requests)

    def _is_kept(self, sweep_id: str, job: Any) -> bool:
        wish = first_wish(self.sweep_wishes.get(sweep_id, self.wishes), job.id)
        waits = job.uses_dependencies and job.state != "completed" and wish is not None and "jobState" not in wish
        return bool(job.marked or waits)

    # Events

    def play(self, name: str, what: Any) -> None:
        """Plays one event."""
        getattr(self, "_" + name.replace(" ", "_"))(what)
        self._judge()

    def _deliver(self, number: int) -> None:
        messages = sorted(self.world.messages, key=lambda each: each.visible_at)
        if messages:
            message = messages[number % len(messages)]
            self.world.clock.advance(max(0.0, (message.visible_at - self.world.clock.now()).total_seconds()))
            self.world.deliver(message)

    def _deliver_at_once(self, number: int) -> None:
        if messages := self.world.messages:
            self.world.deliver(messages[number % len(messages)])

    def _crash(self, moment: int) -> None:
        """The process dies at an operation of the delivery: before its effect at even moments, after it at odd ones."""
        with disturbed(
            self.world, at(moment // 2, Fault.DIES_AFTER if moment % 2 else Fault.DIES_BEFORE, *BEYOND_LISTS)
        ):
            self._deliver(0)

    def _overlap(self, number: int) -> None:
        """Another delivery, of the same or another message, runs while this one is at its first list call."""
        self.world.answers = [lambda: self._deliver_at_once(number)]
        self._deliver(0)
        self.world.answers = []

    def _lose(self, number: int) -> None:
        if self.world.messages:
            del self.world.messages[number % len(self.world.messages)]

    def _carry_out(self, number: int) -> None:
        waiting = list(self.world.open_requests())
        if waiting:
            self.world.carry_out(waiting[number % len(waiting)])

    def _run_again(self, number: int) -> None:
        """A completed task runs again and so gets another version."""
        tasks = [task for job in self.world.jobs.values() for task in job.tasks.values()]
        if tasks:
            tasks[number % len(tasks)].version += 1
            tasks[number % len(tasks)].ended = self.world.clock.now()

    def _mark(self, number: int) -> None:
        jobs = list(self.world.jobs.values())
        if jobs:
            jobs[number % len(jobs)].marked ^= True

    def _appear(self, number: int) -> None:
        """A job appears before all others and shifts them; an existing one is created again."""
        others = dict(self.world.jobs)
        self.world.jobs.clear()
        self._put(NAMES[number], NEW_JOB)
        self.world.jobs |= {job_id: each for job_id, each in others.items() if job_id not in self.world.jobs}

    def _vanish(self, number: int) -> None:
        """The owner deletes a job."""
        if self.world.jobs:
            del self.world.jobs[list(self.world.jobs)[number % len(self.world.jobs)]]

    def _tick(self, hours: int) -> None:
        self.world.clock.advance(hours * 3_600)
        self.world.timer().tick()
        self._remember()

    def _begin(self, dry_run: bool) -> None:
        self.world.timer().begin(ACCOUNT, dry_run=dry_run)
        self._remember()

    def _remember(self) -> None:
        agenda = self.world.agenda
        if agenda and agenda.running:
            self.sweep_wishes.setdefault(agenda.running, self.wishes)

    def _stop(self, _: None) -> None:
        agenda = self.world.agenda
        if agenda and agenda.running:
            self.world.stop(agenda.running)

    def _policies(self, wishes: list[dict[str, Any]]) -> None:
        self.wishes = wishes
        self.world.set_rules(*wishes, protected=self.protected)

    def _protect(self, patterns: tuple[str, ...]) -> None:
        self.protected = patterns
        self.world.set_rules(*self.wishes, protected=patterns)

    # The judgement

    def _judge(self) -> None:
        for asked, job_before, gone in self.world.deleted:
            name = f"{job_before.id}/{gone.id}"
            self.faults += [f"{name} {fault}" for fault in self._faults_of(asked, job_before.id, gone)]
        self.world.deleted.clear()

    def _faults_of(self, asked: Request, job_id: str, gone: FakeTask) -> list[str]:
        sweep = self.world.row(asked.sweep_id)
        then = self.sweep_wishes[asked.sweep_id]
        wish, now = first_wish(then, job_id), first_wish(self.wishes, job_id)
        faults = []
        if wish is None or not is_due(wish, gone, sweep):
            faults.append("was not due by its first match")
        if now != wish:
            faults.append("went by a policy that is not in force")
        if wish and (wish.get("dryRun") or sweep.dry_run):
            faults.append("went by a dry run")
        if gone.etag != asked.request.if_match:
            faults.append("had changed")
        if any(matches(pattern, job_id) for pattern in self.protected):
            faults.append("was protected")
        if self.listed.get((asked.sweep_id, job_id)):
            faults.append("was marked or waited for when it was listed")
        if sweep.is_stopping:
            faults.append("went after its sweep was stopped")
        return faults

    # The end

    def finish(self) -> None:
        """Lets time pass without faults until sweeps find nothing more to do."""
        quiet = 0
        for _ in range(120):
            self.world.clock.advance(INTERVAL.total_seconds() + 1)
            self.world.timer().tick()
            self._remember()
            self.world.settle()
            before = len(self.world.left())
            self.world.carry_out_all()
            self._judge()
            quiet = quiet + 1 if len(self.world.left()) == before else 0
            if quiet > len(self.world.jobs) + 2:
                break
        self.faults += self._left_behind() + self._miscounted()

    def _left_behind(self) -> list[str]:
        """The tasks that were due, could be deleted, and still exist."""
        found = []
        for each in self.world.jobs.values():
            wish = first_wish(self.wishes, each.id)
            if wish is None or wish.get("dryRun") or each.marked or any(matches(p, each.id) for p in self.protected):
                continue
            if wish.get("jobState") == "completed" and each.state != "completed":
                continue
            if "jobState" not in wish and each.uses_dependencies and each.state != "completed":
                continue
            due = [t for t in each.tasks.values() if is_due(wish, t, None, self.world.clock.now() - 2 * INTERVAL)]
            stuck = [t for t in due if not t.can_go]
            if len(stuck) >= wish.get("most", 1_000):
                continue
            found += [f"{each.id}/{t.id} is left" for t in due if t.can_go]
        return found

    def _miscounted(self) -> list[str]:
        """The sweeps that did not count each of their requests exactly once."""
        found = []
        for sweep_id in self.sweep_wishes:
            sweep = self.world.row(sweep_id)
            if not sweep.has_ended:
                found.append(f"sweep {sweep_id} never ends")
            if sweep.requested != self.world.asked[sweep_id]:
                found.append(f"{sweep.requested} counted, {self.world.asked[sweep_id]} asked for")
            told = [e for e in self.world.results if e["data"]["sweepId"] == sweep_id]
            if not told or len({str(event) for event in told}) > 1:
                found.append(f"{len(told)} events, or different ones, close {sweep_id}")
        return found


def matches(pattern: str, job_id: str) -> bool:
    """A second implementation of the pattern rule."""
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(expression, job_id, re.IGNORECASE) is not None


def first_wish(wishes: list[dict[str, Any]], job_id: str) -> dict[str, Any] | None:
    """The first policy that matches, as it was written."""
    for wish in wishes:
        patterns = [wish["jobs"]] if isinstance(wish["jobs"], str) else wish["jobs"]
        if any(matches(pattern, job_id) for pattern in patterns):
            return wish
    return None


HOURS_OF = {"PT0S": 0, "PT1H": 1, "P1D": 24, "P3D": 72}


def is_due(wish: dict[str, Any], each: FakeTask, sweep: Sweep | None, at: Any = None) -> bool:
    """A second implementation of the delay rule."""
    delays = wish["deleteAfter"]
    delay = delays if isinstance(delays, str) else delays.get("succeeded" if each.succeeded else "failed")
    if each.ended is None or delay in {None, "never"}:
        return False
    return bool(each.ended + timedelta(hours=HOURS_OF[delay]) <= (sweep.started_at if sweep else at))


def faults_of(
    wishes: list[dict[str, Any]], jobs: list[dict[str, Any]], events: list[tuple[str, Any]], by_offset: bool
) -> list[str]:
    """The promises that this order of events broke."""
    judge = Judge(wishes, jobs, by_offset=by_offset)
    judge.play("begin", False)
    for name, what in events:
        judge.play(name, what)
    judge.finish()
    return judge.faults


RUN = settings(max_examples=400, suppress_health_check=list(HealthCheck))
ORDERS = st.tuples(policies, st.lists(job, max_size=4, min_size=1), st.lists(event, max_size=14), st.booleans())


@RUN
@given(ORDERS)
def test_no_order_breaks_a_promise(
    order: tuple[list[dict[str, Any]], list[dict[str, Any]], list[tuple[str, Any]], bool],
) -> None:
    """In any order of events, only due, unprotected tasks are deleted, all of them in the end, each counted once."""
    assert faults_of(*order) == []

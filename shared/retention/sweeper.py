"""Runs sweeps: one bounded step per message, the rest in the messages that follow.

A step first writes its row, including the requests it makes, then sends those, then the message of the next step.
A crash therefore repeats at most one step, with the same requests: nothing is counted twice, and no task is requested in
a later version.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.batch.job_listing import JobPage
from shared.batch.listing import LEADS_BACK, TaskPage
from shared.batch.port import Lists
from shared.batch.reply import log_refused_access
from shared.clock import Clock, TimeBox
from shared.deletion.outcomes import RetryPolicy
from shared.errors import CorruptRecord, StaleDelivery, StorageUnavailable
from shared.retention import course
from shared.retention.closing import Outlet, SweepCloser
from shared.retention.course import ListJobs, ListTasks, leads_back, next_call, settled
from shared.retention.judging import Rules
from shared.retention.message import SweepStep
from shared.retention.record import SweepStore
from shared.retention.step import Standing, at_step, given_up, standing_of, stepped
from shared.retention.sweep import Phase, Sweep
from shared.retention.trouble import Trouble, after_bad_page, after_trouble, trouble_of

log = logging.getLogger(__name__)

STEP_SECONDS: Final = 4.0
"""After this time, a step makes no further call."""
CALL_SECONDS: Final = 30.0
MOST_ASKED: Final = 1_000
"""Once a step has requested this many deletions, it ends with the current page."""
MAX_WRITES: Final = 10


@dataclass(frozen=True)
class SweeperParts:
    """The dependencies of the sweeper."""

    clock: Clock
    accounts: Sequence[str]
    rules: Rules
    sweeps: SweepStore
    batch: Lists
    outlet: Outlet
    closer: SweepCloser
    retries: RetryPolicy


class Sweeper:
    """Runs the steps of sweeps."""

    def __init__(self, parts: SweeperParts) -> None:
        self._parts = parts

    def deliver(self, step: SweepStep, message_id: str) -> None:
        """Runs the step of a message.

        Raises:
            StaleDelivery, StorageUnavailable: the host must deliver the message again.
        """
        parts = self._parts
        sweep = parts.sweeps.read(step.sweep_id)
        if sweep is None:
            log.warning("unknown_sweep sweep_id=%s", step.sweep_id)
            return
        standing = standing_of(sweep, step, message_id)
        if standing is Standing.PASSED:
            log.info("duplicate_step sweep_id=%s step=%s", step.sweep_id, step.number)
        elif standing is Standing.ENDED:
            parts.closer.close(sweep)
        elif standing is Standing.AGAIN:
            self._send(sweep)
        else:
            if step.repeats:
                parts.outlet.ask(sweep)
            self._take(sweep, message_id)

    def give_up(self, step: SweepStep) -> None:
        """Ends the sweep whose step the host gave up. Raises StorageUnavailable."""
        for _ in range(MAX_WRITES):
            try:
                sweep, now = self._parts.sweeps.read(step.sweep_id), self._parts.clock.now()
            except CorruptRecord:
                # The timer detaches it from its account.
                log.exception("corrupt_record sweep_id=%s", step.sweep_id)
                return
            after = given_up(sweep, step, now) if sweep else None
            if after is None:
                return
            written = sweep if after is sweep else self._parts.sweeps.write(sweep, after, now)
            if written is not None:
                self._parts.closer.close(written)
                return
        raise StorageUnavailable(f"sweep {step.sweep_id} changed under {MAX_WRITES} reads")

    def _take(self, before: Sweep, message_id: str) -> None:
        now = self._parts.clock.now()
        after = at_step(before, self._parts.rules, self._parts.accounts, now)
        after = stepped(after if after.has_ended else self._listed(after), message_id)
        written = self._parts.sweeps.write(before, after, self._parts.clock.now())
        if written is None:
            raise StaleDelivery(f"sweep {before.sweep_id} has changed since it was read")
        log.info("sweep_step sweep_id=%s step=%s asked=%s", before.sweep_id, before.step, len(written.asked))
        if written.has_ended:
            self._parts.closer.close(written)
        else:
            self._send(written)

    def _send(self, sweep: Sweep) -> None:
        """Sends the requests of the last step, then the message of the next one."""
        self._parts.outlet.ask(sweep)
        delay = (sweep.due_at - self._parts.clock.now()).total_seconds()
        self._parts.outlet.send_step(SweepStep(sweep.sweep_id, sweep.step), max(0.0, delay))

    def _listed(self, sweep: Sweep) -> Sweep:
        """Makes as many calls as fit into a step, or until the sweep has to wait."""
        clock, rules = self._parts.clock, self._parts.rules
        until = clock.monotonic() + STEP_SECONDS
        began_at = sweep.due_at
        while True:
            sweep = settled(sweep, rules)
            call = next_call(sweep, rules)
            if call is None:
                return sweep.ended(Phase.DONE, clock.now())
            if len(sweep.asked) >= MOST_ASKED or clock.monotonic() >= until:
                return sweep
            sweep = self._called(sweep, call)
            if sweep.has_ended or sweep.due_at != began_at:
                return sweep

    def _called(self, sweep: Sweep, call: ListJobs | ListTasks) -> Sweep:
        parts, now = self._parts, self._parts.clock.now()
        box = TimeBox.lasting(CALL_SECONDS, parts.clock)
        page: JobPage | TaskPage
        if isinstance(call, ListJobs):
            page, seen = parts.batch.list_jobs(sweep.account, call.continuation, box), sweep.place.jobs_seen
        else:
            ended_by = call.policy.ended_by(sweep.started_at)
            page = parts.batch.list_completed_tasks(
                sweep.account, call.job_id, call.continuation, box, ended_by=ended_by
            )
            seen = sweep.place.tasks_seen
        if trouble_of(page.reply) is not Trouble.NONE:
            log_refused_access(page.reply, sweep.account, sweep.sweep_id)
            return after_trouble(sweep, call, page.reply, parts.retries, now)
        if leads_back(page.continuation, seen):
            return after_bad_page(sweep, call, LEADS_BACK, now)
        if isinstance(page, JobPage):
            return course.on_jobs(sweep, page, parts.rules)
        return course.on_tasks(sweep, page, parts.rules)

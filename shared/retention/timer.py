"""The timer for sweeps, and how a sweep is started."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from shared.clock import Clock
from shared.errors import CorruptRecord, StorageUnavailable
from shared.parsing.retention_policy import digest_of, policies_of
from shared.retention.agenda import Act, Agenda, AgendaStore, abandoned, act_of, act_on, begun, seen
from shared.retention.closing import Outlet, SweepCloser
from shared.retention.judging import Rules
from shared.retention.message import SweepStep
from shared.retention.record import SweepStore
from shared.retention.step import requeued
from shared.retention.sweep import Sweep, new_sweep

log = logging.getLogger(__name__)

MAX_WRITES: Final = 10


@dataclass(frozen=True)
class TimerParts:
    """The dependencies of the timer."""

    clock: Clock
    accounts: Sequence[str]
    rules: Rules
    interval: timedelta
    sweeps: SweepStore
    agendas: AgendaStore
    outlet: Outlet
    closer: SweepCloser
    new_id: Callable[[], str]
    open_of: Callable[[Sweep], int]
    """Returns how many of a sweep's requests are not done."""


@dataclass(frozen=True)
class _Registration:
    """An account's row before and after a sweep began."""

    before: Agenda | None
    after: Agenda

    def undone(self) -> Agenda:
        """The row as it was before the sweep began."""
        return replace(self.after, running="", last=self.before.last if self.before else None)


class SweepTimer:
    """Starts sweeps when they are due. Every method may raise StorageUnavailable and CorruptRecord."""

    def __init__(self, parts: TimerParts) -> None:
        self._parts = parts

    def tick(self) -> None:
        """Looks at each account once. An account whose rows cannot be read does not delay the others."""
        failures: list[StorageUnavailable | CorruptRecord] = []
        looks = [lambda account=account: self._look_at(account) for account in self._parts.accounts]
        for look in (*looks, self._look_at_others):
            try:
                look()
            except (StorageUnavailable, CorruptRecord) as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def begin(
        self, account: str, *, only: str = "", dry_run: bool = False, judged: Agenda | None = None
    ) -> Sweep | None:
        """Starts a sweep now; None if the account already has one running, or its row has changed since `judged`."""
        parts, now = self._parts, self._parts.clock.now()
        agenda = judged or parts.agendas.read(account)
        if agenda and agenda.running:
            return None
        begin_after = dict(agenda.begin_after) if agenda else {}
        wanted = new_sweep(
            parts.new_id(), account, parts.rules.policies, now, only=only, dry_run=dry_run, begin_after=begin_after
        )
        # The row is written first, so that it exists once the agenda names it. Until then, the sweep does not run.
        # A refused insert may still have written the row: the client library may have repeated one whose response was lost.
        sweep = parts.sweeps.write(None, wanted, now) or parts.sweeps.read(wanted.sweep_id)
        if sweep is None:
            return None
        registration = self._registered(sweep, judged)
        if registration is None:
            parts.sweeps.drop(sweep)
            return None
        self._send_first(sweep, registration)
        log.info("sweep_begun sweep_id=%s account=%s dry_run=%s policy=%s", sweep.sweep_id, account, dry_run, only)
        return sweep

    def _registered(self, sweep: Sweep, judged: Agenda | None) -> _Registration | None:
        before = judged
        for number in range(MAX_WRITES):
            agenda = judged if judged and number == 0 else self._parts.agendas.read(sweep.account)
            if agenda and agenda.running:
                # It may be this sweep: the client library may have repeated a write whose response was lost.
                return _Registration(before, agenda) if agenda.running == sweep.sweep_id else None
            if judged and number > 0:
                return None
            before = agenda
            after = begun(seen(before, sweep.account, sweep.policies_digest, sweep.started_at), sweep)
            written = self._parts.agendas.write(before, after)
            if written:
                return _Registration(before, written)
        raise StorageUnavailable(f"the agenda of {sweep.account} changed under {MAX_WRITES} reads")

    def _send_first(self, sweep: Sweep, registration: _Registration) -> None:
        """Sends the message of the first step. If that fails, the sweep is undone, so that another one may start."""
        try:
            self._parts.outlet.send_step(SweepStep(sweep.sweep_id, sweep.step))
        except StorageUnavailable:
            # What cannot be undone here is continued or given up by a later run of the timer, as after a crash.
            with suppress(StorageUnavailable):
                # The row is deleted first: if the message was sent after all, it finds nothing to do.
                if self._parts.sweeps.drop(sweep):
                    self._parts.agendas.write(registration.after, registration.undone())
            raise

    def _look_at(self, account: str) -> None:
        parts, now = self._parts, self._parts.clock.now()
        digest = digest_of(policies_of(parts.rules.policies, account))
        agenda = parts.agendas.read(account)
        running = self._running(agenda)
        act = act_of(agenda, running, digest, parts.interval, now, lambda: self._open_of_last(agenda))
        if act is Act.SEE:
            parts.agendas.write(agenda, seen(agenda, account, digest, now))
        elif act is Act.START:
            self.begin(account, judged=agenda)
        elif agenda:
            self._bring_on(act, agenda, running)
        if agenda and agenda.is_overdue(parts.interval, now):
            # For the alert `infra/queries/overdue-sweeps.kql`, which cannot look back that far itself.
            log.error("sweep_overdue account=%s last_ended_at=%s", account, agenda.last_ended_at)

    def _look_at_others(self) -> None:
        """Brings sweeps of accounts that have left the list to an end."""
        for agenda in self._parts.agendas.running():
            if agenda.account not in self._parts.accounts:
                running = self._running(agenda)
                self._bring_on(act_on(running, self._parts.clock.now()), agenda, running)

    def _bring_on(self, act: Act, agenda: Agenda, running: Sweep | None) -> None:
        if act is Act.REQUEUE and running:
            self._requeue(running)
        elif act is Act.CLOSE:
            self._close(agenda, running)

    def _running(self, agenda: Agenda | None) -> Sweep | None:
        """The sweep that the agenda names; None also if it cannot be read, since then it will never end by itself."""
        return self._read(agenda.running) if agenda and agenda.running else None

    def _open_of_last(self, agenda: Agenda | None) -> int:
        last = self._read(agenda.last.sweep_id) if agenda and agenda.last else None
        return self._parts.open_of(last) if last else 0

    def _read(self, sweep_id: str) -> Sweep | None:
        try:
            return self._parts.sweeps.read(sweep_id)
        except CorruptRecord:
            log.exception("corrupt_record sweep_id=%s", sweep_id)
            return None

    def _requeue(self, sweep: Sweep) -> None:
        after, step = requeued(sweep, self._parts.clock.now())
        if self._parts.sweeps.write(sweep, after, self._parts.clock.now()):
            self._parts.outlet.send_step(step)
            log.warning("put_back sweep_id=%s step=%s", sweep.sweep_id, sweep.step)

    def _close(self, agenda: Agenda, sweep: Sweep | None) -> None:
        if sweep is None:
            self._parts.agendas.write(agenda, abandoned(agenda, self._parts.clock.now()))
            return
        self._parts.closer.close(sweep)

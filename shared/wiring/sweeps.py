"""Builds the services for sweeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.api.retention import RetentionApi
from shared.batch.port import Lists
from shared.clock import Clock
from shared.deletion.acceptance import Dispatcher
from shared.deletion.outcomes import RetryPolicy
from shared.ledger.tally import Totals, totals
from shared.results.event import event_text
from shared.results.telemetry import Telemetry
from shared.retention.agenda import AgendaStore
from shared.retention.closing import SweepCloser
from shared.retention.judging import Rules
from shared.retention.outlet import QueueOutlet
from shared.retention.parent import SweepParent
from shared.retention.record import SweepStore
from shared.retention.report import closing_event, open_of
from shared.retention.stopping import SweepStopper
from shared.retention.sweep import Sweep
from shared.retention.sweeper import Sweeper, SweeperParts
from shared.retention.timer import SweepTimer, TimerParts
from shared.settings import Settings
from shared.storage.queues import encoded
from shared.storage.table import Table


@dataclass(frozen=True)
class SweepServices:
    """The sweep services that the functions and the sweeps' requests use."""

    parent: SweepParent
    sweeper: Sweeper
    timer: SweepTimer
    api: RetentionApi


def sweep_services(
    settings: Settings,
    table: Table,
    batch: Lists,
    dispatcher: Dispatcher,
    policy: RetryPolicy,
    new_id: Callable[[], str],
    telemetry: Telemetry,
) -> SweepServices:
    """Builds the services on the app's table and queues; the dispatcher brings the queues and the clock."""
    clock: Clock = dispatcher.clock
    sweeps, agendas = SweepStore(table), AgendaStore(table)
    rules = Rules(settings.retention_policies, settings.protected_jobs)
    outlet = QueueOutlet(dispatcher, dispatcher.sender, clock, settings.job_completion_queue, settings.result_queue)
    closer = SweepCloser(agendas, outlet, lambda sweep: _event(sweep, settings.result_encoding), telemetry)

    def totals_of(sweep: Sweep) -> Totals:
        return totals(table, sweep.sweep_id, dry_run=False)

    def open_requests(sweep: Sweep) -> int:
        return open_of(sweep, totals_of(sweep).done)

    interval = timedelta(hours=settings.retention_interval_hours)
    timer = SweepTimer(
        TimerParts(
            clock, settings.batch_accounts, rules, interval, sweeps, agendas, outlet, closer, new_id, open_requests
        )
    )
    stopper = SweepStopper(clock, sweeps, closer, open_requests)
    return SweepServices(
        SweepParent(sweeps, rules, settings.batch_accounts),
        Sweeper(SweeperParts(clock, settings.batch_accounts, rules, sweeps, batch, outlet, closer, policy)),
        timer,
        RetentionApi(settings, timer, stopper, sweeps, agendas, totals_of, clock),
    )


def _event(sweep: Sweep, encoding: str) -> str:
    return encoded(event_text(closing_event(sweep)), encoding)

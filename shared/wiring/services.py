"""The one place where the services are put together, from settings and an outside that a test may replace."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.api.dead_letters import DeadLetterApi
from shared.api.job_completions import CleanupApi
from shared.api.retention import RetentionApi
from shared.api.task_deletions import TaskDeletionApi
from shared.batch.lanes import Lanes
from shared.batch.port import Batch
from shared.batch.reply import Reply
from shared.cleanup.closing import CleanupCloser
from shared.cleanup.fan_out import FanOut, FanOutParts
from shared.cleanup.poison import CleanupPoison, CleanupPoisonParts
from shared.cleanup.record import CleanupStore
from shared.cleanup.redrive import CleanupRedrive
from shared.cleanup.upkeep import CleanupUpkeep
from shared.clock import Clock, TimeBox
from shared.deletion.acceptance import Acceptor, Dispatcher
from shared.deletion.attempt import Attempt
from shared.deletion.cancellation import Cancellation
from shared.deletion.claiming import Claimer
from shared.deletion.delivery import Timing
from shared.deletion.guard import Guard
from shared.deletion.outbox import Outbox
from shared.deletion.outcomes import RetryPolicy
from shared.deletion.parents import Parent, Parents
from shared.deletion.poison import PoisonWorker
from shared.deletion.synchronous import SynchronousDeletion
from shared.deletion.worker import Worker
from shared.ledger.pauses import Pauses
from shared.ledger.record import Origin
from shared.ledger.store import RecordStore
from shared.ledger.tally import totals
from shared.operations.housekeeping import Housekeeping
from shared.operations.redrive import Redrive
from shared.request.model import DeletionRequest
from shared.results.dead_letters import DeadLetterStore
from shared.results.event import event_text
from shared.results.publisher import Publisher
from shared.results.telemetry import SILENT, Call, Telemetry
from shared.retention.agenda import AgendaStore
from shared.retention.closing import SweepCloser
from shared.retention.job_messages import JobMessages
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
from shared.storage.queues import Queues, encoded
from shared.storage.table import Table

LONGEST_CALL_SECONDS = 40.0
"""The service spends at most 30 s on a deletion; what takes longer has lost its answer."""


@dataclass(frozen=True)
class Outside:
    """Everything that the app reaches beyond itself: what a test may replace."""

    records: Table
    letters: Table
    sender: Queues
    batch: Batch
    lanes: Lanes
    clock: Clock
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())
    random: Callable[[], float] = random.random
    telemetry: Telemetry = SILENT
    scans: Table | None = None
    """`records` for the daily round, whose queries go through whole partitions: with more time. None: as `records`."""


class App:
    """The services that the functions call."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        self.settings = settings
        clock, sender, timing = outside.clock, outside.sender, Timing(settings.operation_budget_seconds)
        store = RecordStore(outside.records, Pauses(clock, outside.random))
        letters = DeadLetterStore(outside.letters)
        publisher = Publisher(letters, settings, clock, outside.telemetry)
        outbox = Outbox(publisher, sender, store, settings)
        dispatcher = Dispatcher(sender, settings.request_queue, clock)
        acceptor = Acceptor(store, dispatcher, clock)
        sweeps = SweepStore(outside.records)
        rules = Rules(settings.retention_policies, settings.protected_jobs)
        self.parents: dict[Origin, Parent] = {Origin.RETENTION: SweepParent(sweeps, rules)}
        guard, parents = Guard(settings), Parents(self.parents)
        policy = RetryPolicy(
            settings.max_attempts, settings.retry_base_seconds, settings.retry_max_seconds, outside.random
        )
        attempt = Attempt(
            store, outside.telemetry.observed(_call(outside.batch, clock)), outside.lanes, clock, timing, policy
        )
        claimer = Claimer(store, clock, timing, guard, parents)
        self.worker = Worker(settings, clock, outside.new_id, claimer, attempt, acceptor, dispatcher, publisher)
        self.poison = PoisonWorker(settings, clock, store, dispatcher, publisher, sender, outbox, guard, parents)
        synchronous = SynchronousDeletion(store, clock, timing, outside.new_id, attempt, acceptor, outbox)
        cancellation = Cancellation(store, clock, outbox)
        self.api = TaskDeletionApi(settings, clock, store, acceptor, guard, synchronous, cancellation)

        cleanups = CleanupStore(outside.records)
        closer = CleanupCloser(letters, settings, clock)
        self.fan_out = FanOut(
            FanOutParts(settings, clock, cleanups, outside.batch, acceptor, sender, guard, policy, closer)
        )
        self.cleanup_poison = CleanupPoison(
            CleanupPoisonParts(settings, clock, cleanups, acceptor, closer, sender, guard)
        )
        self.cleanups = CleanupApi(settings, clock, cleanups, acceptor, sender, guard)

        cleanup_redrive = CleanupRedrive(settings, clock, cleanups, sender)
        redrive = Redrive(settings, clock, letters, store, dispatcher, cleanup_redrive, outbox)
        self.dead_letters = DeadLetterApi(letters, redrive, (settings.request_queue, settings.job_completion_queue))
        upkeep = CleanupUpkeep(settings, clock, cleanups, sender)
        scans = outside.scans or outside.records
        self.housekeeping = Housekeeping(settings, clock, scans, sender, dispatcher, outbox, upkeep)
        outlet = QueueOutlet(dispatcher, sender, clock, settings.job_completion_queue, settings.result_queue)
        self._serve_sweeps(outside, sweeps, rules, outlet, policy)

    def _serve_sweeps(
        self, outside: Outside, sweeps: SweepStore, rules: Rules, outlet: QueueOutlet, policy: RetryPolicy
    ) -> None:
        settings, clock = self.settings, outside.clock
        agendas = AgendaStore(outside.records)
        closer = SweepCloser(
            agendas,
            outlet,
            lambda sweep: encoded(closing_text(sweep), settings.result_encoding),
            outside.telemetry,
        )
        sweeper = Sweeper(
            SweeperParts(clock, settings.batch_accounts, rules, sweeps, outside.batch, outlet, closer, policy)
        )
        self.job_messages = JobMessages(self.fan_out, self.cleanup_poison, sweeper)

        def done_of(sweep: Sweep) -> dict[str, int]:
            return totals(outside.records, sweep.sweep_id, dry_run=False).done

        self.sweeps = SweepTimer(
            TimerParts(
                clock=clock,
                accounts=settings.batch_accounts,
                rules=rules,
                interval=timedelta(hours=settings.retention_interval_hours),
                sweeps=sweeps,
                agendas=agendas,
                outlet=outlet,
                closer=closer,
                new_id=outside.new_id,
                open_of=lambda sweep: open_of(sweep, done_of(sweep)),
            )
        )
        stopper = SweepStopper(clock, sweeps, closer, lambda sweep: open_of(sweep, done_of(sweep)))
        self.retention = RetentionApi(settings, self.sweeps, stopper, sweeps, agendas, done_of)


def closing_text(sweep: Sweep) -> str:
    """The event that closes a sweep, as a result message."""
    return event_text(closing_event(sweep))


def _call(batch: Batch, clock: Clock) -> Call:
    def call(request: DeletionRequest, box: TimeBox) -> Reply:
        box = box.ending_by(clock.monotonic() + LONGEST_CALL_SECONDS)
        return batch.get_task(request, box) if request.dry_run else batch.delete(request, box)

    return call

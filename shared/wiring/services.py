"""The one place where the services are put together, from settings and an outside that a test may replace."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from shared.api.dead_letters import DeadLetterApi
from shared.api.job_completions import CleanupApi
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
from shared.deletion.claiming import Claimant
from shared.deletion.delivery import Timing
from shared.deletion.guard import Guard
from shared.deletion.outcomes import RetryPolicy
from shared.deletion.owed import OwedResults
from shared.deletion.poison import PoisonParts, PoisonWorker
from shared.deletion.synchronous import SynchronousDeletion
from shared.deletion.worker import Parts, Worker
from shared.ledger.store import RecordStore
from shared.operations.housekeeping import Housekeeping, HousekeepingParts
from shared.operations.redrive import Redrive
from shared.request.model import DeletionRequest
from shared.results.dead_letters import DeadLetterStore
from shared.results.emission import Emitter
from shared.results.telemetry import SILENT, Call, Telemetry
from shared.settings import Settings
from shared.storage.queues import Sender
from shared.storage.table import Table

LONGEST_CALL_SECONDS = 40.0
"""The service spends at most 30 s on a deletion; what takes longer has lost its answer."""


@dataclass(frozen=True)
class Outside:
    """Everything that the app reaches beyond itself: what a test may replace."""

    records: Table
    letters: Table
    sender: Sender
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
        store = RecordStore(outside.records)
        letters = DeadLetterStore(outside.letters)
        policy = RetryPolicy(
            settings.max_attempts, settings.retry_base_seconds, settings.retry_max_seconds, outside.random
        )
        parts = _parts(settings, outside, store, letters, policy)
        owed = OwedResults(parts.emitter, outside.sender, store, settings)
        self._serve_requests(parts, outside, store, owed)
        cleanups = CleanupStore(outside.records)
        self._serve_jobs(parts, outside, letters, cleanups, policy)
        cleanup_redrive = CleanupRedrive(settings, outside.clock, cleanups, outside.sender)
        redrive = Redrive(settings, outside.clock, letters, store, parts.dispatcher, cleanup_redrive, owed)
        self.dead_letters = DeadLetterApi(letters, redrive, (settings.request_queue, settings.job_completion_queue))
        upkeep = CleanupUpkeep(settings, outside.clock, cleanups, outside.sender)
        self.housekeeping = Housekeeping(
            HousekeepingParts(settings, outside.clock, outside.scans or outside.records, parts.dispatcher, owed, upkeep)
        )

    def _serve_requests(self, parts: Parts, outside: Outside, store: RecordStore, owed: OwedResults) -> None:
        self.worker = Worker(parts)
        self.poison = PoisonWorker(
            PoisonParts(
                self.settings,
                outside.clock,
                store,
                parts.dispatcher,
                parts.emitter,
                outside.sender,
                owed,
                parts.guard,
            )
        )
        cancellation = Cancellation(store, outside.clock, owed)
        synchronous = SynchronousDeletion(parts, store, owed)
        self.api = TaskDeletionApi(parts, store, synchronous, cancellation)

    def _serve_jobs(
        self, parts: Parts, outside: Outside, letters: DeadLetterStore, cleanups: CleanupStore, policy: RetryPolicy
    ) -> None:
        settings, clock, sender, acceptor = self.settings, outside.clock, outside.sender, parts.acceptor
        guard = parts.guard
        closer = CleanupCloser(letters, settings, clock)
        self.fan_out = FanOut(
            FanOutParts(settings, clock, cleanups, outside.batch, acceptor, sender, guard, policy, closer)
        )
        self.cleanup_poison = CleanupPoison(
            CleanupPoisonParts(settings, clock, cleanups, acceptor, closer, sender, guard)
        )
        self.cleanups = CleanupApi(settings, clock, cleanups, acceptor, sender, guard)


def _parts(
    settings: Settings, outside: Outside, store: RecordStore, letters: DeadLetterStore, policy: RetryPolicy
) -> Parts:
    """What the services about single requests share."""
    clock, timing, guard = outside.clock, Timing(settings.operation_budget_seconds), Guard(settings)
    dispatcher = Dispatcher(outside.sender, settings.request_queue, clock)
    call = outside.telemetry.observed(_call(outside.batch, clock))
    return Parts(
        settings=settings,
        clock=clock,
        timing=timing,
        new_id=outside.new_id,
        claimant=Claimant(store, clock, timing, guard),
        attempt=Attempt(store, call, outside.lanes, clock, timing, policy),
        guard=guard,
        acceptor=Acceptor(store, dispatcher, clock),
        dispatcher=dispatcher,
        emitter=Emitter(letters, settings, clock, outside.telemetry),
    )


def _call(batch: Batch, clock: Clock) -> Call:
    def call(request: DeletionRequest, box: TimeBox) -> Reply:
        box = box.ending_by(clock.monotonic() + LONGEST_CALL_SECONDS)
        return batch.get_task(request, box) if request.dry_run else batch.delete(request, box)

    return call

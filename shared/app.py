"""The one place where the services are put together, from settings and an outside that a test may replace."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from shared.acceptance import Acceptor, Dispatcher
from shared.attempt import Attempt
from shared.batch import BatchClient
from shared.cancellation import Cancellation
from shared.claiming import Claimant
from shared.cleanup import CleanupStore
from shared.cleanup_api import CleanupApi
from shared.cleanup_closing import CleanupCloser
from shared.cleanup_poison import CleanupPoison, CleanupPoisonParts
from shared.cleanup_redrive import CleanupRedrive
from shared.clock import Clock
from shared.dead_letter_api import DeadLetterApi
from shared.dead_letters import DeadLetterStore
from shared.deletion import Parts, Worker
from shared.delivery import Timing
from shared.emission import Emitter
from shared.fan_out import FanOut, FanOutParts
from shared.guard import Guard
from shared.housekeeping import Housekeeping, HousekeepingParts
from shared.http_api import TaskDeletionApi
from shared.outcomes import RetryPolicy
from shared.owed import OwedResults
from shared.poison import PoisonParts, PoisonWorker
from shared.queues import Sender
from shared.redrive import Redrive
from shared.replies import Reply
from shared.request import DeletionRequest
from shared.settings import Settings
from shared.store import RecordStore
from shared.synchronous import SynchronousDeletion
from shared.table import Table
from shared.telemetry import SILENT, Call, Telemetry

LONGEST_CALL_SECONDS = 40.0
"""The service spends at most 30 s on a deletion; what takes longer has lost its answer."""


@dataclass(frozen=True)
class Outside:
    """Everything that the app reaches beyond itself: what a test may replace."""

    records: Table
    letters: Table
    sender: Sender
    batch: BatchClient
    executor: Executor
    clock: Clock
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())
    random: Callable[[], float] = random.random
    telemetry: Telemetry = SILENT


class App:
    """The services that the functions call."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        self.settings = settings
        timing = Timing(settings.operation_budget_seconds)
        store = RecordStore(outside.records)
        letters = DeadLetterStore(outside.letters)
        guard = Guard(settings)
        policy = RetryPolicy(
            settings.max_attempts, settings.retry_base_seconds, settings.retry_max_seconds, outside.random
        )
        dispatcher = Dispatcher(outside.sender, settings.request_queue, outside.clock)
        emitter = Emitter(letters, settings, outside.clock, outside.telemetry)
        parts = Parts(
            settings=settings,
            clock=outside.clock,
            timing=timing,
            new_id=outside.new_id,
            claimant=Claimant(store, outside.clock, timing, guard),
            attempt=Attempt(
                store, outside.telemetry.observed(_call(outside.batch)), outside.executor, outside.clock, timing, policy
            ),
            acceptor=Acceptor(store, dispatcher, outside.clock),
            dispatcher=dispatcher,
            emitter=emitter,
        )
        owed = OwedResults(emitter, outside.sender, store, settings)
        self.worker = Worker(parts)
        self.poison = PoisonWorker(
            PoisonParts(settings, outside.clock, store, dispatcher, emitter, outside.sender, owed)
        )
        self.api = TaskDeletionApi(
            parts,
            store,
            SynchronousDeletion(parts, store, owed),
            Cancellation(store, outside.clock, owed),
            guard,
        )
        cleanups = CleanupStore(outside.records)
        closer = CleanupCloser(letters, settings, outside.clock)
        acceptor, sender = parts.acceptor, outside.sender
        self.fan_out = FanOut(
            FanOutParts(settings, outside.clock, cleanups, outside.batch, acceptor, sender, guard, policy, closer)
        )
        self.cleanup_poison = CleanupPoison(
            CleanupPoisonParts(settings, outside.clock, cleanups, acceptor, closer, sender)
        )
        self.cleanups = CleanupApi(settings, outside.clock, cleanups, acceptor, sender, guard)
        redrive = Redrive(
            settings,
            outside.clock,
            letters,
            store,
            dispatcher,
            CleanupRedrive(settings, outside.clock, cleanups, sender),
        )
        self.dead_letters = DeadLetterApi(letters, redrive)
        self.housekeeping = Housekeeping(HousekeepingParts(settings, outside.clock, outside.records, dispatcher, owed))


def _call(batch: BatchClient) -> Call:
    def call(request: DeletionRequest, seconds: float) -> Reply:
        seconds = min(seconds, LONGEST_CALL_SECONDS)
        if request.dry_run:
            return batch.get_task(request, seconds=seconds)
        return batch.delete(request, seconds=seconds)

    return call

"""The composition root: builds the services from the settings and from adapters that a test may replace."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.api.dead_letters import DeadLetterApi
from shared.api.job_completions import CleanupApi
from shared.api.task_deletions import TaskDeletionApi
from shared.batch.lanes import Lanes
from shared.batch.port import Batch
from shared.batch.reply import Reply
from shared.cleanup.cancelling import CleanupCancelling, CleanupParent
from shared.cleanup.closing import CleanupCloser
from shared.cleanup.fan_out import FanOut
from shared.cleanup.intake import EventIntake
from shared.cleanup.poison import CleanupPoison
from shared.cleanup.queue import CleanupQueue
from shared.cleanup.redrive import CleanupRedrive
from shared.cleanup.relisting import Relisting
from shared.cleanup.single_task import SingleTask
from shared.cleanup.step import Steps
from shared.cleanup.store import CleanupStore
from shared.cleanup.upkeep import CleanupUpkeep
from shared.clock import Clock, TimeBox
from shared.deletion.acceptance import Acceptor, Dispatcher
from shared.deletion.attempt import Attempt
from shared.deletion.cancellation import Cancellation
from shared.deletion.claiming import Claimer
from shared.deletion.delivery import Timing
from shared.deletion.outbox import Outbox
from shared.deletion.outcomes import RetryPolicy
from shared.deletion.parents import Parent, Parents
from shared.deletion.poison import PoisonWorker
from shared.deletion.side_by_side import ONE_BY_ONE, SideBySide
from shared.deletion.synchronous import SynchronousDeletion
from shared.deletion.vetoes import Vetoes
from shared.deletion.worker import Worker
from shared.ledger.pauses import Pauses
from shared.ledger.record import Origin
from shared.ledger.store import RecordStore
from shared.operations.housekeeping import Housekeeping
from shared.operations.letter_retention import LetterRetention
from shared.operations.redrive import Redrive
from shared.request.model import DeletionRequest
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_listing import LetterListing
from shared.results.publisher import Publisher
from shared.results.telemetry import SILENT, Call, Telemetry
from shared.retention.job_messages import JobMessages
from shared.settings import Settings
from shared.storage.queues import Queues
from shared.storage.table import Table
from shared.wiring.sweeps import sweep_services

LONGEST_CALL_SECONDS = 40.0
"""The service spends at most 30 s on a deletion; if a call takes longer, its answer is lost."""


@dataclass(frozen=True)
class Outside:
    """The adapters to everything outside the app; a test may replace them."""

    records: Table
    letters: Table
    sender: Queues
    batch: Batch
    lanes: Lanes
    clock: Clock
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())
    random: Callable[[], float] = random.random
    telemetry: Telemetry = SILENT
    side_by_side: SideBySide = ONE_BY_ONE
    """For the rows of one call with many requests."""
    scans: Table | None = None
    """`records` with more time, for the daily round, which scans whole partitions; None means use `records`."""


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
        acceptor = Acceptor(store, dispatcher, clock, outside.side_by_side)
        self.parents: dict[Origin, Parent] = {}
        vetoes, parents = Vetoes(settings), Parents(self.parents)
        policy = RetryPolicy(
            settings.max_attempts, settings.retry_base_seconds, settings.retry_max_seconds, outside.random
        )
        attempt = Attempt(
            store, outside.telemetry.observed(_call(outside.batch, clock)), outside.lanes, clock, timing, policy
        )
        claimer = Claimer(store, clock, timing, vetoes, parents)
        self.worker = Worker(settings, clock, outside.new_id, claimer, attempt, acceptor, dispatcher, publisher)
        self.poison = PoisonWorker(settings, clock, store, dispatcher, publisher, sender, outbox, vetoes, parents)
        synchronous = SynchronousDeletion(store, clock, timing, outside.new_id, attempt, acceptor, outbox)
        cancellation = Cancellation(store, clock, outbox)
        self.api = TaskDeletionApi(settings, clock, store, acceptor, vetoes, synchronous, cancellation)

        accounts = settings.batch_accounts
        cleanups = CleanupStore(outside.records, Pauses(clock, outside.random))
        queue = CleanupQueue(sender, settings.job_completion_queue)
        closer = CleanupCloser(letters, accounts[0], settings.result_encoding, clock)
        task = SingleTask(outside.batch, store, acceptor, publisher, vetoes, queue, policy, clock)
        steps = Steps(cleanups, outside.batch, acceptor, queue, policy, clock)
        longest = timedelta(days=settings.job_completion_max_wait_days)
        self.fan_out = FanOut(accounts, longest, steps, vetoes, closer, Relisting(steps, vetoes), task)
        self.cleanup_poison = CleanupPoison(
            accounts, cleanups, closer, task, vetoes, sender, settings.result_queue, clock
        )
        self.parents[Origin.JOB_COMPLETION] = CleanupParent(cleanups)
        cancelling = CleanupCancelling(cleanups, closer, sender, settings.result_queue, clock)
        intake = EventIntake(accounts, vetoes, cleanups, store, acceptor, queue, clock)
        self.cleanups = CleanupApi(accounts, intake, cleanups, cancelling, clock)

        cleanup_redrive = CleanupRedrive(accounts, clock, cleanups, queue)
        redrive = Redrive(settings, clock, letters, store, dispatcher, cleanup_redrive, outbox)
        queues = (settings.request_queue, settings.job_completion_queue)
        self.dead_letters = DeadLetterApi(letters, LetterListing(letters), redrive, queues, clock)
        self.letter_retention = LetterRetention(letters, clock, settings.dead_letter_retention_days)
        retention = timedelta(days=settings.retention_days)
        upkeep = CleanupUpkeep(settings.retry_max_seconds, retention, clock, cleanups, queue)
        self.housekeeping = Housekeeping(
            settings, clock, outside.scans or outside.records, sender, dispatcher, outbox, upkeep
        )
        self._serve_sweeps(outside, dispatcher, policy)

    def _serve_sweeps(self, outside: Outside, dispatcher: Dispatcher, policy: RetryPolicy) -> None:
        found = sweep_services(
            self.settings, outside.records, outside.batch, dispatcher, policy, outside.new_id, outside.telemetry
        )
        self.parents[Origin.RETENTION] = found.parent
        self.job_messages = JobMessages(self.fan_out, self.cleanup_poison, found.sweeper)
        self.sweeps, self.retention = found.timer, found.api


def _call(batch: Batch, clock: Clock) -> Call:
    def call(request: DeletionRequest, box: TimeBox) -> Reply:
        box = box.ending_by(clock.monotonic() + LONGEST_CALL_SECONDS)
        return batch.get_task(request, box) if request.dry_run else batch.delete(request, box)

    return call

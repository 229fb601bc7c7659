"""The composition root: builds the services from the settings and from adapters that a test may replace."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
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
from shared.results.queue import ResultQueue
from shared.results.telemetry import SILENT, Send, Telemetry
from shared.retention.job_messages import JobMessages
from shared.settings import Settings
from shared.storage.queues import Queues
from shared.storage.table import Table
from shared.wiring.sweeps import sweep_services

LONGEST_CALL_SECONDS = 40.0
"""The service spends at most 30 s on a deletion; if a call takes longer, its answer is lost."""


@dataclass(frozen=True)
class Adapters:
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


class _Base:
    """What the services are built on."""

    def __init__(self, settings: Settings, adapters: Adapters, known: Mapping[Origin, Parent]) -> None:
        self.settings, self.adapters, self.clock = settings, adapters, adapters.clock
        pauses = Pauses(adapters.clock, adapters.random)
        self.store, self.cleanups = RecordStore(adapters.records, pauses), CleanupStore(adapters.records, pauses)
        self.letters = DeadLetterStore(adapters.letters)
        self.results = ResultQueue(adapters.sender, settings.result_queue)
        self.publisher = Publisher(
            self.letters, settings.batch_accounts, settings.result_encoding, adapters.clock, adapters.telemetry
        )
        self.outbox = Outbox(self.publisher, self.results, self.store, settings.request_queue)
        self.dispatcher = Dispatcher(adapters.sender, settings.request_queue, adapters.clock)
        self.acceptor = Acceptor(self.store, self.dispatcher, adapters.clock, adapters.side_by_side)
        self.cleanup_queue = CleanupQueue(adapters.sender, settings.job_completion_queue)
        self.vetoes, self.parents = Vetoes(settings), Parents(known)
        self.policy = RetryPolicy(
            settings.max_attempts, settings.retry_base_seconds, settings.retry_max_seconds, adapters.random
        )


class App:
    """The services that the functions call."""

    def __init__(self, settings: Settings, adapters: Adapters) -> None:
        self.settings = settings
        self.parents: dict[Origin, Parent] = {}
        base = _Base(settings, adapters, self.parents)
        self._serve_requests(base)
        self._serve_clean_ups(base)
        self._serve_sweeps(base)
        self._serve_operators(base)

    def _serve_requests(self, base: _Base) -> None:
        settings, adapters, clock, new_id = self.settings, base.adapters, base.clock, base.adapters.new_id
        store, acceptor, outbox, vetoes = base.store, base.acceptor, base.outbox, base.vetoes
        dispatcher, publisher, parents = base.dispatcher, base.publisher, base.parents
        accounts, timing = settings.batch_accounts, Timing(settings.operation_budget_seconds)
        send = adapters.telemetry.observed(_send(adapters.batch, clock))
        attempt = Attempt(store, send, adapters.lanes, clock, timing, base.policy)
        claimer = Claimer(store, clock, timing, vetoes, parents)
        self.worker = Worker(accounts, clock, new_id, claimer, attempt, acceptor, dispatcher, publisher)
        self.poison = PoisonWorker(accounts, clock, store, dispatcher, publisher, base.results, outbox, vetoes, parents)
        synchronous = SynchronousDeletion(store, clock, timing, new_id, attempt, acceptor, outbox)
        cancellation = Cancellation(store, clock, outbox)
        self.api = TaskDeletionApi(settings, clock, store, acceptor, vetoes, synchronous, cancellation)

    def _serve_clean_ups(self, base: _Base) -> None:
        settings, batch, clock = self.settings, base.adapters.batch, base.clock
        accounts, queue, cleanups, vetoes = settings.batch_accounts, base.cleanup_queue, base.cleanups, base.vetoes
        closer = CleanupCloser(base.letters, accounts[0], settings.result_encoding, clock)
        task = SingleTask(batch, base.store, base.acceptor, base.publisher, vetoes, queue, base.policy, clock)
        steps = Steps(cleanups, batch, base.acceptor, queue, base.policy, clock)
        longest = timedelta(days=settings.job_completion_max_wait_days)
        self.fan_out = FanOut(accounts, longest, steps, vetoes, closer, Relisting(steps, vetoes), task)
        self.cleanup_poison = CleanupPoison(accounts, cleanups, closer, task, vetoes, base.results, clock)
        self.parents[Origin.JOB_COMPLETION] = CleanupParent(cleanups)
        intake = EventIntake(accounts, vetoes, cleanups, base.store, base.acceptor, queue, clock)
        cancelling = CleanupCancelling(cleanups, closer, base.results, clock)
        self.cleanups = CleanupApi(accounts, intake, cleanups, cancelling, clock)

    def _serve_sweeps(self, base: _Base) -> None:
        adapters, dispatcher, policy = base.adapters, base.dispatcher, base.policy
        found = sweep_services(
            self.settings, adapters.records, adapters.batch, dispatcher, policy, adapters.new_id, adapters.telemetry
        )
        self.parents[Origin.RETENTION] = found.parent
        self.job_messages = JobMessages(self.fan_out, self.cleanup_poison, found.sweeper)
        self.sweeps, self.retention = found.timer, found.api

    def _serve_operators(self, base: _Base) -> None:
        settings, adapters, clock, letters = self.settings, base.adapters, base.clock, base.letters
        accounts, events = settings.batch_accounts, settings.job_completion_queue
        of_events = CleanupRedrive(accounts, clock, base.cleanups, base.cleanup_queue)
        redrive = Redrive(accounts, events, clock, letters, base.store, base.dispatcher, of_events, base.outbox)
        queues = (settings.request_queue, events)
        self.dead_letters = DeadLetterApi(letters, LetterListing(letters), redrive, queues, clock)
        self.letter_retention = LetterRetention(letters, clock, settings.dead_letter_retention_days)
        retention = timedelta(days=settings.retention_days)
        upkeep = CleanupUpkeep(settings.retry_max_seconds, retention, clock, base.cleanups, base.cleanup_queue)
        scans = adapters.scans or adapters.records
        self.housekeeping = Housekeeping(settings, clock, scans, adapters.sender, base.dispatcher, base.outbox, upkeep)


def _send(batch: Batch, clock: Clock) -> Send:
    def send(request: DeletionRequest, box: TimeBox) -> Reply:
        box = box.ending_by(clock.monotonic() + LONGEST_CALL_SECONDS)
        return batch.get_task(request, box) if request.dry_run else batch.delete(request, box)

    return send

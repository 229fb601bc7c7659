"""The one place where the parts are put together: lazily, once per process, from the environment."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from shared.acceptance import Acceptor, Dispatcher
from shared.attempt import Attempt, Call
from shared.batch import BatchClient
from shared.batch_transport import batch_session
from shared.cancellation import Cancellation
from shared.claiming import Claimant
from shared.cleanup import CleanupStore
from shared.cleanup_api import CleanupApi
from shared.cleanup_closing import CleanupCloser
from shared.cleanup_poison import CleanupPoison, CleanupPoisonParts
from shared.clock import Clock, SystemClock
from shared.credentials import credential_factory
from shared.dead_letter_api import DeadLetterApi
from shared.dead_letters import DeadLetterStore
from shared.deletion import Parts, Worker
from shared.delivery import Timing
from shared.emission import Emitter
from shared.fan_out import FanOut, FanOutParts
from shared.guard import Guard
from shared.housekeeping import Housekeeping, HousekeepingParts
from shared.http_api import TaskDeletionApi
from shared.identity import TokenSource
from shared.outcomes import RetryPolicy
from shared.owed import OwedResults
from shared.poison import PoisonParts, PoisonWorker
from shared.queues import QueueSender, Sender
from shared.redrive import Redrive
from shared.replies import Reply
from shared.request import DeletionRequest
from shared.settings import Settings
from shared.storage import queue_service, table_service
from shared.store import RecordStore
from shared.synchronous import SynchronousDeletion
from shared.table import AzureTable, Table

LONGEST_CALL_SECONDS = 40.0
"""The service spends at most 30 s on a deletion; what takes longer has lost its answer."""


@dataclass(frozen=True)
class Outside:
    """Everything that the app reaches beyond itself: what a test may replace."""

    records: Table
    letters: Table
    sender: Sender
    batch: BatchClient
    clock: Clock = field(default_factory=SystemClock)
    executor: Executor = field(default_factory=lambda: ThreadPoolExecutor(32, "attempt"))
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())
    random: Callable[[], float] = random.random


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
        emitter = Emitter(letters, settings, outside.clock)
        parts = Parts(
            settings=settings,
            clock=outside.clock,
            timing=timing,
            new_id=outside.new_id,
            claimant=Claimant(store, outside.clock, timing, guard),
            attempt=Attempt(store, _call(outside.batch), outside.executor, outside.clock, timing, policy),
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
        redrive = Redrive(settings, outside.clock, letters, store, dispatcher)
        self.dead_letters = DeadLetterApi(letters, redrive)
        self.housekeeping = Housekeeping(HousekeepingParts(settings, outside.clock, outside.records, dispatcher, owed))


def _call(batch: BatchClient) -> Call:
    def call(request: DeletionRequest, seconds: float) -> Reply:
        seconds = min(seconds, LONGEST_CALL_SECONDS)
        if request.dry_run:
            return batch.get_task(request, seconds=seconds)
        return batch.delete(request, seconds=seconds)

    return call


def connect(settings: Settings) -> tuple[Outside, dict[str, Callable[[], object]]]:
    """The real outside of the settings, and a check of each for `health`. Contacts nothing yet."""
    tables, queues = table_service(settings), QueueSender(queue_service(settings))
    clock = SystemClock()
    tokens = TokenSource(credential_factory(settings), settings.batch_token_scope, clock)
    batch = BatchClient(
        batch_session(max(32, settings.max_concurrency)),
        tokens,
        accounts=settings.batch_accounts,
        api_version=settings.batch_api_version,
        clock=clock,
        max_concurrency=settings.max_concurrency,
    )
    records = AzureTable(tables, settings.request_table)
    outside = Outside(records, AzureTable(tables, settings.dead_letter_table), queues, batch, clock)

    def storage() -> None:
        records.probe()
        queues.probe(settings.request_queue)

    return outside, {"storage": storage, "identity": tokens.token, "settings": lambda: None}


class Wiring:
    """Builds the app at first use; a build that failed is tried again at the next."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._lock = Lock()
        self._built: tuple[App, dict[str, Callable[[], object]]] | None = None

    def app(self) -> App:
        """The app. Raises InvalidConfiguration."""
        return self._build()[0]

    def checks(self) -> dict[str, Callable[[], object]]:
        """What `health` looks at. Raises InvalidConfiguration."""
        return self._build()[1]

    def _build(self) -> tuple[App, dict[str, Callable[[], object]]]:
        with self._lock:
            if self._built is None:
                settings = Settings.from_env(self._env)
                outside, checks = connect(settings)
                self._built = App(settings, outside), checks
            return self._built


WIRING = Wiring(os.environ)

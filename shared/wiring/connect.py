"""Connects the app to the real services: lazily, once per process, from the environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from shared.api.answer import Answer
from shared.api.health import KEPT_SECONDS, health
from shared.api.kept import Kept
from shared.api.summary import Summary
from shared.batch.client import BatchClient
from shared.batch.lanes import Lanes
from shared.batch.tokens import TokenSource, normalised_scope
from shared.batch.transport import batch_session
from shared.clock import SystemClock
from shared.deletion.side_by_side import SideBySide
from shared.operations.depth import queue_depths, report_depths, watched_queues
from shared.operations.running import running_clean_ups
from shared.operations.timers import Timers
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_listing import LetterListing
from shared.results.telemetry import Telemetry
from shared.settings import Settings
from shared.storage.queues import QueueSender
from shared.storage.table import AzureTable
from shared.wiring.credentials import credential_factory
from shared.wiring.services import App, Outside
from shared.wiring.storage_clients import queue_service, storage_credential, table_service
from shared.wiring.telemetry import telemetry_of

AT_ONCE = 8
"""Parallel transactions and messages, over all calls that accept many requests. More would only wait for partitions."""

SCAN_SECONDS = 54
"""Time for one query of the daily round. The service may take 30 s and then return an empty page with a continuation
(https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination). Together with the round's time limit
this stays below the host's five minutes.
"""


@dataclass(frozen=True)
class Connected:
    """The connected app, and what observes the services directly."""

    app: App
    health: Kept[Answer]
    summary: Kept[Answer]
    timers: Timers
    report_depths: Callable[[], None]


def connect(settings: Settings, telemetry: Telemetry) -> Connected:
    """Builds the app without contacting anything yet."""
    # It logs every request's headers at INFO: several lines per table operation, none of them about deletions.
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)
    clock = SystemClock()
    identity = storage_credential(settings, clock)
    tables, queues = table_service(settings, identity), QueueSender(queue_service(settings, identity))
    tokens = TokenSource(credential_factory(settings), normalised_scope(settings.batch_token_scope), clock)
    batch = BatchClient(
        batch_session(settings.max_concurrency),
        tokens,
        accounts=settings.batch_accounts,
        api_version=settings.batch_api_version,
        clock=clock,
        max_concurrency=settings.max_concurrency,
        longest_hold=settings.retry_max_seconds,
        on_change=telemetry.rate_limit,
    )
    records = AzureTable(tables, settings.request_table)
    scans = AzureTable(table_service(settings, identity, SCAN_SECONDS), settings.request_table)
    letters = AzureTable(tables, settings.dead_letter_table)
    timers = Timers(records, clock)
    lanes = Lanes(settings.batch_accounts, settings.max_concurrency)

    def storage() -> None:
        records.probe()
        queues.probe(settings.request_queue)

    together = SideBySide(ThreadPoolExecutor(AT_ONCE, "accept"))
    outside = Outside(
        records, letters, queues, batch, lanes, clock, telemetry=telemetry, side_by_side=together, scans=scans
    )
    checks: dict[str, Callable[[], object]] = {
        "storage": storage,
        "identity": tokens.token,
        "settings": lambda: None,
        "timers": timers.check,
    }
    app = App(settings, outside)
    summary = Summary(
        clock,
        lambda: queue_depths(queues, (*watched_queues(settings), settings.result_queue), clock),
        LetterListing(DeadLetterStore(letters)),
        lambda: running_clean_ups(records),
        app.retention.last_sweeps,
    )
    return Connected(
        app,
        Kept(lambda: health(checks), KEPT_SECONDS, clock),
        Kept(summary.look, KEPT_SECONDS, clock),
        timers,
        lambda: report_depths(queues, watched_queues(settings), clock, telemetry),
    )


class Wiring:
    """Builds the app at first use; if that fails, the next use tries again."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._lock = Lock()
        self._built: Connected | None = None

    def connected(self) -> Connected:
        """The connected app. Raises InvalidConfiguration."""
        with self._lock:
            if self._built is None:
                self._built = connect(Settings.from_env(self._env), telemetry_of(self._env))
            return self._built

    def app(self) -> App:
        """The app. Raises InvalidConfiguration."""
        return self.connected().app


WIRING = Wiring(os.environ)

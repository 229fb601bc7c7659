"""Connects the app to the real services."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from shared.api.answer import Answer
from shared.api.health import KEPT_SECONDS, health
from shared.api.kept import Kept
from shared.api.summary import Summary
from shared.batch.client import BatchClient
from shared.batch.lanes import Lanes
from shared.batch.tokens import TokenSource, normalised_scope
from shared.batch.transport import batch_session
from shared.clock import Clock, SystemClock
from shared.deletion.side_by_side import SideBySide
from shared.operations.depth import queue_depths, report_depths, watched_queues
from shared.operations.running import running_clean_ups
from shared.operations.timers import Timers
from shared.results.dead_letters import DeadLetterStore
from shared.results.letter_listing import LetterListing
from shared.results.telemetry import Telemetry
from shared.settings import Settings
from shared.storage.queues import QueueSender
from shared.storage.table import AzureTable, Table
from shared.wiring.credentials import credential_factory
from shared.wiring.services import Adapters, App
from shared.wiring.storage_clients import queue_service, storage_credential, table_service

AT_ONCE = 8
"""Parallel transactions and messages, over all calls that accept many requests. More would only wait for partitions."""

SCAN_SECONDS = 54
"""Time for one query of the daily round. The service may take 30 s and then return an empty page with a continuation
(https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination). Together with the round's time limit
this stays below the host's five minutes.
"""


@dataclass(frozen=True)
class Runtime:
    """The connected app, and what observes the services directly."""

    app: App
    health: Kept[Answer]
    summary: Kept[Answer]
    timers: Timers
    report_depths: Callable[[], None]


def connect(settings: Settings, telemetry: Telemetry) -> Runtime:
    """Builds the app without contacting anything yet."""
    # It logs every request's headers at INFO: several lines per table operation, none of them about deletions.
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)
    clock = SystemClock()
    identity = storage_credential(settings, clock)
    queues = QueueSender(queue_service(settings, identity))
    tokens = TokenSource(credential_factory(settings), normalised_scope(settings.batch_token_scope), clock)
    tables = table_service(settings, identity)
    adapters = Adapters(
        AzureTable(tables, settings.request_table),
        AzureTable(tables, settings.dead_letter_table),
        queues,
        _batch(settings, tokens, clock, telemetry),
        Lanes(settings.batch_accounts, settings.max_concurrency),
        clock,
        telemetry=telemetry,
        side_by_side=SideBySide(ThreadPoolExecutor(AT_ONCE, "accept")),
        scans=AzureTable(table_service(settings, identity, SCAN_SECONDS), settings.request_table),
    )
    app, timers = App(settings, adapters), Timers(adapters.records, clock)
    return Runtime(
        app,
        Kept(_health(settings, adapters.records, queues, tokens, timers), KEPT_SECONDS, clock),
        Kept(_summary(settings, adapters, app).look, KEPT_SECONDS, clock),
        timers,
        lambda: report_depths(queues, watched_queues(settings), clock, telemetry),
    )


def _batch(settings: Settings, tokens: TokenSource, clock: Clock, telemetry: Telemetry) -> BatchClient:
    return BatchClient(
        batch_session(settings.max_concurrency),
        tokens,
        accounts=settings.batch_accounts,
        api_version=settings.batch_api_version,
        clock=clock,
        max_concurrency=settings.max_concurrency,
        longest_hold=settings.retry_max_seconds,
        on_change=telemetry.rate_limit,
    )


def _health(
    settings: Settings, records: Table, queues: QueueSender, tokens: TokenSource, timers: Timers
) -> Callable[[], Answer]:
    def storage() -> None:
        records.probe()
        queues.probe(settings.request_queue)

    checks: dict[str, Callable[[], object]] = {
        "storage": storage,
        "identity": tokens.token,
        "settings": lambda: None,
        "timers": timers.check,
    }
    return lambda: health(checks)


def _summary(settings: Settings, adapters: Adapters, app: App) -> Summary:
    queues = (*watched_queues(settings), settings.result_queue)
    return Summary(
        adapters.clock,
        lambda: queue_depths(adapters.sender, queues, adapters.clock),
        LetterListing(DeadLetterStore(adapters.letters)),
        lambda: running_clean_ups(adapters.records),
        app.retention.last_sweeps,
    )

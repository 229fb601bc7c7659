"""Publishes results: the dead letter first, then the text that the output binding sends."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.clock import Clock
from shared.ledger.record import DEAD_LETTERED
from shared.results.dead_letter import DeadLetter
from shared.results.dead_letters import DeadLetterStore
from shared.results.event import cloud_event, event_text
from shared.results.result import Result, result_id
from shared.results.telemetry import SILENT, Telemetry
from shared.storage.queues import encoded

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publisher:
    """Keeps dead letters, writes log lines and metrics, and makes the messages for the result queue."""

    letters: DeadLetterStore
    accounts: tuple[str, ...]
    encoding: str
    clock: Clock
    telemetry: Telemetry = SILENT

    def publish(self, results: Iterable[Result], queue: str) -> list[str]:
        """The encoded messages for the result queue, for requests that arrived on `queue`.

        Raises StorageUnavailable when a dead letter could not be kept.
        """
        return [self._publish(result, queue) for result in results]

    def _publish(self, result: Result, queue: str) -> str:
        if result.source not in self.accounts and not result.was_carried_out:
            # Possibly a forged message in the app's own form named this account; it must not speak for it.
            result = replace(result, source=self.accounts[0])
        if result.outcome in DEAD_LETTERED:
            self.letters.keep(self._dead_letter(result, queue))
        if not result.replayed:
            self.telemetry.ended(result)
        log.info(
            "delivery outcome=%s certainty=%s request_id=%s parent_id=%s job=%s task=%s dry_run=%s attempts=%s "
            "status=%s code=%s replayed=%s result_id=%s latency_seconds=%s",
            result.outcome.value,
            result.end.certainty.value,
            result.about.client_request_id,
            result.parent_id,
            result.about.job_id,
            result.about.task_id,
            result.about.dry_run,
            result.attempts,
            result.end.status,
            result.end.error.code if result.end.error else None,
            result.replayed,
            result.id,
            result.latency_seconds,
        )
        return encoded(event_text(cloud_event(result)), self.encoding)

    def _dead_letter(self, result: Result, queue: str) -> DeadLetter:
        code = result.end.error.code if result.end.error else None
        # A task that cannot be deleted has one dead letter, however many sweeps request it.
        shared = task_letter_id(result) if result.policy else None
        return DeadLetter(
            id=shared or result.id,
            result_id=result.id if shared else None,
            ended_at=result.end.completed_at if shared else None,
            policy=result.policy,
            reason=code or result.outcome.value,
            outcome=result.outcome.value,
            queue=queue,
            first_seen_at=result.end.completed_at,
            last_seen_at=self.clock.now(),
            client_request_id=result.about.client_request_id,
            job_id=result.about.job_id,
            task_id=result.about.task_id,
            batch_url=result.about.batch_url,
            dry_run=result.about.dry_run,
            attempts=result.attempts,
            generation=result.generation,
            error=result.end.error,
            batch_request_id=result.end.batch_request_id,
            status=result.end.status,
            body=result.body,
        )


def task_letter_id(result: Result) -> str:
    """The id of the dead letter that all sweeps' requests for one task share."""
    job, task = (result.about.job_id or "").lower(), (result.about.task_id or "").lower()
    return result_id("task", result.about.batch_url or result.source, job, task)

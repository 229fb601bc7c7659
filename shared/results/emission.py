"""From endings to result messages: the dead letter first, then the text that the output binding sends."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.batch.reply import BatchError
from shared.clock import Clock
from shared.errors import Problem
from shared.ledger.record import DEAD_LETTERED, Certainty, Origin, Outcome, Record
from shared.request.model import DeletionRequest, PartialRequest
from shared.results.dead_letters import DeadLetter, DeadLetterStore
from shared.results.event import Ending, cloud_event, ending_of, event_text, result_id
from shared.results.telemetry import SILENT, Telemetry
from shared.settings import Settings
from shared.storage.queues import encoded

log = logging.getLogger(__name__)

ID_CONFLICT = BatchError(
    "ClientRequestIdConflict",
    "This client-request-id was used before with another payload.",
    (("/clientRequestId", "must be new, or come with the payload that it came with first"),),
)


@dataclass(frozen=True)
class Emission:
    """An ending that is owed to the result queue, with what its dead letter needs."""

    ending: Ending
    body: bytes
    """The message as received, or the request as JSON where one message held many."""
    replayed: bool = False
    generation: int = 0


class Emitter:
    """Writes what an ending leaves behind and gives back the texts of its result messages."""

    def __init__(
        self, letters: DeadLetterStore, settings: Settings, clock: Clock, telemetry: Telemetry = SILENT
    ) -> None:
        self._letters = letters
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry

    def texts(self, emissions: Iterable[Emission], queue: str) -> list[str]:
        """The encoded result messages. Raises StorageUnavailable when a dead letter could not be kept."""
        return [self._text(emission, queue) for emission in emissions]

    def _text(self, emission: Emission, queue: str) -> str:
        ending = emission.ending
        if ending.outcome in DEAD_LETTERED:
            self._letters.keep(_dead_letter(emission, queue, self._clock.now()))
        if not emission.replayed:
            self._telemetry.ended(ending)
        log.info(
            "delivery outcome=%s certainty=%s request_id=%s parent_id=%s job=%s task=%s dry_run=%s attempts=%s "
            "status=%s code=%s replayed=%s result_id=%s latency_seconds=%s",
            ending.outcome.value,
            ending.certainty.value,
            ending.client_request_id,
            ending.parent_id,
            ending.job_id,
            ending.task_id,
            ending.dry_run,
            ending.attempts,
            ending.status,
            ending.error.code if ending.error else None,
            emission.replayed,
            ending.id,
            ending.latency_seconds,
        )
        return encoded(event_text(cloud_event(ending, replayed=emission.replayed)), self._settings.result_encoding)


def recorded(record: Record, body: bytes, *, replayed: bool = False) -> Emission:
    """The emission of a row that is done."""
    return Emission(ending_of(record), body, replayed, record.generation)


def conflict(
    request: DeletionRequest,
    payload_hash: str,
    origin: Origin,
    body: bytes,
    now: datetime,
    parent_id: str | None = None,
) -> Emission:
    """The emission for a request whose id was used with another payload; the row is left alone."""
    ending = Ending(
        id=result_id(Outcome.CONFLICT.value, request.client_request_id, request.dry_run, payload_hash),
        outcome=Outcome.CONFLICT,
        certainty=Certainty.CONFIRMED,
        source=request.batch_url,
        completed_at=now,
        origin=origin,
        client_request_id=request.client_request_id,
        job_id=request.job_id,
        task_id=request.task_id,
        batch_url=request.batch_url,
        parent_id=parent_id,
        error=ID_CONFLICT,
        metadata=request.metadata,
        traceparent=request.traceparent,
        dry_run=request.dry_run,
    )
    return Emission(ending, body)


def rejected(
    body: bytes,
    problems: Iterable[Problem],
    partial: PartialRequest,
    default_account: str,
    now: datetime,
    index: int = 0,
    parent_id: str | None = None,
) -> Emission:
    """The emission for what is no valid request. Its id comes from the text, which a poison copy shares."""
    ending = Ending(
        id=result_id(Outcome.REJECTED.value, hashlib.sha256(body).hexdigest(), index),
        outcome=Outcome.REJECTED,
        certainty=Certainty.CONFIRMED,
        source=partial.batch_url or default_account,
        completed_at=now,
        origin=Origin.QUEUE,
        client_request_id=partial.client_request_id,
        job_id=partial.job_id,
        task_id=partial.task_id,
        batch_url=partial.batch_url,
        parent_id=parent_id,
        error=invalid_request(problems),
        metadata=partial.metadata or {},
        traceparent=partial.traceparent,
    )
    return Emission(ending, body)


def invalid_request(problems: Iterable[Problem], code: str = "InvalidRequest") -> BatchError:
    """Problems in the shape of a BatchError, each with its pointer."""
    values = tuple((problem.pointer, problem.text) for problem in problems)
    return BatchError(code, "The request is not valid.", values)


def _dead_letter(emission: Emission, queue: str, now: datetime) -> DeadLetter:
    ending = emission.ending
    code = ending.error.code if ending.error else None
    return DeadLetter(
        id=ending.id,
        reason=code or ending.outcome.value,
        outcome=ending.outcome.value,
        queue=queue,
        first_seen_at=ending.completed_at,
        last_seen_at=now,
        client_request_id=ending.client_request_id,
        job_id=ending.job_id,
        task_id=ending.task_id,
        dry_run=ending.dry_run,
        attempts=ending.attempts,
        generation=emission.generation,
        error=ending.error,
        batch_request_id=ending.batch_request_id,
        status=ending.status,
        body=emission.body,
    )

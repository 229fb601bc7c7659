"""Closes a sweep: publishes its closing event and frees its account for the next one. Safe to repeat."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol

from shared.errors import StorageUnavailable
from shared.results.telemetry import SILENT, Telemetry
from shared.retention.agenda import AgendaStore, closed
from shared.retention.message import SweepStep
from shared.retention.sweep import Phase, Sweep

log = logging.getLogger(__name__)

MAX_WRITES: Final = 10


class Outlet(Protocol):
    """How a sweep sends messages. Every method may raise StorageUnavailable."""

    def ask(self, sweep: Sweep) -> None:
        """Sends the requests in `sweep.asked`; a repeat sends the same ones."""

    def send_step(self, step: SweepStep, delay_seconds: float = 0.0) -> None: ...

    def send_result(self, text: str) -> None: ...


class SweepCloser:
    """Closes sweeps that have ended. Raises StorageUnavailable."""

    def __init__(
        self,
        agendas: AgendaStore,
        outlet: Outlet,
        event_text: Callable[[Sweep], str],
        telemetry: Telemetry = SILENT,
    ) -> None:
        self._agendas = agendas
        self._telemetry = telemetry
        self._outlet = outlet
        self._event_text = event_text

    def close(self, sweep: Sweep) -> None:
        """Publishes the end, then records it: once the agenda has it, nothing looks at the sweep again."""
        # The requests of the last step may not have been sent.
        self._outlet.ask(sweep)
        self._outlet.send_result(self._text(sweep))
        self._note(sweep)

    def _text(self, sweep: Sweep) -> str:
        self._telemetry.sweep_ended(sweep.account, sweep.phase.value)
        code = sweep.error.code if sweep.error else None
        log.info(
            "sweep_ended state=%s sweep_id=%s account=%s requested=%s code=%s",
            sweep.phase.value,
            sweep.sweep_id,
            sweep.account,
            sweep.requested,
            code,
        )
        if sweep.phase is Phase.FAILED:
            # For the alert `infra/queries/failed-sweeps.kql`.
            log.error("sweep_failed sweep_id=%s account=%s code=%s", sweep.sweep_id, sweep.account, code)
        return self._event_text(sweep)

    def _note(self, sweep: Sweep) -> None:
        for _ in range(MAX_WRITES):
            agenda = self._agendas.read(sweep.account)
            if agenda is None:
                return
            after = closed(agenda, sweep)
            if after is agenda or self._agendas.write(agenda, after):
                return
        raise StorageUnavailable(f"the agenda of {sweep.account} changed under {MAX_WRITES} reads")

"""The HTTP calls about retention: show the policies; start, show and cancel sweeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import field_validator

from shared.api.answer import Answer, Call, guid_of, refusal
from shared.api.body import parse_json
from shared.api.query import read_query
from shared.clock import Clock, to_text
from shared.errors import InvalidInput
from shared.ledger.tally import Totals
from shared.parsing import account_url
from shared.parsing.retention_policy import digest_of, document_of, policies_of
from shared.parsing.strict_model import StrictModel, checked
from shared.retention.agenda import Agenda, AgendaStore
from shared.retention.record import SweepStore
from shared.retention.report import status_of
from shared.retention.stopping import Stop, SweepStopper
from shared.retention.sweep import Sweep
from shared.retention.timer import SweepTimer
from shared.settings import Settings

MAX_BODY_BYTES = 64 * 1024
EMPTY = "is empty; send {} for all policies. A body sent without Content-Length (chunked) arrives empty"


class SweepRequest(StrictModel):
    """What to sweep; an absent field means everything."""

    batch_url: str | None = None
    policy: str | None = None
    dry_run: bool = False

    @field_validator("policy", "batch_url")
    @classmethod
    def _says_something(cls, value: str) -> str:
        # An empty value is probably a mistake of the caller, and must not mean everything.
        if not value:
            raise ValueError("must not be empty; leave the field out instead")
        return value


class RetentionApi:
    """`/api/retention-policies` and `/api/retention-sweeps`. Methods may raise InvalidInput and StorageUnavailable."""

    def __init__(
        self,
        settings: Settings,
        timer: SweepTimer,
        stopper: SweepStopper,
        sweeps: SweepStore,
        agendas: AgendaStore,
        totals_of: Callable[[Sweep], Totals],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._timer = timer
        self._stopper = stopper
        self._sweeps = sweeps
        self._agendas = agendas
        self._totals_of = totals_of
        self._clock = clock

    def policies(self, call: Call) -> Answer:
        """`GET /api/retention-policies`."""
        read_query(call)
        return Answer(
            200,
            {
                "policies": [document_of(policy) for policy in self._settings.retention_policies],
                "accounts": [self._account(account) for account in self._swept()],
            },
        )

    def begin(self, call: Call) -> Answer:
        """`POST /api/retention-sweeps`."""
        read_query(call)
        if not call.body.strip():
            raise InvalidInput.at("", EMPTY)
        wanted = checked(SweepRequest, parse_json(call, MAX_BODY_BYTES))
        found = self._account_of(wanted)
        if isinstance(found, Answer):
            return found
        sweep = self._timer.begin(found, only=wanted.policy or "", dry_run=wanted.dry_run)
        if sweep is None:
            return self._running(found)
        headers = {"location": f"/api/retention-sweeps/{sweep.sweep_id}"}
        return Answer(202, status_of(sweep, Totals(0, {}), self._clock.now()), headers)

    def status(self, call: Call) -> Answer:
        """`GET /api/retention-sweeps/{id}`."""
        read_query(call)
        sweep = self._sweeps.read(guid_of(call, "id"))
        return self._answer(200, sweep) if sweep else _unknown()

    def stop(self, call: Call) -> Answer:
        """`DELETE /api/retention-sweeps/{id}`."""
        read_query(call)
        stop, sweep = self._stopper.stop(guid_of(call, "id"))
        if sweep is None:
            return _unknown()
        if stop is Stop.TOO_LATE:
            return refusal(409, "SweepEnded", "The sweep has ended, and none of its requests are open.")
        return self._answer(200 if stop is Stop.AGAIN else 202, sweep)

    def last_sweeps(self) -> list[dict[str, Any]]:
        """The last sweep of each account with policies, for the summary."""
        found = [(account, _last(self._agendas.read(account))) for account in self._swept()]
        return [{"batchUrl": account, **last} for account, last in found if last]

    def _swept(self) -> list[str]:
        """The accounts that have policies."""
        policies = self._settings.retention_policies
        return [account for account in self._settings.batch_accounts if policies_of(policies, account)]

    def _running(self, account: str) -> Answer:
        """409 with the id of the sweep, which somebody may look for whose own answer was lost."""
        agenda = self._agendas.read(account)
        values = [("sweepId", agenda.running)] if agenda and agenda.running else []
        return refusal(409, "SweepRunning", "A sweep of this account is already running.", values)

    def _answer(self, status: int, sweep: Sweep) -> Answer:
        return Answer(status, status_of(sweep, self._totals_of(sweep), self._clock.now()))

    def _account_of(self, wanted: SweepRequest) -> str | Answer:
        """The account to sweep, or a 404. Raises InvalidInput for an account that is not on the list."""
        accounts, policies = self._settings.batch_accounts, self._settings.retention_policies
        named = next((policy for policy in policies if policy.name == wanted.policy), None)
        account = (named.batch_url if named else None) or accounts[0]
        if wanted.batch_url is not None:
            try:
                account = account_url.select(wanted.batch_url, accounts)
            except ValueError as error:
                raise InvalidInput.at("/batchUrl", str(error)) from None
        own = policies_of(policies, account)
        if wanted.policy is not None and named not in own:
            values = [("/policy", "must be the name of a policy of this account")]
            return refusal(404, "PolicyNotFound", "There is no such policy.", values)
        return account if own else refusal(404, "PolicyNotFound", "No policy applies to this account.")

    def _account(self, account: str) -> dict[str, Any]:
        agenda = self._agendas.read(account)
        digest = digest_of(policies_of(self._settings.retention_policies, account))
        interval = timedelta(hours=self._settings.retention_interval_hours)
        is_seen = agenda is not None and agenda.policies_digest == digest
        return {
            "batchUrl": account,
            "lastSweep": _last(agenda),
            "nextSweepAt": to_text(agenda.next_sweep_at(interval)) if agenda and is_seen else None,
        }


def _last(agenda: Agenda | None) -> dict[str, Any] | None:
    if agenda is None or agenda.last is None:
        return None
    last = agenda.last
    return {
        "sweepId": last.sweep_id,
        "state": last.state.value,
        "startedAt": to_text(last.started_at),
        "endedAt": to_text(last.ended_at) if last.ended_at else None,
    }


def _unknown() -> Answer:
    return refusal(404, "SweepNotFound", "There is no sweep with this id, or it has been purged.")

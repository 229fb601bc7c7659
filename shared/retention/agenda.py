"""When an account is swept: one row per account, and the timer's decision about it.

The row also keeps an account's sweeps from overlapping: a sweep runs only once its id is in the row.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from shared.clock import from_text, moment_in, moment_text, to_text
from shared.errors import CorruptRecord
from shared.parsing.retention_policy import digest_of
from shared.retention.sweep import STUCK_AFTER, Phase, Sweep, mark_of_id
from shared.storage.query import Query
from shared.storage.table import RowWrite, StoredRow, Table

log = logging.getLogger(__name__)

PARTITION: Final = "sweeps"
"""Apart from the sixteen partitions of the requests, so that no purge touches it."""
WAITS_FOR_REQUESTS: Final = timedelta(days=1)
"""For this long after its start, a sweep with open requests delays the next one."""
MOST_AGENDAS: Final = 1_000
NO_POLICIES: Final = digest_of(())


@dataclass(frozen=True)
class LastSweep:
    """The last sweep from which the timer counts."""

    sweep_id: str
    started_at: datetime
    state: Phase = Phase.RUNNING
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Agenda:
    """One account's row."""

    account: str
    policies_digest: str
    """The digest of the account's policies as last seen."""
    first_seen_at: datetime
    """When these policies were first seen."""
    running: str = ""
    """Id of the running sweep, of any kind; empty for none."""
    last: LastSweep | None = None
    last_ended_at: datetime | None = None
    """When a sweep from which the timer counts last ended; a later one may be running."""
    begin_after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By a policy's digest, where its last sweep reached `most`: see `Count.begin_after`."""
    etag: str | None = field(default=None, compare=False)

    def next_sweep_at(self, interval: timedelta) -> datetime:
        """Before this the timer starts no sweep: one interval after the last start, or after the policies changed."""
        moments = [self.first_seen_at, *([self.last.started_at] if self.last else [])]
        return max(moments) + interval

    def is_overdue(self, interval: timedelta, now: datetime) -> bool:
        """Whether no sweep has ended for three intervals and a day, though it should have."""
        since = max(self.first_seen_at, self.last_ended_at or self.first_seen_at)
        return self.policies_digest != NO_POLICIES and now - since > 3 * interval + timedelta(days=1)


class Act(StrEnum):
    """What the timer does with an account."""

    REST = "rest"
    SEE = "see"
    """Its policies are new or have changed: the interval starts now."""
    START = "start"
    REQUEUE = "requeue"
    """The message of the sweep's next step was lost."""
    CLOSE = "close"
    """The sweep has ended or never began, but the row does not show it yet."""


def act_of(
    agenda: Agenda | None,
    running: Sweep | None,
    policies_digest: str,
    interval: timedelta,
    now: datetime,
    open_requests: Callable[[], int],
) -> Act:
    """The timer's decision. `running` is the sweep that the row names; `open_requests` counts those of the last sweep."""
    if agenda is None or agenda.policies_digest != policies_digest:
        return Act.REST if agenda is None and policies_digest == NO_POLICIES else Act.SEE
    if agenda.running:
        return act_on(running, now)
    if policies_digest == NO_POLICIES or now < agenda.next_sweep_at(interval):
        return Act.REST
    if agenda.last and now < agenda.last.started_at + WAITS_FOR_REQUESTS and open_requests() > 0:
        return Act.REST
    return Act.START


def act_on(running: Sweep | None, now: datetime) -> Act:
    """What the timer does about the sweep that an account's row names; None means that the sweep cannot be read."""
    if running is None or running.has_ended:
        return Act.CLOSE
    return Act.REQUEUE if running.due_at + STUCK_AFTER <= now else Act.REST


def seen(agenda: Agenda | None, account: str, policies_digest: str, now: datetime) -> Agenda:
    """The row with the account's current policies."""
    if agenda is None:
        return Agenda(account, policies_digest, now)
    if agenda.policies_digest == policies_digest:
        return agenda
    return replace(agenda, policies_digest=policies_digest, first_seen_at=now)


def begun(agenda: Agenda, sweep: Sweep) -> Agenda:
    """The row with a sweep that is starting."""
    after = replace(agenda, running=sweep.sweep_id)
    return replace(after, last=LastSweep(sweep.sweep_id, sweep.started_at)) if sweep.moves_timer else after


def closed(agenda: Agenda, sweep: Sweep) -> Agenda:
    """The row after a sweep that has ended; the same row if it already shows that."""
    if agenda.running != sweep.sweep_id:
        return agenda
    after = replace(agenda, running="", begin_after=_begin_after(agenda, sweep))
    if after.last and after.last.sweep_id == sweep.sweep_id:
        last = replace(after.last, state=sweep.phase, ended_at=sweep.ended_at)
        after = replace(after, last=last, last_ended_at=sweep.ended_at)
    return after


def abandoned(agenda: Agenda, now: datetime) -> Agenda:
    """The row without its sweep, whose own row does not exist or cannot be read: it counts as failed."""
    after = replace(agenda, running="")
    if after.last and after.last.sweep_id == agenda.running:
        after = replace(after, last=replace(after.last, state=Phase.FAILED, ended_at=now))
    return after


def _begin_after(agenda: Agenda, sweep: Sweep) -> dict[str, tuple[str, ...]]:
    """Where the next sweep of each policy begins. Neither a dry run nor a dry-run policy changes this."""
    after = dict(agenda.begin_after)
    for count in sweep.counts:
        if count.dry_run:
            continue
        if count.reached_at:
            after[count.digest] = count.reached_at
        elif sweep.phase is Phase.DONE:
            after.pop(count.digest, None)
    if sweep.moves_timer:
        known = {count.digest for count in sweep.counts}
        after = {digest: job for digest, job in after.items() if digest in known}
    return after


class AgendaStore:
    """Agendas in the request table. Every method may raise StorageUnavailable."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, account: str) -> Agenda | None:
        """The account's row, or None. Raises CorruptRecord for a row that no version of this app writes."""
        found = self._table.read(PARTITION, _row(account))
        return _of(found) if found else None

    def running(self) -> list[Agenda]:
        """The rows that name a sweep, also of accounts that have left the list; those that cannot be read are left out.

        A page suffices: there is one row for each account that the app ever swept.
        """
        agendas = []
        for found in self._table.query(Query(PARTITION).where("running", "gt", ""), None, MOST_AGENDAS).rows:
            try:
                agendas.append(_of(found))
            except CorruptRecord:
                log.exception("corrupt_record row=%s", found.entity.get("RowKey"))
        return agendas

    def write(self, before: Agenda | None, after: Agenda) -> Agenda | None:
        """Inserts (`before` is None) or replaces; None if the row has changed since it was read."""
        etag = self._table.write(RowWrite(_entity(after), before.etag if before else None))
        return replace(after, etag=etag) if etag else None


def _row(account: str) -> str:
    return f"agenda:{hashlib.sha256(account.encode()).hexdigest()[:32]}"


def _entity(agenda: Agenda) -> dict[str, Any]:
    last = agenda.last
    return {
        "PartitionKey": PARTITION,
        "RowKey": _row(agenda.account),
        "account": agenda.account,
        "policies_digest": agenda.policies_digest,
        "first_seen_at": to_text(agenda.first_seen_at),
        "running": agenda.running,
        "last_sweep_id": last.sweep_id if last else "",
        "last_started_at": to_text(last.started_at) if last else "",
        "last_state": last.state.value if last else "",
        "last_sweep_ended_at": moment_text(last.ended_at) if last else "",
        "last_ended_at": moment_text(agenda.last_ended_at),
        "begin_after": json.dumps(dict(agenda.begin_after), sort_keys=True),
    }


def _of(found: StoredRow) -> Agenda:
    entity = found.entity
    try:
        return Agenda(
            account=entity["account"],
            policies_digest=entity["policies_digest"],
            first_seen_at=from_text(entity["first_seen_at"]),
            running=entity["running"],
            last=_last(entity) if entity["last_sweep_id"] else None,
            last_ended_at=moment_in(entity["last_ended_at"]),
            begin_after={digest: _marks(value) for digest, value in json.loads(entity["begin_after"]).items()},
            etag=found.etag,
        )
    except (KeyError, ValueError, TypeError) as fault:
        raise CorruptRecord(f"row {entity.get('RowKey')}: {type(fault).__name__}: {fault}") from fault


def _last(entity: Mapping[str, Any]) -> LastSweep:
    return LastSweep(
        entity["last_sweep_id"],
        from_text(entity["last_started_at"]),
        Phase(entity["last_state"]),
        moment_in(entity["last_sweep_ended_at"]),
    )


def _marks(value: str | list[str]) -> tuple[str, ...]:
    """The marks in a stored value; earlier versions stored one job id."""
    return (mark_of_id(value),) if isinstance(value, str) else tuple(value)

"""The control API under `/_control`: what tests and people use to prepare the service and to look into it.

A call that it cannot read is answered 400, one about something that is not there 404, each with `{"error": text}`.

GET    /_control                        counters, and the jobs with their task counts
POST   /_control/jobs                   a job seed or a list of them, see `seeding.read_job_seed`
GET    /_control/jobs/{id}              the job with its tasks
DELETE /_control/jobs[/{id}]            takes jobs away without a trace
POST   /_control/faults                 a fault rule, fields of `faults.FaultRule` in camelCase
GET    /_control/faults                 the rules and how often they bit
DELETE /_control/faults[/{id}]          ends rules
POST   /_control/faults/{id}/release    lets go the calls that a rule holds
GET    /_control/journal?operation=&job=&task=
DELETE /_control/journal
GET    /_control/counters
POST   /_control/revoke-tokens          refuses every token issued so far
POST   /_control/reset                  jobs, faults and journal back to nothing
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import parse_qsl, unquote

from devstack.batch.access import Gate
from devstack.batch.account import Account
from devstack.batch.errors import ServiceError
from devstack.batch.faults import FaultBook, FaultRule, InvalidFault
from devstack.batch.journal import Journal
from devstack.batch.seeding import InvalidSeed, read_job_seed
from devstack.http1 import Answer, Incoming

PREFIX = "/_control"


@dataclass(frozen=True)
class Service:
    """What control calls read and change."""

    account: Account
    faults: FaultBook
    journal: Journal
    gate: Gate
    url: Callable[[], str]
    """A call, because the URL is known only once the server listens."""

    def reset(self) -> None:
        """Removes all jobs, faults and journal entries."""
        self.account.remove()
        self.faults.remove()
        self.journal.clear()


class _BadCall(Exception):
    """Raised for an invalid control call; the text says what is expected."""


@dataclass(frozen=True)
class _Control:
    """A control call, parsed."""

    id: str | None
    content: Any
    """The parsed body, or the query of a call without a body."""

    @property
    def needed_id(self) -> str:
        if self.id is None:
            raise _BadCall("an id is missing in the path")
        return self.id

    @property
    def fields(self) -> dict[str, Any]:
        if not isinstance(self.content, dict):
            raise _BadCall("the content is no object")
        return self.content


def answer_control(service: Service, incoming: Incoming) -> Answer:
    """Carries out a control call: 200 with JSON, 400 or 404 with `{"error": text}`."""
    path, _, query = incoming.target.removeprefix(PREFIX).partition("?")
    segments = [unquote(segment) for segment in path.split("/") if segment]
    found = _find(incoming.method, segments)
    if found is None:
        return _json(404, {"error": "there is no such control call"})
    action, control_id = found
    try:
        control = _Control(control_id, _content(incoming.body, query))
        return _json(200, action(service, control))
    except _NotThere as error:
        return _json(404, {"error": f"not there: {error}"})
    except ServiceError as error:
        return _json(404 if error.status == 404 else 400, {"error": str(error)})
    except (InvalidFault, InvalidSeed, _BadCall) as error:
        return _json(400, {"error": str(error)})


def read_fault(content: dict[str, Any]) -> FaultRule:
    """The rule in a JSON object whose names are those of FaultRule in camelCase; raises InvalidFault."""
    names = {_camel_case(item.name): item.name for item in fields(FaultRule)}
    unknown = set(content) - set(names)
    if unknown:
        raise InvalidFault(f"unknown field {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    return FaultRule(**{names[name]: value for name, value in content.items()})


class _NotThere(Exception):
    """Raised when nothing has the id in a call."""


def _summary(service: Service, _: _Control) -> dict[str, Any]:
    jobs = [{"id": job.id, "state": job.state, "tasks": len(job.tasks)} for job in service.account.jobs()]
    return {"url": service.url(), "jobs": jobs, "counters": service.journal.counters().document()}


def _seed(service: Service, control: _Control) -> dict[str, Any]:
    descriptions = control.content if isinstance(control.content, list) else [control.content]
    seeds = [read_job_seed(description) for description in descriptions]
    return {"jobs": len(seeds), "tasks": sum(service.account.place(seed) for seed in seeds)}


def _show_job(service: Service, control: _Control) -> dict[str, Any]:
    job = service.account.job(control.needed_id)
    job_url = f"{service.url()}/jobs/{job.id}"
    tasks = [task.document(job_url) for task in service.account.tasks(job.id)]
    return {**job.document(service.url()), "tasks": tasks}


def _remove_jobs(service: Service, control: _Control) -> dict[str, Any]:
    service.account.remove(control.id)
    return {}


def _add_fault(service: Service, control: _Control) -> dict[str, Any]:
    return {"id": service.faults.add(read_fault(control.fields))}


def _release(service: Service, control: _Control) -> dict[str, Any]:
    try:
        service.faults.release(control.needed_id)
    except KeyError:
        raise _NotThere(f"fault rule {control.id}") from None
    return {"id": control.id}


def _show_faults(service: Service, _: _Control) -> dict[str, Any]:
    rules = service.faults.rules().items()
    return {
        "value": [
            {"id": rule_id, "bitten": count, **{_camel_case(name): value for name, value in asdict(rule).items()}}
            for rule_id, (rule, count) in rules
        ]
    }


def _end_faults(service: Service, control: _Control) -> dict[str, Any]:
    service.faults.remove(control.id)
    return {}


def _show_journal(service: Service, control: _Control) -> dict[str, Any]:
    wanted = control.fields
    unknown = set(wanted) - {"operation", "job", "task"}
    if unknown or not all(isinstance(value, str) for value in wanted.values()):
        raise _BadCall("the journal is filtered by operation, job and task alone, which are texts")
    entries = service.journal.entries(wanted.get("operation"), wanted.get("job"), wanted.get("task"))
    return {"value": [entry.document() for entry in entries]}


def _clear_journal(service: Service, _: _Control) -> dict[str, Any]:
    service.journal.clear()
    return {}


def _show_counters(service: Service, _: _Control) -> dict[str, Any]:
    return service.journal.counters().document()


def _revoke(service: Service, _: _Control) -> dict[str, Any]:
    service.gate.revoke_issued_tokens()
    return {}


def _reset(service: Service, _: _Control) -> dict[str, Any]:
    service.reset()
    return {}


Action = Callable[[Service, _Control], dict[str, Any]]

# The shape of a path after the prefix, with `*` for an id.
_ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", ""): _summary,
    ("POST", "jobs"): _seed,
    ("GET", "jobs"): _show_job,
    ("GET", "jobs/*"): _show_job,
    ("DELETE", "jobs"): _remove_jobs,
    ("DELETE", "jobs/*"): _remove_jobs,
    ("POST", "faults"): _add_fault,
    ("GET", "faults"): _show_faults,
    ("DELETE", "faults"): _end_faults,
    ("DELETE", "faults/*"): _end_faults,
    ("POST", "faults/*/release"): _release,
    ("GET", "journal"): _show_journal,
    ("DELETE", "journal"): _clear_journal,
    ("GET", "counters"): _show_counters,
    ("POST", "revoke-tokens"): _revoke,
    ("POST", "reset"): _reset,
}


def _find(method: str, segments: list[str]) -> tuple[Action, str | None] | None:
    shape = "/".join([*segments[:1], *("*" for _ in segments[1:2]), *segments[2:]])
    action = _ACTIONS.get((method, shape))
    return (action, segments[1] if len(segments) > 1 else None) if action else None


def _content(body: bytes, query: str) -> Any:
    try:
        return json.loads(body) if body.strip() else dict(parse_qsl(query))
    except (ValueError, RecursionError):
        raise _BadCall("the body is not JSON") from None


def _camel_case(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def _json(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(document).encode())

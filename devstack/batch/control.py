"""The control API under `/_control`: what tests and people use to prepare the service and to look into it.

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
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from devstack.batch.errors import ServiceError
from devstack.batch.faults import FaultRule, InvalidFault
from devstack.batch.seeding import InvalidSeed
from devstack.http1 import Answer, Incoming

if TYPE_CHECKING:
    from devstack.batch.simulator import BatchSimulator

PREFIX = "/_control"


def answer_control(simulator: BatchSimulator, incoming: Incoming) -> Answer:
    """Carries a control call out: 200 with JSON, 400 or 404 with `{"error": text}`."""
    path, _, query = incoming.target.removeprefix(PREFIX).partition("?")
    name, *ids = [unquote(segment) for segment in path.split("/") if segment] or [""]
    action = _ACTIONS.get((incoming.method, name))
    if action is None:
        return _json(404, {"error": "there is no such control call"})
    try:
        content = json.loads(incoming.body) if incoming.body else dict(parse_qsl(query))
        return _json(200, action(simulator, ids, content))
    except (KeyError, ServiceError) as error:
        return _json(404, {"error": f"not there: {error}"})
    except (InvalidFault, InvalidSeed, TypeError, ValueError) as error:
        return _json(400, {"error": str(error)})


def read_fault(content: dict[str, Any]) -> FaultRule:
    """The rule in a JSON object whose names are those of FaultRule in camelCase; raises InvalidFault."""
    names = {_camel_case(item.name): item.name for item in fields(FaultRule)}
    unknown = set(content) - set(names)
    if unknown:
        raise InvalidFault(f"unknown field {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    return FaultRule(**{names[name]: value for name, value in content.items()})


def _summary(simulator: BatchSimulator, _ids: list[str], _content: Any) -> dict[str, Any]:
    jobs = [{"id": job.id, "state": job.state, "tasks": len(job.tasks)} for job in simulator.account.jobs()]
    return {"url": simulator.url, "jobs": jobs, "counters": simulator.journal.counters().document()}


def _seed(simulator: BatchSimulator, _ids: list[str], content: Any) -> dict[str, Any]:
    seeds = content if isinstance(content, list) else [content]
    return {"jobs": len(seeds), "tasks": sum(simulator.seed(seed) for seed in seeds)}


def _show_job(simulator: BatchSimulator, ids: list[str], _content: Any) -> dict[str, Any]:
    job = simulator.account.job(ids[0])
    job_url = f"{simulator.url}/jobs/{job.id}"
    tasks = [task.document(job_url) for task in simulator.account.tasks(job.id)]
    return {**job.document(simulator.url), "tasks": tasks}


def _remove_jobs(simulator: BatchSimulator, ids: list[str], _content: Any) -> dict[str, Any]:
    simulator.account.remove(ids[0] if ids else None)
    return {}


def _change_faults(simulator: BatchSimulator, ids: list[str], content: Any) -> dict[str, Any]:
    if ids:
        simulator.faults.release(ids[0])
        return {"id": ids[0]}
    return {"id": simulator.faults.add(read_fault(content))}


def _show_faults(simulator: BatchSimulator, _ids: list[str], _content: Any) -> dict[str, Any]:
    rules = simulator.faults.rules().items()
    return {
        "value": [
            {"id": rule_id, "bitten": count, **{_camel_case(name): value for name, value in asdict(rule).items()}}
            for rule_id, (rule, count) in rules
        ]
    }


def _end_faults(simulator: BatchSimulator, ids: list[str], _content: Any) -> dict[str, Any]:
    simulator.faults.remove(ids[0] if ids else None)
    return {}


def _show_journal(simulator: BatchSimulator, _ids: list[str], content: dict[str, str]) -> dict[str, Any]:
    entries = simulator.journal.entries(content.get("operation"), content.get("job"), content.get("task"))
    return {"value": [entry.document() for entry in entries]}


def _clear_journal(simulator: BatchSimulator, _ids: list[str], _content: Any) -> dict[str, Any]:
    simulator.journal.clear()
    return {}


def _show_counters(simulator: BatchSimulator, _ids: list[str], _content: Any) -> dict[str, Any]:
    return simulator.journal.counters().document()


def _revoke(simulator: BatchSimulator, _ids: list[str], _content: Any) -> dict[str, Any]:
    simulator.revoke_tokens()
    return {}


def _reset(simulator: BatchSimulator, _ids: list[str], _content: Any) -> dict[str, Any]:
    simulator.reset()
    return {}


_ACTIONS: dict[tuple[str, str], Callable[[BatchSimulator, list[str], Any], dict[str, Any]]] = {
    ("GET", ""): _summary,
    ("POST", "jobs"): _seed,
    ("GET", "jobs"): _show_job,
    ("DELETE", "jobs"): _remove_jobs,
    ("POST", "faults"): _change_faults,
    ("GET", "faults"): _show_faults,
    ("DELETE", "faults"): _end_faults,
    ("GET", "journal"): _show_journal,
    ("DELETE", "journal"): _clear_journal,
    ("GET", "counters"): _show_counters,
    ("POST", "revoke-tokens"): _revoke,
    ("POST", "reset"): _reset,
}


def _camel_case(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def _json(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(document).encode())

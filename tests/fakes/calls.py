"""HTTP calls to the app as its functions receive them, and their answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.api.answer import Answer, Call, invalid
from shared.api.placement import refuse_misplaced
from shared.errors import InvalidInput
from shared.wiring.services import App


@dataclass(frozen=True)
class Told(Answer):
    """An answer, and the request id that it carries."""

    client_request_id: str | None = None


def ask(answer_of: Callable[[Call], Answer], the_call: Call) -> Told:
    """Answers a call as the edge does, but lets storage faults and the death of a worker through."""
    try:
        refuse_misplaced(the_call)
        answer = answer_of(the_call)
    except InvalidInput as fault:
        answer = invalid(fault)
    known = the_call.subject.client_request_id
    return Told(answer.status, answer.content, answer.headers, answer.batch_request_id, known)


def call(
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    route: dict[str, str] | None = None,
    traceparent: str | None = None,
    method: str = "",
    caller: str | None = None,
) -> Call:
    """An HTTP call as a function receives it."""
    return Call(headers or {}, query or {}, route or {}, body, str(uuid.uuid4()), traceparent, method, caller=caller)


class Callers:
    """The HTTP calls that tests make to the app."""

    app: App

    def post(self, body: object, **headers: str) -> Told:
        """`POST /api/task-deletions`; header names with underscores, as everywhere."""
        return ask(self.app.api.submit, _post(body, headers))

    def get(self, client_request_id: str, **query: str) -> Told:
        """`GET /api/task-deletions/{id}`."""
        return ask(self.app.api.status, call(route={"clientRequestId": client_request_id}, query=query))

    def cancel(self, client_request_id: str, **query: str) -> Told:
        """`DELETE /api/task-deletions/{id}`."""
        return ask(self.app.api.cancel, call(route={"clientRequestId": client_request_id}, query=query))

    def delete(self, job_id: str = "job-1", task_id: str = "task-1", **headers: str) -> Told:
        """The synchronous DELETE."""
        route = {"jobId": job_id, "taskId": task_id}
        return ask(self.app.api.delete_task, call(route=route, headers=_names(headers), method="DELETE"))

    def post_event(self, body: object, **headers: str) -> Told:
        """`POST /api/job-completions`."""
        return ask(self.app.cleanups.submit, _post(body, headers))

    def progress(self, event_id: str) -> Told:
        """`GET /api/job-completions/{id}`."""
        return ask(self.app.cleanups.progress, call(route={"id": event_id}))

    def cancel_cleanup(self, event_id: str, **query: str) -> Told:
        """`DELETE /api/job-completions/{id}`."""
        return ask(self.app.cleanups.cancel, call(route={"id": event_id}, query=query))

    def list_letters(self, **query: str) -> Told:
        """`GET /api/dead-letters`."""
        return ask(self.app.dead_letters.listing, call(query=query))

    def dead_letters(self, **query: str) -> list[dict[str, Any]]:
        """The dead letters in `GET /api/dead-letters`."""
        answer = self.list_letters(**query)
        assert answer.status == 200
        return list(answer.content["value"])

    def dead_letter(self, letter_id: str) -> Told:
        """`GET /api/dead-letters/{id}`."""
        return ask(self.app.dead_letters.one, call(route={"id": letter_id}))

    def redrive(self, letter_id: str, caller: str | None = None) -> Told:
        """`POST /api/dead-letters/{id}/redrive`."""
        return ask(self.app.dead_letters.redrive, call(route={"id": letter_id}, method="POST", caller=caller))

    def redrive_many(self, selection: object) -> Told:
        """`POST /api/dead-letters/redrive`."""
        return ask(self.app.dead_letters.redrive_many, _post(selection, {}))

    def begin_sweep(self, wish: object = b"{}") -> Told:
        """`POST /api/retention-sweeps`."""
        return ask(self.app.retention.begin, _post(wish, {}))

    def sweep(self, sweep_id: str) -> Told:
        """`GET /api/retention-sweeps/{id}`."""
        return ask(self.app.retention.status, call(route={"id": sweep_id}))

    def stop_sweep(self, sweep_id: str) -> Told:
        """`DELETE /api/retention-sweeps/{id}`."""
        return ask(self.app.retention.stop, call(route={"id": sweep_id}))

    def policies(self) -> Any:
        """The document of `GET /api/retention-policies`."""
        return ask(self.app.retention.policies, call()).content


def _post(body: object, headers: dict[str, str]) -> Call:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return call(body=raw, headers=_names(headers), method="POST")


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in headers.items()}

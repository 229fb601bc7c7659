"""HTTP calls of the app, as a function gets them, and their answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from shared.api.answer import Answer, Call, invalid
from shared.api.placement import refuse_misplaced
from shared.errors import InvalidInput


@dataclass(frozen=True)
class Told(Answer):
    """An answer, and the id that it carries."""

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
    """An HTTP call as a function gets it."""
    return Call(headers or {}, query or {}, route or {}, body, str(uuid.uuid4()), traceparent, method, caller=caller)

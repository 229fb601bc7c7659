"""What an HTTP call is and what it is answered with. Every error body is a BatchError, as Batch's own are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.api.query import boolean, read_query
from shared.batch.reply import BatchError
from shared.errors import InvalidConfiguration, InvalidInput, Problem
from shared.parsing import grammar
from shared.results.event import error_wire

_JSON_TYPE = re.compile(
    r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json\s*(?:;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE
)
RETRY_AFTER_SECONDS = 10
"""What a caller is asked to wait when storage is down."""


@dataclass
class Known:
    """What a call was found to be about, for whatever answer it gets: storage may fail after that."""

    client_request_id: str | None = None


@dataclass(frozen=True)
class Call:
    """One HTTP request, header names in lower case."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    route: Mapping[str, str]
    body: bytes
    invocation_id: str
    traceparent: str | None = None
    """The caller's trace as the host passes it on, or the one that the host began."""
    known: Known = field(default_factory=Known, compare=False)


@dataclass(frozen=True)
class Answer:
    """One HTTP response. `content` is a JSON value; None for no body."""

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    client_request_id: str | None = None
    batch_request_id: str | None = None
    """Batch's own, when its answer is passed on."""

    def all_headers(self, call: Call) -> dict[str, str]:
        """The headers with the ids that every answer carries."""
        headers = dict(self.headers)
        headers["request-id"] = self.batch_request_id or call.invocation_id
        if known := self.client_request_id or call.known.client_request_id:
            headers["client-request-id"] = known
        return headers

    def text(self) -> str | None:
        return None if self.content is None else json.dumps(self.content, separators=(",", ":"))


def dry_run_of(call: Call) -> bool:
    """Whether a call is about a dry run, which is all that its query may say. Raises InvalidInput."""
    return boolean(read_query(call.query, "dryRun"), "dryRun")


def guid_of(call: Call, name: str) -> str:
    """A GUID in the path, in lower case, by which the call is known from then on. Raises InvalidInput."""
    try:
        found = grammar.guid(call.route.get(name, ""))
    except ValueError as fault:
        raise InvalidInput.at(name, str(fault)) from None
    call.known.client_request_id = found
    return found


def refusal(
    status: int,
    code: str,
    message: str,
    values: Iterable[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    client_request_id: str | None = None,
) -> Answer:
    """An answer whose body is an error of the app's own."""
    error = BatchError(code, message, tuple(values))
    return Answer(status, error_wire(error), headers or {}, client_request_id)


def invalid(
    fault: InvalidInput, client_request_id: str | None = None, names: Mapping[str, str] | None = None
) -> Answer:
    """400, or 413 for what is too large, with a pointer for each problem.

    `names` translates pointers where the values came in headers.
    """
    status = 413 if fault.code == "RequestBodyTooLarge" else 400
    values = [(_name(problem, names or {}), problem.text) for problem in fault.problems]
    return refusal(status, fault.code, "The request is not valid.", values, client_request_id=client_request_id)


def _name(problem: Problem, names: Mapping[str, str]) -> str:
    return names.get(problem.pointer, problem.pointer)


def unavailable(text: str) -> Answer:
    """503: storage did not do its work, and nothing is promised."""
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
    return refusal(503, "StorageUnavailable", text, headers=headers)


def misconfigured_call(fault: InvalidConfiguration) -> Answer:
    """503 while the app settings are wrong, with each setting's name and problem."""
    values = [_setting(problem) for problem in fault.problems]
    return refusal(503, "InvalidConfiguration", "The app settings are wrong.", values)


def _setting(problem: str) -> tuple[str, str]:
    """The setting that a problem begins with, and what is wrong; all of it when it begins with more than one."""
    name, _, text = problem.partition(" ")
    several = name.endswith(",") or text.startswith("and ")
    return (name.rstrip(","), problem) if several else (name, text)


def is_json(call: Call) -> bool:
    """Whether the content type is absent or JSON in UTF-8."""
    media_type = call.headers.get("content-type", "").strip()
    return not media_type or _JSON_TYPE.fullmatch(media_type) is not None


def not_json() -> Answer:
    """415."""
    values = [("content-type", "must be application/json or another JSON type, in UTF-8, or absent")]
    return refusal(415, "UnsupportedMediaType", "The body must be JSON.", values)

"""HTTP calls and their responses. Every error body is a BatchError, like those of the Batch service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.api.query import boolean, read_query
from shared.batch.reply import ErrorBody
from shared.errors import InvalidConfiguration, InvalidInput
from shared.parsing import grammar
from shared.results.event import error_wire

RETRY_AFTER_SECONDS = 10
"""How long a caller should wait when storage is down."""


@dataclass
class Subject:
    """The request that a call turned out to concern, kept so that even a 503 can name it."""

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
    """The trace context from the caller, or the one that the host started."""
    method: str = ""
    """In capitals."""
    function: str = ""
    """The function's name, for the log."""
    caller: str | None = None
    """The signed-in user or app, from the platform's authentication; None without it. Personal data."""
    subject: Subject = field(default_factory=Subject, compare=False)

    def concerns(self, client_request_id: str | None) -> None:
        """Sets the id that every response to this call carries."""
        self.subject.client_request_id = client_request_id


@dataclass(frozen=True)
class Answer:
    """One HTTP response. `content` is a JSON value, a string that is sent as it is, or None for no body."""

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    batch_request_id: str | None = None
    """Batch's request id, when its response is passed on."""

    def all_headers(self, call: Call) -> dict[str, str]:
        """The headers, including the ids that every response carries."""
        headers = dict(self.headers)
        headers["request-id"] = self.batch_request_id or call.invocation_id
        if known := call.subject.client_request_id:
            headers["client-request-id"] = known
        return headers

    def text(self) -> str | None:
        if self.content is None or isinstance(self.content, str):
            return self.content
        return json.dumps(self.content, separators=(",", ":"))


def dry_run_of(call: Call) -> bool:
    """Whether a call is about a dry run. `dryRun` is the only query parameter allowed. Raises InvalidInput."""
    return boolean(read_query(call, "dryRun"), "dryRun")


def guid_of(call: Call, name: str) -> str:
    """A GUID from the path, in lower case, which becomes the subject of the call. Raises InvalidInput."""
    try:
        found = grammar.guid(call.route.get(name, ""))
    except ValueError as fault:
        raise InvalidInput.at(name, str(fault)) from None
    call.concerns(found)
    return found


def refusal(
    status: int,
    code: str,
    message: str,
    values: Iterable[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A response whose body is an error of the app, not of Batch."""
    return Answer(status, error_wire(ErrorBody(code, message, tuple(values))), headers or {})


_STATUS = {"RequestBodyTooLarge": 413, "UnsupportedMediaType": 415}
"""Codes of invalid input whose status is not 400."""


def invalid(fault: InvalidInput) -> Answer:
    """400, 413 if too large or 415 if not JSON, with a pointer for each problem."""
    values = [(problem.pointer, problem.text) for problem in fault.problems]
    return refusal(_STATUS.get(fault.code, 400), fault.code, "The request is not valid.", values)


def unavailable(text: str) -> Answer:
    """503: storage failed, and the call may or may not have taken effect."""
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
    return refusal(503, "StorageUnavailable", text, headers=headers)


def internal_error() -> Answer:
    """500: a defect of the app. The details are in the log only."""
    return refusal(500, "InternalError", "An unexpected error occurred; see the app's log.")


def misconfigured_call(fault: InvalidConfiguration) -> Answer:
    """503 while the app settings are invalid, with each setting's name and problem."""
    values = [_setting(problem) for problem in fault.problems]
    return refusal(503, "InvalidConfiguration", "The app settings are not valid.", values)


def _setting(problem: str) -> tuple[str, str]:
    """The setting that a problem names, and the problem; the whole text if it names several settings."""
    name, _, text = problem.partition(" ")
    several = name.endswith(",") or text.startswith("and ")
    return (name.rstrip(","), problem) if several else (name, text)

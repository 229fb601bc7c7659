"""The events in a POST: one or several, in the modes of CloudEvents and of Event Grid. Pure.

    structured   application/cloudevents+json         the event is the body
    batched      application/cloudevents-batch+json   the body is a list of events
    binary       ce-* headers                         the body is the event's data
    Event Grid   application/json                     the body is a list of events

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from shared.batch.reply import ErrorBody
from shared.cleanup.carrier import is_envelope
from shared.cleanup.task_record import is_task_record
from shared.errors import InvalidInput, Problem
from shared.ledger.work import MAX_MESSAGE_BYTES
from shared.parsing import strict_json

MAX_EVENTS = 1_000
MAX_BODY_BYTES = 4 * 1024 * 1024
_BATCH = "application/cloudevents-batch+json"
_STRUCTURED = "application/cloudevents"
_REQUIRED = ("ce-specversion", "ce-id", "ce-source", "ce-type")
_TRACE = "ce-traceparent"


@dataclass(frozen=True)
class PostedEvent:
    """One event of a call, and how errors point into the call."""

    value: object
    at: str = ""
    is_binary: bool = False

    def located(self, fault: InvalidInput) -> InvalidInput:
        """The fault with pointers into the call: header names for attributes in headers, else pointers into the body."""
        if not self.is_binary:
            return fault
        return InvalidInput([Problem(_place(p.pointer), p.text) for p in fault.problems], fault.code)

    def about(self, error: ErrorBody) -> ErrorBody:
        """An error about the event's id or job, with pointers to where the call has them."""
        event, at = self.value, self.at
        if isinstance(event, list) and len(event) == 1:
            event, at = event[0], f"{at}/0"
        names = _names(event) if isinstance(event, dict) else {}
        places = [(f"{at}{names.get(key, key)}", text) for key, text in error.values]
        return replace(error, values=tuple((_place(key) if self.is_binary else key, text) for key, text in places))


def posted_events(headers: Mapping[str, str], body: bytes) -> list[PostedEvent]:
    """The events of a call. `headers` has lower-case names. Raises InvalidInput if no event can be found."""
    media_type = headers.get("content-type", "").strip().lower()
    if not media_type.startswith(_STRUCTURED) and any(name in headers for name in _REQUIRED):
        return [_binary(headers, body)]
    is_list = body.lstrip()[:1] == b"["
    value = strict_json.read(body, max_bytes=MAX_BODY_BYTES if is_list else MAX_MESSAGE_BYTES)
    if media_type.startswith(_BATCH) and not isinstance(value, list):
        raise InvalidInput.at("", "must be a list, because the content type is that of a batch")
    if not isinstance(value, list) or len(value) == 1:
        if len(body) > MAX_MESSAGE_BYTES:
            raise _too_large("", len(body))
        return [PostedEvent(value)]
    if not 1 <= len(value) <= MAX_EVENTS:
        raise InvalidInput.at("", f"must be a list of 1 to {MAX_EVENTS} events")
    return [PostedEvent(event, f"/{index}") for index, event in enumerate(value)]


def check_size(event: PostedEvent) -> None:
    """Raises InvalidInput if one of several events is larger than an event may be."""
    size = len(json.dumps(event.value, default=str))
    if event.at and size > MAX_MESSAGE_BYTES:
        raise _too_large(event.at, size)


def _too_large(at: str, size: int) -> InvalidInput:
    text = f"is {size} bytes long; at most {MAX_MESSAGE_BYTES} are allowed for one event"
    return InvalidInput([Problem(at, text)], strict_json.TOO_LARGE)


def _binary(headers: Mapping[str, str], body: bytes) -> PostedEvent:
    # Other attributes are ignored. Values are percent-encoded if they are not printable ASCII.
    names = [name for name in (*_REQUIRED, _TRACE) if name in headers]
    event: dict[str, object] = {name.removeprefix("ce-"): unquote(headers[name]) for name in names}
    event.setdefault("specversion", "")
    if body:
        event["data"] = strict_json.read(body, max_bytes=MAX_MESSAGE_BYTES)
    return PostedEvent(event, is_binary=True)


def _names(event: dict[str, object]) -> dict[str, str]:
    """The pointers in an enveloped event that correspond to these fields of a bare one."""
    if is_task_record(event):
        return {"/jobId": "/properties/jobId", "/clientRequestId": "/resourceId"}
    if is_envelope(event):
        data = "data_base64" if "data_base64" in event else "data"
        return {"/jobId": f"/{data}/jobId", "/clientRequestId": "/id"}
    return {}


def _place(pointer: str) -> str:
    if pointer == "/data" or pointer.startswith("/data/"):
        return pointer.removeprefix("/data")
    return f"ce-{pointer.removeprefix('/')}" if pointer else pointer

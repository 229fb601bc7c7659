"""The envelope of a job-completion event: none, CloudEvents 1.0, or Event Grid. Pure.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from uuid import NAMESPACE_URL, uuid5

from shared.errors import InvalidInput, Problem
from shared.parsing import grammar, strict_json
from shared.parsing.strict_json import refuse_faults, text_fault
from shared.request.model import parse_or_none

MOST_DATA_BYTES = 64 * 1024
# Media types for JSON: RFC 2045 has the parameters, RFC 6839 `+json`.
_JSON = re.compile(r"[a-z0-9!#$&^_.+-]+/(?:[a-z0-9!#$&^_.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Carried:
    """An event taken out of its envelope."""

    data: object
    """The event's object, not yet validated; None if the envelope has none."""
    at: str
    """Its pointer."""
    event_id: str | None = None
    """Derived from the envelope's source and id; None if one of them is not valid."""
    traceparent: str | None = None
    problems: tuple[Problem, ...] = ()
    """Problems of the envelope itself."""


def is_envelope(event: dict[str, object]) -> bool:
    """Whether an object is an envelope rather than the bare event."""
    return "specversion" in event or "eventType" in event


def opened(event: dict[str, object], at: str) -> Carried:
    """Opens an envelope. Its problems are returned, not raised.

    Unknown attributes are allowed in envelopes, as in their specifications, but not in their data.
    """
    problems: list[Problem] = []
    event_id = _event_id(event, at, problems)
    carried = _data(event, at)
    if isinstance(carried.data, dict) and "clientRequestId" in carried.data:
        text = "is not a field here; the id of the envelope is used"
        problems.append(Problem(f"{carried.at}/clientRequestId", text))
    # https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md
    traceparent = parse_or_none(event.get("traceparent"), grammar.traceparent)
    return replace(carried, event_id=event_id, traceparent=traceparent, problems=(*problems, *carried.problems))


def _event_id(event: dict[str, object], at: str, problems: list[Problem]) -> str | None:
    """The event's id, derived from the envelope's source and id, which together are unique."""
    if "specversion" in event:
        names = ("id", "source", "type")
        if event["specversion"] != "1.0":
            problems.append(Problem(f"{at}/specversion", "must be '1.0'"))
    else:
        names = ("id", "topic", "eventType")
    texts = [event.get(name) for name in names]
    wrong = [name for name, text in zip(names, texts, strict=True) if not _is_text(text)]
    problems += [Problem(f"{at}/{name}", "must be text and not empty") for name in wrong]
    return None if wrong else str(uuid5(NAMESPACE_URL, f"{texts[1]}|{texts[0]}"))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and text_fault(value) is None


def _data(event: dict[str, object], at: str) -> Carried:
    """`data`, or the decoded `data_base64` of a CloudEvent, which some languages' libraries write for binary buffers."""
    if "specversion" not in event or "data_base64" not in event:
        return Carried(event.get("data"), f"{at}/data")
    at = f"{at}/data_base64"
    if "data" in event:
        return Carried(None, at, problems=(Problem(at, "cannot be combined with data"),))
    content_type = event.get("datacontenttype")
    if content_type is not None and not (isinstance(content_type, str) and _JSON.fullmatch(content_type)):
        return Carried(None, at, problems=(Problem(at, "must contain JSON, with a JSON datacontenttype or none"),))
    try:
        return Carried(_decoded(event["data_base64"], at), at)
    except InvalidInput as fault:
        return Carried(None, at, problems=fault.problems)


def _decoded(text: object, at: str) -> object:
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:
        raw = None
    if raw is None:
        raise InvalidInput.at(at, "must be base64")
    try:
        value = strict_json.read(raw, max_bytes=MOST_DATA_BYTES)
    except InvalidInput as fault:
        raise InvalidInput.at(at, f"must contain JSON, but its content {fault.problems[0].text}") from None
    refuse_faults(value, at)
    return value

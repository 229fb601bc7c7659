"""Trigger metadata of a queue message, in the shapes that the host sends to the worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.functions.meta import Datum


@dataclass(frozen=True)
class MessageProperties:
    """What the queue service says about one delivery of a message."""

    message_id: str
    pop_receipt: str
    dequeue_count: int
    inserted: datetime
    expires: datetime
    next_visible: datetime


def trigger_metadata(properties: MessageProperties, text: str | None, *, overlay: bool) -> dict[str, Datum]:
    """Metadata by name; `text` is the body, None when it is not UTF-8.

    With `overlay`, properties of a JSON body take the place of metadata of the same name: the real host does so for
    text triggers (Utility.ApplyBindingData), so a body with `id` changes what the function sees as the message's id.
    """
    values: dict[str, Any] = {
        "Id": properties.message_id,
        "PopReceipt": properties.pop_receipt,
        "DequeueCount": properties.dequeue_count,
        "InsertionTime": properties.inserted,
        "ExpirationTime": properties.expires,
        "NextVisibleTime": properties.next_visible,
    }
    if text is not None:
        values["QueueTrigger"] = text
        if overlay:
            values = overlaid(values, text)
    return {name: _datum(value) for name, value in values.items()}


def overlaid(metadata: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The metadata with the top-level properties of a JSON object laid over it, ignoring case.

    Arrays and nulls are skipped, scalars become text, objects stay objects.
    """
    result = dict(metadata)
    try:
        body = json.loads(text)
    except ValueError:
        return result
    if not isinstance(body, dict):
        return result
    first_spelling = {name.lower(): name for name in result}
    for name, value in body.items():
        if value is None or isinstance(value, list):
            continue
        spelling = first_spelling.setdefault(name.lower(), name)
        result[spelling] = value if isinstance(value, dict) else str(value)
    return result


def _datum(value: Any) -> Datum:
    """Strings travel as strings, everything else as JSON text."""
    if isinstance(value, str):
        return Datum(value, "string")
    return Datum(json.dumps(value.isoformat() if isinstance(value, datetime) else value), "json")

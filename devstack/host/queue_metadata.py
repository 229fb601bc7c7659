"""Trigger metadata of a queue message, in the shapes that the host sends to the worker.

Of a text trigger the real host lets properties of a JSON body take the place of these (Utility.ApplyBindingData);
triggers that ask for bytes are spared that, and no others are served here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

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


def trigger_metadata(properties: MessageProperties) -> dict[str, Datum]:
    """Metadata by name: strings travel as strings, everything else as JSON text."""
    instants = {
        "InsertionTime": properties.inserted,
        "ExpirationTime": properties.expires,
        "NextVisibleTime": properties.next_visible,
    }
    return {
        "Id": Datum(properties.message_id, "string"),
        "PopReceipt": Datum(properties.pop_receipt, "string"),
        "DequeueCount": Datum(json.dumps(properties.dequeue_count), "json"),
        **{name: Datum(json.dumps(instant.isoformat()), "json") for name, instant in instants.items()},
    }

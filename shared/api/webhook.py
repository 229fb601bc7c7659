"""The webhook handshake: a sender of CloudEvents asks for permission to deliver. Pure.

https://github.com/cloudevents/spec/blob/v1.0/http-webhook.md#4-abuse-protection
"""

from __future__ import annotations

import re

from shared.api.answer import Answer, Call
from shared.api.query import read_query
from shared.errors import InvalidInput

ORIGIN = "webhook-request-origin"
# It is echoed in a header, so it may contain only characters that are valid there.
_ORIGIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?", re.ASCII)


def allow(call: Call) -> Answer:
    """`OPTIONS /api/job-completions`: allows any sender at any rate. The host has already checked the function key.

    Raises InvalidInput for an origin that cannot be echoed in a header, and for a query that the deliveries could not have.
    """
    read_query(call)
    origin = call.headers.get(ORIGIN, "")
    if not _ORIGIN.fullmatch(origin):
        raise InvalidInput.at(ORIGIN, "is required: 1 to 256 printable ASCII characters")
    headers = {"webhook-allowed-origin": origin, "webhook-allowed-rate": "*", "allow": "OPTIONS, POST"}
    return Answer(200, headers=headers)

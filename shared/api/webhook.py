"""The handshake by which a sender of CloudEvents asks whether it may deliver here. Pure.

https://github.com/cloudevents/spec/blob/v1.0/http-webhook.md#4-abuse-protection
"""

from __future__ import annotations

import re

from shared.api.answer import Answer, Call
from shared.errors import InvalidInput

ORIGIN = "webhook-request-origin"
# It goes back in a header: nothing but what a header may hold.
_ORIGIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?", re.ASCII)


def allow(call: Call) -> Answer:
    """`OPTIONS /api/job-completions`: any sender that has the function's key, which the host asked for, at any rate.

    Raises InvalidInput for an origin that cannot go back in a header.
    """
    origin = call.headers.get(ORIGIN, "")
    if not _ORIGIN.fullmatch(origin):
        raise InvalidInput.at(ORIGIN, "must be there, 1 to 256 printable ASCII characters")
    headers = {"webhook-allowed-origin": origin, "webhook-allowed-rate": "*", "allow": "OPTIONS, POST"}
    return Answer(200, headers=headers)

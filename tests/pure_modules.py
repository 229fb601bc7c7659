"""Which modules of `shared/` are pure: they decide and calculate, and nothing in them can wait or fail on a socket.

`make coverage` asks for every branch of them; run as a program, this prints them as coverage wants to be told.
"""

from __future__ import annotations

import sys

PURE = (
    # Reading what comes in
    *(
        "parsing/account_url",
        "batch_reply",
        "batch_target",
        "storage/connection",
        "ledger/entity",
        "request/envelope",
        "errors",
        "parsing/grammar",
    ),
    *("job_event", "message", "cleanup_message", "request/model", "rest_operation", "settings", "parsing/strict_json"),
    *("parsing/strict_model", "ledger/work"),
    # Deciding and wording
    *("classify", "cleanup_events", "guard", "http_answer", "openapi", "openapi_schemas", "outcomes", "pacing"),
    *(
        "parsing/protection",
        "query",
        "ledger/record",
        "replies",
        "results",
        "selection",
        "short_error",
        "ledger/state",
        "webhook",
    ),
)

if __name__ == "__main__":
    sys.stdout.write(",".join(f"shared/{name}.py" for name in PURE))

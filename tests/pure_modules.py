"""The pure modules of `shared/`: they decide and calculate, and never wait or fail because of the network.

`make coverage` requires every branch of them; run as a program, this prints them in coverage's format.
"""

from __future__ import annotations

import sys

PURE = (
    # Reading what comes in
    *(
        "parsing/account_url",
        "batch/answer",
        "batch/target",
        "storage/connection",
        "storage/query",
        "ledger/entity",
        "request/envelope",
        "errors",
        "parsing/grammar",
    ),
    *(
        "cleanup/carrier",
        "cleanup/entity",
        "cleanup/event",
        "cleanup/task_record",
        "deletion/message",
        "cleanup/message",
        "request/model",
        "api/rest_operation",
        "settings",
        "parsing/strict_json",
    ),
    *(
        "parsing/strict_model",
        "ledger/work",
        "parsing/retention_policy",
        "parsing/retention_setting",
        "batch/job_listing",
        "retention/message",
    ),
    # Deciding and wording
    *(
        "cleanup/closing_event",
        "cleanup/state",
        "deletion/vetoes",
        "api/answer",
        "api/openapi",
        "api/openapi_answers",
        "api/openapi_dialect",
        "api/openapi_events",
        "api/openapi_examples",
        "api/openapi_letters",
        "api/openapi_operations",
        "api/openapi_operator_paths",
        "api/openapi_paths",
        "api/posted_events",
        "api/openapi_retention",
        "api/openapi_schemas",
        "api/openapi_webhooks",
        "api/openapi_words",
        "deletion/outcomes",
        "batch/pace",
        "batch/pacing",
    ),
    *(
        "parsing/protection",
        "api/query",
        "ledger/record",
        "batch/reply",
        "results/event",
        "results/result",
        "cleanup/selection",
        "batch/short_error",
        "ledger/decisions",
        "ledger/state",
        "api/webhook",
    ),
    *(
        "retention/sweep",
        "retention/judging",
        "retention/course",
        "retention/trouble",
        "retention/step",
        "retention/report",
    ),
)

if __name__ == "__main__":
    sys.stdout.write(",".join(f"shared/{name}.py" for name in PURE))

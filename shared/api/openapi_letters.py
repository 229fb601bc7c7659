"""The schemas of what operators read: dead letters, what the bulk calls did, the summary."""

from __future__ import annotations

from shared.api.openapi_schemas import COUNT, DRY_RUN, ERROR, MOMENT, TEXT, Schema, nullable, record, ref


def operator_schemas() -> dict[str, Schema]:
    """The named schemas."""
    return {"Summary": _summary(), **_dead_letters()}


def _summary() -> Schema:
    queue = record("name depth oldestAgeSeconds", depth=COUNT, oldestAgeSeconds=nullable({"type": "number"}))
    reason = record("reason count", count=COUNT)
    letters = record(
        "total byReason counted",
        total=nullable(COUNT),
        byReason={"type": "array", "items": reason},
        counted={"type": "string", "enum": ["all", "the newest 1,000"]},
    )
    return record(
        "at queues deadLetters cleanUps sweeps version",
        at=MOMENT,
        queues={"type": "array", "items": queue},
        deadLetters=letters,
        cleanUps=record("running", running=COUNT),
        sweeps={"type": "array", "items": {"type": "object"}},
    )


def _dead_letters() -> dict[str, Schema]:
    letter = record(
        "id reason outcome queue clientRequestId jobId taskId attempts firstSeenAt lastSeenAt redrivenAt redrivenBy "
        "settledAt settledBy error",
        "statusCode batchRequestId body bodyEncoding dryRun",
        clientRequestId=nullable(TEXT),
        jobId=nullable(TEXT),
        taskId=nullable(TEXT),
        attempts=COUNT,
        firstSeenAt=MOMENT,
        lastSeenAt=MOMENT,
        redrivenAt=nullable(MOMENT),
        redrivenBy=nullable(TEXT),
        settledAt=nullable(MOMENT),
        settledBy=nullable(TEXT),
        error=nullable(ERROR),
        statusCode=nullable({"type": "integer"}),
        batchRequestId=nullable(TEXT),
        dryRun=DRY_RUN,
    )
    return {
        "DeadLetter": letter,
        "DeadLetters": record(
            "value continuation", value={"type": "array", "items": ref("DeadLetter")}, continuation=nullable(TEXT)
        ),
        "Redriven": record("id redriven", redriven={"const": True}),
        "RedrivenMany": _many_of("redriven"),
        "SettledMany": _many_of("settled"),
    }


def _many_of(word: str) -> Schema:
    """What a bulk call about dead letters did."""
    found = record(
        f"dryRun matched {word} ids more before continuation",
        dryRun={"type": "boolean"},
        matched=COUNT,
        ids={"type": "array", "items": TEXT},
        more={"type": "boolean"},
        before=MOMENT,
        continuation=nullable(TEXT),
    )
    found["properties"][word] = COUNT
    return found

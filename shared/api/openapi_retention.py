"""The part of the published description that is about retention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.api.openapi_schemas import COUNT, ERROR, MOMENT, TEXT, Schema, nullable, record, ref
from shared.parsing.retention_policy import JobState
from shared.retention.sweep import MOST_SAMPLES, Phase

_FLAG: Schema = {"type": "boolean"}
_STATE: Schema = {"type": "string", "enum": [phase.value for phase in Phase]}


def retention_paths(operation: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """The calls, each described by `operation` as those of the other resources are."""
    sweep = ref("Sweep")
    return {
        "/retention-policies": {
            "get": operation("The policies as understood", {200: ref("RetentionPolicies")}, (400,)),
        },
        "/retention-sweeps": {
            "post": operation("Begin a sweep", {202: sweep}, (400, 404, 409, 413, 415), body=ref("SweepWish")),
        },
        "/retention-sweeps/{id}": {
            "get": operation("How a sweep goes", {200: sweep}, (400, 404), "id"),
            "delete": operation("Stop a sweep", {200: sweep, 202: sweep}, (400, 404, 409), "id"),
        },
    }


def retention_schemas() -> dict[str, Schema]:
    """The named schemas."""
    return {
        "SweepWish": {
            "type": "object",
            "properties": {"batchUrl": TEXT, "policy": TEXT, "dryRun": _FLAG},
            "additionalProperties": False,
        },
        "Sweep": _sweep(),
        "RetentionPolicies": _policies(),
    }


def _sweep() -> Schema:
    reasons = "protected marked dependencies unlisted"
    sample: Schema = {"type": "array", "items": TEXT, "maxItems": MOST_SAMPLES}
    policy = record(
        "name dryRun jobs requested kept sample", dryRun=_FLAG, jobs=COUNT, requested=COUNT, kept=COUNT, sample=sample
    )
    return record(
        "sweepId batchUrl state startedAt endedAt dryRun jobs leftAlone policies open done error",
        state=_STATE,
        startedAt=MOMENT,
        endedAt=nullable(MOMENT),
        dryRun=_FLAG,
        jobs=COUNT,
        leftAlone=record(reasons, "", **dict.fromkeys(reasons.split(), COUNT)),
        policies={"type": "array", "items": policy},
        open=COUNT,
        done={"type": "object", "additionalProperties": COUNT},
        error=nullable(ERROR),
    )


def _policies() -> Schema:
    delays = {"oneOf": [TEXT, record("", "succeeded failed")]}
    seconds = record("succeeded failed", succeeded=nullable(COUNT), failed=nullable(COUNT))
    policy = record(
        "name jobs batchUrl deleteAfter deleteAfterSeconds jobState most dryRun",
        jobs={"type": "array", "items": TEXT},
        batchUrl=nullable(TEXT),
        deleteAfter=delays,
        deleteAfterSeconds=seconds,
        jobState=nullable({"type": "string", "enum": [state.value for state in JobState]}),
        most=nullable(COUNT),
        dryRun=_FLAG,
    )
    last = record("sweepId state startedAt endedAt", state=_STATE, startedAt=MOMENT, endedAt=nullable(MOMENT))
    account = record("batchUrl lastSweep nextSweepAt", lastSweep=nullable(last), nextSweepAt=nullable(MOMENT))
    return record(
        "policies accounts",
        policies={"type": "array", "items": policy},
        accounts={"type": "array", "items": account},
    )

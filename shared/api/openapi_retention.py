"""The published description of the calls about retention."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict

from shared.api import openapi_examples as examples
from shared.api.openapi_answers import WIRE, BatchError, Count, Id, Moment, Url
from shared.api.openapi_dialect import ref
from shared.api.openapi_operations import JSON, Document, body_of, operation
from shared.retention.sweep import MOST_SAMPLES, Phase

RETENTION = "Retention"
Delays = Annotated[Any, WithJsonSchema({"oneOf": [{"type": "string", "const": "never"}, ref("PolicyDelays")]})]


class LeftAlone(TypedDict):
    """Jobs that a policy covers but that were skipped, each counted once."""

    protected: Count
    marked: Count
    dependencies: Count
    unlisted: Count


class SweptPolicy(TypedDict):
    """The result of one policy in a sweep."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    name: str
    dry_run: bool
    jobs: Count
    requested: Count
    kept: Count


class SampledPolicy(SweptPolicy):
    """The result of one policy in a sweep, with a sample of the tasks."""

    sample: Annotated[list[str], Field(max_length=MOST_SAMPLES)]


class _Sweep(TypedDict):
    __pydantic_config__ = WIRE  # type: ignore[misc]
    sweep_id: Id
    batch_url: Url
    state: Phase
    started_at: Moment
    ended_at: Moment | None
    dry_run: bool
    jobs: Count
    left_alone: LeftAlone
    error: BatchError | None


class Sweep(_Sweep):
    """The progress of a sweep through one account."""

    policies: list[SampledPolicy]
    open: Count
    done: dict[str, Count]


class SweepDoneData(_Sweep):
    """The result of the sweep."""

    policies: list[SweptPolicy]


class SweepDone(TypedDict):
    """A sweep has ended, a CloudEvent."""

    specversion: Literal["1.0"]
    id: Id
    source: Url
    type: Literal["batch.retention-sweep.done"]
    time: Moment
    datacontenttype: Literal["application/json"]
    data: SweepDoneData


class PolicyDelays(TypedDict):
    """How long tasks are kept after their end; tasks of a class that is left out are kept forever."""

    succeeded: NotRequired[str]
    failed: NotRequired[str]


class PolicySeconds(TypedDict):
    """The same delays in seconds."""

    succeeded: Count | None
    failed: Count | None


class Policy(TypedDict):
    """A policy as the app interprets it."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    name: str
    jobs: list[str]
    batch_url: Url | None
    delete_after: Delays
    delete_after_seconds: PolicySeconds
    job_state: Literal["completed", "any"] | None
    most: Count | None
    dry_run: bool


class LastSweep(TypedDict):
    """The last sweep of an account that moved the timer."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    sweep_id: Id
    state: Phase
    started_at: Moment
    ended_at: Moment | None


class SweptAccount(TypedDict):
    """An account that has policies."""

    __pydantic_config__ = WIRE  # type: ignore[misc]
    batch_url: Url
    last_sweep: LastSweep | None
    next_sweep_at: Moment | None


class RetentionPolicies(TypedDict):
    """The policies in force, in the order of `RETENTION_POLICIES`, and the accounts they apply to."""

    policies: list[Policy]
    accounts: list[SweptAccount]


RETENTION_ANSWERS = (Sweep, SweepDone, PolicyDelays, RetentionPolicies)


def retention_paths() -> Document:
    """The calls about policies and sweeps."""
    return {
        "/retention-policies": {
            "get": operation(
                "getRetentionPolicies",
                RETENTION,
                ("Get the policies", "The policies as the app interprets them, and when each account is swept."),
                {200: "RetentionPolicies"},
            ),
        },
        **_sweeps(),
    }


def _sweeps() -> Document:
    return {
        "/retention-sweeps": {
            "post": operation(
                "beginRetentionSweep",
                RETENTION,
                (
                    "Start a sweep",
                    "Sweeps one account now. `{}` applies all policies of the default account. While one runs on the account: 409, whose `values` name it as `sweepId`.",
                ),
                {202: "Sweep"},
                "400 404 409 413",
                body=body_of({JSON: ref("SweepWish")}, examples.SWEEPS),
                headers="location",
            ),
        },
        "/retention-sweeps/{id}": {
            "get": operation(
                "getRetentionSweep",
                RETENTION,
                ("Get a sweep", "The progress of a sweep."),
                {200: "Sweep"},
                "400 404",
                parameters="id",
            ),
            "delete": operation(
                "stopRetentionSweep",
                RETENTION,
                (
                    "Cancel a sweep",
                    "It ends at its next step, and its requests that have not begun end as `cancelled`: 202, and 200 when repeated.",
                ),
                {200: "Sweep", 202: "Sweep"},
                "400 404 409",
                parameters="id",
            ),
        },
    }

"""One deletion request: its model, its rules, and what can be derived from it alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID, uuid5

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
)

from shared.errors import InvalidInput
from shared.parsing import account_url, grammar
from shared.parsing.strict_json import text_fault
from shared.parsing.strict_model import StrictModel, Surroundings, parse_model

SERVICE_TIMEOUT = 30
"""Seconds. The service treats any longer `timeout` as this."""

_MAX_ENTRIES = 16
_MAX_METADATA_BYTES = 1024


def _account(text: str, info: ValidationInfo) -> str:
    return account_url.select(text, info.context.accounts) if info.context else account_url.canonical(text)


def _within_reach(text: str, info: ValidationInfo) -> str:
    if info.context:
        grammar.check_delay(text, info.context.now)
    return text


def _same_text(rule: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        rule(text)
        return text

    return AfterValidator(check)


def _small(metadata: dict[str, str]) -> dict[str, str]:
    if len(metadata) > _MAX_ENTRIES:
        raise ValueError(f"must have at most {_MAX_ENTRIES} entries")
    for text in (*metadata, *metadata.values()):
        fault = text_fault(text)
        if fault:
            raise ValueError(f"must not hold text that {fault}")
    if sum(len(text.encode()) for entry in metadata.items() for text in entry) > _MAX_METADATA_BYTES:
        raise ValueError(f"must hold at most {_MAX_METADATA_BYTES} bytes, names and values together")
    return metadata


def _form(**schema: object) -> WithJsonSchema:
    """How the OpenAPI document describes a text; the rules themselves are in `grammar`."""
    return WithJsonSchema({"type": "string", **schema})


Guid = Annotated[str, AfterValidator(grammar.guid), _form(pattern=f"^{grammar.GUID.pattern}$")]
JobId = Annotated[
    str, AfterValidator(grammar.job_id), _form(pattern=f"^{grammar.JOB_ID.pattern}$", maxLength=grammar.MAX_JOB_ID)
]
TaskId = Annotated[str, AfterValidator(grammar.task_id), _form(pattern=f"^{grammar.TASK_ID.pattern}$")]
Account = Annotated[str, AfterValidator(_account), _form(format="uri")]
Delay = Annotated[str, AfterValidator(_within_reach), _form(description="ISO 8601 duration, or instant with offset")]
Traceparent = Annotated[
    str,
    AfterValidator(grammar.traceparent),
    _form(pattern=f"^{grammar.TRACEPARENT.pattern}$", description="W3C trace context of the caller"),
]
Metadata = Annotated[dict[str, str], AfterValidator(_small)]
_ETag = Annotated[str, AfterValidator(grammar.etag), _form(minLength=1, maxLength=256)]
_HttpDate = Annotated[str, _same_text(grammar.http_date), _form(description="RFC 1123 date (IMF-fixdate)")]


def _bounded(seconds: int) -> int:
    if not 1 <= seconds <= 2**31 - 1:
        raise ValueError(f"must be 1 to {2**31 - 1}")
    return seconds


_Seconds = Annotated[
    int, AfterValidator(_bounded), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 2**31 - 1})
]


class TracedModel(StrictModel):
    """A model that may belong to its caller's trace."""

    traceparent: Traceparent | None = None
    """Passed on to every request that follows from this one, and to its result."""

    def traced(self, traceparent: str | None) -> Self:
        """A copy that belongs to this trace, unless the model names a trace itself."""
        if self.traceparent or traceparent is None:
            return self
        return self.model_copy(update={"traceparent": traceparent})


class DeletionRequest(TracedModel):
    """One caller's request to delete one task, validated and in canonical form."""

    client_request_id: Guid
    job_id: JobId
    task_id: TaskId
    batch_url: Account
    """The allow-list entry itself, never the caller's text."""
    timeout: _Seconds | None = None
    """Seconds as given; see SERVICE_TIMEOUT."""
    return_client_request_id: bool = False
    ocp_date: _HttpDate | None = None
    if_match: _ETag | None = None
    if_none_match: _ETag | None = None
    if_modified_since: _HttpDate | None = None
    if_unmodified_since: _HttpDate | None = None
    dry_run: bool = False
    delete_after: Delay | None = None
    metadata: Metadata = Field(default_factory=dict)

    @property
    def task(self) -> tuple[str, str, str]:
        """The task it is about, without the other fields."""
        return self.batch_url, self.job_id.lower(), self.task_id.lower()


@dataclass(frozen=True)
class PartialRequest:
    """The fields of a refused request that are readable and valid; None for the others."""

    client_request_id: str | None = None
    job_id: str | None = None
    task_id: str | None = None
    batch_url: str | None = None
    metadata: dict[str, str] | None = None
    traceparent: str | None = None
    dry_run: bool = False


def parse_request(value: object, accounts: tuple[str, ...], now: datetime, *, at: str = "") -> DeletionRequest:
    """The request in a JSON value; its `batchUrl` defaults to the first of `accounts`.

    Raises InvalidInput with a problem for each fault, its pointer under `at`.
    """
    return parse_model(DeletionRequest, value, Surroundings(accounts, now), at)


def payload_hash(request: DeletionRequest) -> str:
    """SHA-256 of what a request asks for; it tells a duplicate from a conflict.

    Different spellings of the same payload hash alike. The id, `metadata`, `traceparent`, `ocpDate` and `dryRun`
    are left out.
    """
    payload = request.model_dump(exclude={"client_request_id", "metadata", "traceparent", "ocp_date", "dry_run"})
    payload["job_id"] = request.job_id.lower()
    payload["task_id"] = request.task_id.lower()
    if request.timeout is not None:
        payload["timeout"] = min(request.timeout, SERVICE_TIMEOUT)
    return hashlib.sha256(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def to_wire(request: DeletionRequest) -> dict[str, object]:
    """The request as a JSON object without absent fields, which parses back to an equal request."""
    return request.model_dump(by_alias=True, exclude_defaults=True)


def derived_id(parent: str, job_id: str, task_id: str) -> str:
    """The id of one task's request under a parent: the same every time the parent is read."""
    return str(uuid5(UUID(parent), f"{job_id}/{task_id}".lower()))


def with_own_account(accounts: tuple[str, ...], stored: object) -> tuple[str, ...]:
    """The allow list plus the account named in one of the app's own messages.

    If that account has since left the list, the request must still be read, so that a veto can end its row.
    """
    own = parse_or_none(stored.get("batchUrl") if isinstance(stored, dict) else None, account_url.canonical)
    return (*accounts, own) if own else accounts


def with_default(accounts: tuple[str, ...], meant: str | None) -> tuple[str, ...]:
    """The allow list for reading a stored body again: first the account that the body meant if it names none.

    The default account may have changed since. Raises InvalidInput if the meant account is no longer listed.
    """
    if meant is None:
        return accounts
    if meant not in accounts:
        raise InvalidInput.at("/batchUrl", "must be one of the Batch accounts that this app is set up for")
    return (meant, *accounts)


def partial_fields(value: object, accounts: tuple[str, ...]) -> PartialRequest:
    """The fields of a refused request that are readable and valid."""
    if not isinstance(value, dict):
        return PartialRequest()
    return PartialRequest(
        client_request_id=parse_or_none(value.get("clientRequestId"), grammar.guid),
        job_id=parse_or_none(value.get("jobId"), grammar.job_id),
        task_id=parse_or_none(value.get("taskId"), grammar.task_id),
        batch_url=parse_or_none(value.get("batchUrl"), lambda text: account_url.select(text, accounts)),
        metadata=_readable_metadata(value.get("metadata")),
        traceparent=parse_or_none(value.get("traceparent"), grammar.traceparent),
        dry_run=value.get("dryRun") is True,
    )


def parse_or_none(value: object, rule: Callable[[str], str]) -> str | None:
    """The value in canonical form if it is text and passes the rule, else None."""
    try:
        return rule(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _readable_metadata(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        return None
    try:
        return _small(value)
    except ValueError:
        return None

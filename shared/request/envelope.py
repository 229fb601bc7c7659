"""What one message or body carries: one request, many, or one set of options for many tasks.

    {"clientRequestId", "jobId", "taskId", ...}         one request
    {"requests": [{...}, ...]}                          many
    {"clientRequestId", "jobId", "taskIds": [...], ...} one set of options for many tasks

A fault in the envelope itself refuses all of it (InvalidInput); a fault in one item refuses only that item.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from shared.errors import InvalidInput, Problem
from shared.parsing import grammar, strict_json
from shared.parsing.strict_json import Fault, capped, pointer
from shared.parsing.strict_model import unknown_field
from shared.request.model import DeletionRequest, PartialRequest, derived_id, parse_request, partial_fields

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")

T = TypeVar("T")


class Kind(StrEnum):
    """The shape of a message or body, named for the field that gives it away."""

    SINGLE = ""
    MANY = "requests"
    TASK_IDS = "taskIds"
    OWN = "work"
    """Written by the app itself (`shared/ledger/work.py`), for rows of one bucket."""


_LISTS = {kind.lower(): kind for kind in (Kind.MANY, Kind.TASK_IDS)}
"""The fields that make an object an envelope, keyed by their lower-case names."""


@dataclass(frozen=True)
class Limits:
    """How many items one envelope may hold.

    The 64 KiB of one request need no check per item: what the rules let through is far smaller.
    """

    requests: int = 1_000
    task_ids: int = 10_000


LIMITS = Limits()


@dataclass(frozen=True)
class Invalid:
    """An item that is not a valid request: its problems, and the fields that could still be read."""

    index: int
    problems: tuple[Problem, ...]
    partial: PartialRequest


@dataclass(frozen=True)
class Envelope(Generic[T]):
    """The items of one message or body, in order; the same request may appear twice."""

    kind: Kind
    items: tuple[T | Invalid, ...]
    parent_id: str | None = None
    """The `clientRequestId` of a `taskIds` envelope."""

    @property
    def valid(self) -> list[T]:
        return [item for item in self.items if not isinstance(item, Invalid)]

    @property
    def invalid(self) -> list[Invalid]:
        return [item for item in self.items if isinstance(item, Invalid)]


def read_body(raw: bytes, *, max_bytes: int) -> object:
    """The JSON value of a queue message's text, which is JSON itself or base64 of JSON.

    As in `strict_json.read`, a `Fault` stands in place of each bad part.
    Raises InvalidInput when the text is neither, or too long.
    """
    try:
        return strict_json.read(raw, max_bytes=max_bytes)
    except InvalidInput as fault:
        decoded = _from_base64(raw)
        if decoded is None or fault.code == strict_json.TOO_LARGE:
            raise
    try:
        return strict_json.read(decoded, max_bytes=max_bytes)
    except InvalidInput as fault:
        found = fault.problems[0].text
        raise InvalidInput([Problem("", f"is not JSON, and decoded from base64 it {found}")]) from None


def body_text(raw: bytes) -> str:
    """The JSON text of an object that `read_body` could read."""
    decoded = None if raw.lstrip().startswith(b"{") else _from_base64(raw)
    return (raw if decoded is None else decoded).decode("utf-8")


def is_single(value: object) -> bool:
    """Whether a JSON value has the shape of one request."""
    return isinstance(value, dict) and not value.keys() & set(_LISTS.values())


def read_requests(
    value: object,
    accounts: tuple[str, ...],
    now: datetime,
    make: Callable[[DeletionRequest, str | None], T],
    limits: Limits = LIMITS,
) -> Envelope[T]:
    """What `make` makes of the requests in a JSON value, given each request and its parent's id.

    The value may hold faults; its top-level fields decide the kind of envelope. `now` is when the sender submitted it:
    `deleteAfter` is checked against that. Raises InvalidInput when the envelope itself is wrong.
    """
    if isinstance(value, Fault):
        raise InvalidInput([Problem("", value.text)])
    if not isinstance(value, dict):
        raise InvalidInput([Problem("", "must be an object")])
    _refuse_misspelt(value)
    kind = next((kind for kind in _LISTS.values() if kind in value), Kind.SINGLE)
    read = {Kind.MANY: _many, Kind.TASK_IDS: _task_ids}.get(kind, _single)
    items = read(value, accounts, now, limits)
    parent = grammar.guid(value["clientRequestId"]) if kind is Kind.TASK_IDS else None
    made = (item if isinstance(item, Invalid) else make(item, parent) for item in items)
    return Envelope(kind, tuple(made), parent)


def _refuse_misspelt(value: dict[str, object]) -> None:
    """A list whose name has the wrong letter case would read as one request with an unknown field."""
    problems = [
        Problem(pointer("", key), unknown_field(_LISTS[key.lower()]))
        for key in value
        if key.lower() in _LISTS and key != _LISTS[key.lower()]
    ]
    if problems:
        raise InvalidInput(problems)


def _from_base64(raw: bytes) -> bytes | None:
    # Encoders wrap lines, and .NET's decoder, which set the custom, ignores white space.
    text = b"".join(raw.split())
    if not _BASE64.fullmatch(text):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


_Items = Iterable[DeletionRequest | Invalid]


def _single(value: dict[str, Any], accounts: tuple[str, ...], now: datetime, _limits: Limits) -> _Items:
    return [_item(0, value, accounts, now, "")]


def _many(value: dict[str, Any], accounts: tuple[str, ...], now: datetime, limits: Limits) -> _Items:
    requests = value["requests"]
    problems = [Problem(pointer("", key), "cannot be combined with requests") for key in value if key != "requests"]
    problems += _list_faults(requests, "/requests", limits.requests)
    if problems:
        raise InvalidInput(capped(problems))
    return (_item(index, entry, accounts, now, f"/requests/{index}") for index, entry in enumerate(requests))


def _item(index: int, value: object, accounts: tuple[str, ...], now: datetime, at: str) -> DeletionRequest | Invalid:
    try:
        return parse_request(value, accounts, now, at=at)
    except InvalidInput as fault:
        return Invalid(index, fault.problems, partial_fields(value, accounts))


def _task_ids(value: dict[str, Any], accounts: tuple[str, ...], now: datetime, limits: Limits) -> _Items:
    """Checks the options once, on a pattern from which each task's request is copied."""
    task_ids = value["taskIds"]
    problems = [Problem("/taskId", "cannot be combined with taskIds")] if "taskId" in value else []
    problems += _list_faults(task_ids, "/taskIds", limits.task_ids)
    options = {key: member for key, member in value.items() if key != "taskIds"}
    try:
        pattern = parse_request(options | {"taskId": "any"}, accounts, now)
    except InvalidInput as fault:
        raise InvalidInput([*problems, *fault.problems]) from None
    if problems:
        raise InvalidInput(problems)
    return (_task(index, task_id, pattern) for index, task_id in enumerate(task_ids))


def _task(index: int, task_id: object, pattern: DeletionRequest) -> DeletionRequest | Invalid:
    try:
        name = _task_id(task_id)
    except ValueError as fault:
        known = PartialRequest(None, pattern.job_id, None, pattern.batch_url, pattern.metadata, dry_run=pattern.dry_run)
        return Invalid(index, (Problem(f"/taskIds/{index}", str(fault)),), known)
    own = derived_id(pattern.client_request_id, pattern.job_id, name)
    return pattern.model_copy(update={"task_id": name, "client_request_id": own})


def _task_id(value: object) -> str:
    if isinstance(value, str):
        return grammar.task_id(value)
    raise ValueError(value.text if isinstance(value, Fault) else "must be text")


def _list_faults(value: object, at: str, most: int) -> list[Problem]:
    if isinstance(value, Fault):
        return [Problem(at, value.text)]
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        return [Problem(at, f"must be a list of 1 to {most}")]
    return []
